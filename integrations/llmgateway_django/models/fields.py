"""Fields of lists: a few names, such as models or scopes, and guardrails."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["GuardrailsField", "NamesField"]

_MAX_NAMES = 200
_MAX_LENGTH = 200
_MAX_GUARDRAILS = 50


class NamesField(models.JSONField):
    """A list of texts, each of which stands there once; empty where nothing is said."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["default"] = list
        kwargs["blank"] = True
        super().__init__(*args, **kwargs)

    def validate(self, value: Any, model_instance: Any) -> None:
        """Raise `ValidationError` for anything but a list of names."""
        super().validate(value, model_instance)
        if not isinstance(value, list) or len(value) > _MAX_NAMES:
            raise ValidationError(_("Give a list of at most %d names.") % _MAX_NAMES)
        for name in value:
            if not isinstance(name, str) or not name.strip() or len(name) > _MAX_LENGTH:
                raise ValidationError(_("Each name is a text of 1 to %d characters.") % _MAX_LENGTH)
        if len(set(value)) < len(value):
            raise ValidationError(_("A name stands there twice."))


class GuardrailsField(models.JSONField):
    """A list of guardrails as configs have it: slugs of saved ones, and objects of checks.

    What they say is checked by forms; see `guardrails.check_demands`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["default"] = list
        kwargs["blank"] = True
        super().__init__(*args, **kwargs)

    def validate(self, value: Any, model_instance: Any) -> None:
        """Raise `ValidationError` for anything but a list of guardrails."""
        super().validate(value, model_instance)
        if not isinstance(value, list) or len(value) > _MAX_GUARDRAILS:
            raise ValidationError(_("Give a list of at most %d guardrails.") % _MAX_GUARDRAILS)
        if not all(isinstance(one, str | dict) and one for one in value):
            raise ValidationError(_("Each guardrail is the slug of one, or an object of checks."))
