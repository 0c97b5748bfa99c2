"""Has `include("llmgateway.urls")` find the view; nothing else belongs here."""

from llmgateway_django.urls import app_name, urlpatterns

__all__ = ["app_name", "urlpatterns"]
