"""The routing config: Portkey's JSON, parsed for shape; a higher floor looks providers up."""

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
from llmgateway.config.parse import parse_config

__all__ = [
    "DEFAULT_CONFIG",
    "Branch",
    "Condition",
    "Conditional",
    "Config",
    "Facts",
    "Fallback",
    "Leaf",
    "LoadBalance",
    "Node",
    "Policy",
    "Query",
    "Retry",
    "Single",
    "parse_config",
]
