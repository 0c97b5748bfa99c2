"""The routing config: Portkey's JSON, parsed for shape; providers are looked up on a higher floor."""

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
    "Retry",
    "Single",
    "parse_config",
]
