"""Saved routing configs, each with all the versions that it has had."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from llmgateway_django.models.workspaces import Workspace

__all__ = ["SavedConfig", "SavedConfigVersion"]

SLUG_PREFIX = "pc-"


def new_slug() -> str:
    """Return a slug that no config has yet."""
    return SLUG_PREFIX + secrets.token_hex(4)


class SavedConfig(models.Model):
    """A config that requests and keys name by its slug. Its newest version is in force."""

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="configs", verbose_name=_("workspace")
    )
    name = models.CharField(_("name"), max_length=200)
    slug = models.CharField(
        _("slug"),
        max_length=64,
        default=new_slug,
        validators=[
            RegexValidator(
                r"^pc-[A-Za-z0-9_-]+\Z", _("Begin with pc-; then letters, digits, - and _.")
            )
        ],
    )
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Whether requests may name it.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("config")
        verbose_name_plural = _("configs")
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "slug"], name="llmgateway_config_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.slug})"


class SavedConfigVersion(models.Model):
    """What a config said from one change to the next. It never changes."""

    config = models.ForeignKey(
        SavedConfig, models.CASCADE, related_name="versions", verbose_name=_("config")
    )
    number = models.PositiveIntegerField(_("version"))
    body = models.JSONField(_("config"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    created_by = models.CharField(
        _("created by"), max_length=100, blank=True, help_text=_("The user's id.")
    )

    class Meta:
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        ordering = ["-number"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["config", "number"], name="llmgateway_config_version_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.config.slug} {self.number}"

    def save(self, **kwargs: Any) -> None:
        """Save a new version. Raises `ValidationError` for one that is there already."""
        if not self._state.adding:
            raise ValidationError(_("A version never changes; save another one."))
        super().save(**kwargs)
