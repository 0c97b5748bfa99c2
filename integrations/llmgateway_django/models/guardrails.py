"""Saved guardrails, each with all the versions that it has had."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from llmgateway_django.models.workspaces import Workspace

__all__ = ["Guardrail", "GuardrailVersion"]

SLUG_PREFIX = "pg-"


def new_guardrail_slug() -> str:
    """Return a slug that no guardrail has yet."""
    return SLUG_PREFIX + secrets.token_hex(4)


class Guardrail(models.Model):
    """A guardrail that configs, keys and workspaces name by its slug.

    Its newest version is in force, unless a version is named.
    """

    class Status(models.TextChoices):
        """Whether it is found by its slug."""

        ACTIVE = "active", _("active")
        ARCHIVED = "archived", _("archived")

    workspace = models.ForeignKey(
        Workspace,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="guardrails",
        verbose_name=_("workspace"),
        help_text=_("Empty: every workspace may name it."),
    )
    name = models.CharField(_("name"), max_length=200)
    slug = models.CharField(
        _("slug"),
        max_length=64,
        default=new_guardrail_slug,
        validators=[
            RegexValidator(
                r"^pg-[A-Za-z0-9_-]+\Z", _("Begin with pg-; then letters, digits, - and _.")
            )
        ],
    )
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=Status.choices,
        default=Status.ACTIVE,
        help_text=_("An archived one is not found: calls that demand it are refused."),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("guardrail")
        verbose_name_plural = _("guardrails")
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "slug"], name="llmgateway_guardrail_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.slug})"

    def clean(self) -> None:
        """Refuse a slug that would stand before, or behind, one that all workspaces share.

        Else whoever keeps a workspace could put another in the place of one that is demanded of it.
        """
        others = Guardrail.objects.filter(slug=self.slug).exclude(pk=self.pk)
        if self.workspace_id is not None:
            others = others.filter(workspace=None)
        if others.exists():
            raise ValidationError({"slug": _("Another guardrail has this slug already.")})


class GuardrailVersion(models.Model):
    """What a guardrail was from one change to the next. It never changes."""

    guardrail = models.ForeignKey(
        Guardrail, models.CASCADE, related_name="versions", verbose_name=_("guardrail")
    )
    number = models.PositiveIntegerField(_("version"))
    checks = models.JSONField(_("checks"))
    actions = models.JSONField(_("actions"), default=dict)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    created_by = models.CharField(
        _("created by"), max_length=100, blank=True, help_text=_("The user's id.")
    )

    class Meta:
        verbose_name = _("version of a guardrail")
        verbose_name_plural = _("versions of guardrails")
        ordering = ["-number"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["guardrail", "number"], name="llmgateway_guardrail_version_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.guardrail.slug} {self.number}"

    def save(self, **kwargs: Any) -> None:
        """Save a new version. Raises `ValidationError` for one that is there already."""
        if not self._state.adding:
            raise ValidationError(_("A version never changes; save another one."))
        super().save(**kwargs)
