"""An AI gateway inside your own app: one OpenAI-compatible API in front of many providers.

The names below are loaded when they are first used: a host that lists the package (Django's
`INSTALLED_APPS`, a management command) pays for the engine only where it runs one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmgateway.gateway import Gateway
    from llmgateway.providers import Provider
    from llmgateway.settings import Settings
    from llmgateway.types.call import Principal

__version__ = "0.1.0"

__all__ = ["Gateway", "Principal", "Provider", "Settings", "__version__"]

_HOMES = {
    "Gateway": "llmgateway.gateway",
    "Principal": "llmgateway.types.call",
    "Provider": "llmgateway.providers",
    "Settings": "llmgateway.settings",
}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use. Source: PEP 562."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
