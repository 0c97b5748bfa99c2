"""Has `INSTALLED_APPS = ["llmgateway"]` find the Django app; nothing else belongs here."""

from llmgateway_django.apps import LLMGatewayConfig

__all__ = ["LLMGatewayConfig"]
