"""The keys that the gateway issues. What a client holds is never kept, only what it hashes to."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from llmgateway_django.models.configs import SavedConfig
from llmgateway_django.models.fields import GuardrailsField, NamesField
from llmgateway_django.models.workspaces import Workspace

__all__ = ["APIKey", "APIKeySecret"]


class APIKey(models.Model):
    """A credential of a user, or of a service where it has no owner.

    Its id stays when its secret is rotated, so limits and logs go on.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="api_keys", verbose_name=_("workspace")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="llmgateway_api_keys",
        verbose_name=_("owner"),
        help_text=_("The key works while this user is active. Empty: it is a service's."),
    )
    name = models.CharField(_("name"), max_length=200)
    scopes = NamesField(
        _("scopes"),
        help_text=_("What the key may do, such as completions.write; empty: all that calls need."),
    )
    allowed_models = NamesField(
        _("allowed models"),
        help_text=_("Names, or patterns such as gpt-4o*; empty: every model."),
    )
    allowed_providers = NamesField(
        _("allowed providers"),
        help_text=_("Ids, or @slug for one virtual key; empty: every provider."),
    )
    allowed_addresses = NamesField(
        _("allowed addresses"),
        help_text=_("From which it is accepted, such as 192.0.2.0/24; empty: from anywhere."),
    )
    default_config = models.ForeignKey(
        SavedConfig,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="api_keys",
        verbose_name=_("default config"),
        help_text=_("For requests that bring no config."),
    )
    allow_config_override = models.BooleanField(
        _("may bring configs"),
        default=True,
        help_text=_("Whether requests may bring a config in place of the default one."),
    )
    default_metadata = models.JSONField(
        _("default metadata"),
        default=dict,
        blank=True,
        help_text=_("Goes into the log with each request, and beats what a request says."),
    )
    input_guardrails = GuardrailsField(
        _("input guardrails"),
        help_text=_("What runs over each request, after what the workspace demands."),
    )
    output_guardrails = GuardrailsField(
        _("output guardrails"), help_text=_("What runs over each answer, likewise.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)

    _was_revoked = False

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return str(self.name)

    def save(self, **kwargs: Any) -> None:
        """Save it; once revoked it stays so, whatever a copy read earlier says.

        Raises `ValidationError` where the attempt is plain.
        """
        if self._was_revoked and self.revoked_at is None:
            raise ValidationError(_("A revoked key stays revoked; make a new one."))
        if not self._state.adding and self.revoked_at is None:
            kwargs["update_fields"] = self._names_to_save(kwargs.get("update_fields"))
        super().save(**kwargs)
        self._was_revoked = self.revoked_at is not None

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Sequence[Any], **more: Any
    ) -> Self:
        """Remember whether it was revoked, for `save`. Django 6.1 hands on `fetch_mode`."""
        key: Self = super().from_db(db, field_names, values, **more)
        key._was_revoked = "revoked_at" in field_names and key.revoked_at is not None
        return key

    def _names_to_save(self, asked: Iterable[str] | None) -> list[str]:
        if asked is None:
            deferred = self.get_deferred_fields()
            fields = (field for field in self._meta.concrete_fields if not field.primary_key)
            asked = [field.name for field in fields if field.attname not in deferred]
        return [name for name in asked if name != "revoked_at"]

    @property
    def principal_id(self) -> str:
        """What the request log calls it."""
        return f"key:{self.pk}"

    def is_in_force(self, now: datetime | None = None) -> bool:
        """Tell whether a secret of it would be accepted."""
        moment = timezone.now() if now is None else now
        return (
            self.revoked_at is None
            and (self.expires_at is None or moment < self.expires_at)
            and (self.owner is None or self.owner.is_active)
        )


class APIKeySecret(models.Model):
    """A secret of a key, as a keyed digest. While keys are rotated, a key has more than one."""

    api_key = models.ForeignKey(
        APIKey, models.CASCADE, related_name="secrets", verbose_name=_("API key")
    )
    digest = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    pepper_id = models.CharField(
        _("pepper"),
        max_length=16,
        editable=False,
        help_text=_("Names the secret that the digest is keyed with."),
    )
    hint = models.CharField(
        _("hint"), max_length=16, editable=False, help_text=_("The last characters of the key.")
    )
    valid_from = models.DateTimeField(_("valid from"))
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)

    class Meta:
        verbose_name = _("secret")
        verbose_name_plural = _("secrets")
        ordering = ["-valid_from"]

    def __str__(self) -> str:
        return f"lgw_…{self.hint}"
