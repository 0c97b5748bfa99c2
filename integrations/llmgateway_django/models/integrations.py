"""Credentials of providers, sealed, and the names by which workspaces use them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _

from llmgateway_django.models.fields import NamesField
from llmgateway_django.models.workspaces import Workspace
from llmgateway_django.origins import check_integration, place_of

__all__ = ["Integration", "VirtualKey"]


_PLACE = ("provider", "base_url", "options")
"""What says where secrets go."""


class Integration(models.Model):
    """A provider's account: where it is reached, how, and with which credential.

    `vault` seals and opens the secrets. They are bound to the row and to where they go; another
    provider or origin drops them.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(
        Workspace,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="integrations",
        verbose_name=_("workspace"),
        help_text=_("Empty: every workspace may have virtual keys of it."),
    )
    name = models.CharField(_("name"), max_length=200)
    provider = models.CharField(_("provider"), max_length=100)
    base_url = models.CharField(
        _("base URL"),
        max_length=500,
        blank=True,
        help_text=_("In place of the provider's own. Another address needs the secrets anew."),
    )
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_("The provider's own, but no secrets.")
    )
    sealed = models.TextField(_("sealed secrets"), blank=True, editable=False)
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Whether its virtual keys may be used.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("integration")
        verbose_name_plural = _("integrations")
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.provider})"

    @property
    def place(self) -> tuple[str, ...]:
        """What its secrets are sealed for."""
        return ("integration", str(self.pk), *place_of(self.provider, self.base_url, self.options))

    def clean(self) -> Any:
        """Raise `ValidationError` for what the provider does not know, and for open secrets."""
        super().clean()
        check_integration(self.provider, self.base_url, self.options)

    def save(self, **kwargs: Any) -> None:
        """Save it, and drop the secrets where what is saved leads somewhere else.

        `sealed` is saved only where `update_fields` names it: a copy that was read earlier must
        not bring back secrets that others have changed or sealed anew.
        """
        if self._state.adding or kwargs.get("force_insert"):
            super().save(**kwargs)
            return
        using = kwargs.get("using") or router.db_for_write(Integration, instance=self)
        with transaction.atomic(using=using):
            names = self._names_to_save(kwargs.get("update_fields"))
            # Asked of the database, whatever this copy was read with; locked until it is written.
            row = Integration.objects.using(using).select_for_update().filter(pk=self.pk)
            stored = row.only("sealed", *_PLACE).first()
            if stored is None:  # deleted meanwhile
                super().save(**kwargs)
                return
            if self._leads_elsewhere(stored, names):
                self.sealed = ""
                names.add("sealed")
            elif "sealed" not in names:
                self.sealed = stored.sealed
            super().save(**{**kwargs, "update_fields": names})

    def _names_to_save(self, asked: Collection[str] | None) -> set[str]:
        if asked is not None:
            return set(asked)
        fields = (field for field in self._meta.concrete_fields if not field.primary_key)
        deferred = {"sealed", *self.get_deferred_fields()}
        return {field.name for field in fields if field.attname not in deferred}

    def _leads_elsewhere(self, stored: Integration, names: Collection[str]) -> bool:
        after = [getattr(self if name in names else stored, name) for name in _PLACE]
        return bool(stored.place[2:] != place_of(*after))


class VirtualKey(models.Model):
    """A workspace's name for an integration: `@slug`, and what may be asked of it."""

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="virtual_keys", verbose_name=_("workspace")
    )
    slug = models.CharField(
        _("slug"),
        max_length=64,
        validators=[
            RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", _("Letters, digits, dots, - and _."))
        ],
        help_text=_("Requests name it @slug, or @slug/model."),
    )
    integration = models.ForeignKey(
        Integration, models.CASCADE, related_name="virtual_keys", verbose_name=_("integration")
    )
    allowed_models = NamesField(
        _("allowed models"), help_text=_("Names, or patterns such as gpt-4o*; empty: every model.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("virtual key")
        verbose_name_plural = _("virtual keys")
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "slug"], name="llmgateway_virtualkey_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"@{self.slug}"

    def clean(self) -> Any:
        """Raise `ValidationError` for the integration of another workspace."""
        super().clean()
        if self.integration_id is not None and self.workspace_id is not None:
            owner = self.integration.workspace_id
            if owner is not None and owner != self.workspace_id:
                raise ValidationError(
                    {"integration": _("Choose an integration of the same workspace.")}
                )
