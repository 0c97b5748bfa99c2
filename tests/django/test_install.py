"""What `INSTALLED_APPS = ["llmgateway"]` brings into a project."""

from __future__ import annotations

from django.apps import apps

from llmgateway.apps import LLMGatewayConfig


def test_the_core_s_name_installs_the_app() -> None:
    config = apps.get_app_config("llmgateway")

    assert isinstance(config, LLMGatewayConfig)
    assert ("llmgateway_django", "llmgateway") == (config.name, config.label)
