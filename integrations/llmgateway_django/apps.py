"""The app as Django's registry has it."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.signals import setting_changed
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from llmgateway_django.checks import register_checks
from llmgateway_django.conf import KEY, conf_of_project

__all__ = ["LLMGatewayConfig"]


class LLMGatewayConfig(AppConfig):
    """Installed as `llmgateway`; its tables, permissions and URLs begin with that name too."""

    name = "llmgateway_django"
    label = "llmgateway"
    verbose_name = _("AI gateway")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Refuse to start with settings that cannot be used; find the project's guardrails."""
        # First: functions with `@check` are known once they are imported, and settings name them.
        autodiscover_modules("guardrails")
        conf_of_project()
        register_checks()
        setting_changed.connect(_look_again)


def _look_again(*, setting: str, enter: bool, **_: Any) -> None:
    """Refuse what a test overrides, too; what was before has been looked at."""
    if setting == KEY and enter:
        conf_of_project()
