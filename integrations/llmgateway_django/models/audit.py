"""Who changed what. Like the log it has no foreign key, so that it outlives what it tells of."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["AuditEvent"]


class AuditEvent(models.Model):
    """One change, by whom, and to what. It names fields and ids, never a secret."""

    at = models.DateTimeField(_("at"), auto_now_add=True)
    actor = models.CharField(
        _("actor"), max_length=200, blank=True, help_text=_("The user's id; empty: a command.")
    )
    actor_name = models.CharField(_("name of the actor"), max_length=200, blank=True)
    workspace = models.CharField(
        _("workspace"), max_length=64, blank=True, help_text=_("The workspace's id.")
    )
    action = models.CharField(_("action"), max_length=64)
    kind = models.CharField(_("kind of object"), max_length=64)
    object_id = models.CharField(_("id of the object"), max_length=64)
    object_name = models.CharField(_("name of the object"), max_length=200, blank=True)
    changes = models.JSONField(
        _("changes"), default=dict, help_text=_("By field: the value before, and after.")
    )

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit log")
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["workspace", "id"], name="llmgateway_audit_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.object_name}"
