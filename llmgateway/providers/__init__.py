"""Providers as rows of data, and the registry that finds them."""

from llmgateway.providers.base import (
    Endpoint,
    Option,
    Options,
    Place,
    Provider,
    quote_host_label,
    quote_segment,
)
from llmgateway.providers.planned import PLANNED
from llmgateway.providers.registry import EntryPointError, OptionHeader, Registry, builtin
from llmgateway.providers.tweaks import (
    Clamp,
    Drop,
    KeepAfter,
    MapRole,
    MapValue,
    Rename,
    Tweak,
)

__all__ = [
    "PLANNED",
    "Clamp",
    "Drop",
    "Endpoint",
    "EntryPointError",
    "KeepAfter",
    "MapRole",
    "MapValue",
    "Option",
    "OptionHeader",
    "Options",
    "Place",
    "Provider",
    "Registry",
    "Rename",
    "Tweak",
    "builtin",
    "quote_host_label",
    "quote_segment",
]
