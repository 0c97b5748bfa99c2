"""The routing config: Portkey's JSON, parsed for shape; a higher floor looks providers up."""

from llmgateway.config.hooks import AnyHook, CheckSpec, Feedback, Hook, SavedHook
from llmgateway.config.models import (
    DEFAULT_CONFIG,
    Branch,
    Condition,
    Conditional,
    Config,
    Facts,
    Fallback,
    Leaf,
    LoadBalance,
    Node,
    Policy,
    Query,
    Retry,
    Single,
)
from llmgateway.config.parse import parse_config, parse_guardrail, parse_hooks

__all__ = [
    "DEFAULT_CONFIG",
    "AnyHook",
    "Branch",
    "CheckSpec",
    "Condition",
    "Conditional",
    "Config",
    "Facts",
    "Fallback",
    "Feedback",
    "Hook",
    "Leaf",
    "LoadBalance",
    "Node",
    "Policy",
    "Query",
    "Retry",
    "SavedHook",
    "Single",
    "parse_config",
    "parse_guardrail",
    "parse_hooks",
]
