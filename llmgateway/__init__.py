"""An AI gateway inside your own app: one OpenAI-compatible API in front of many providers."""

from llmgateway.gateway import Gateway
from llmgateway.providers import Provider
from llmgateway.settings import Settings
from llmgateway.types.call import Principal

__version__ = "0.1.0"

__all__ = ["Gateway", "Principal", "Provider", "Settings", "__version__"]
