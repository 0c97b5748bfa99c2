"""An AI gateway that lives inside your own app: one OpenAI-compatible API in front of many providers."""

__version__ = "0.1.0"
