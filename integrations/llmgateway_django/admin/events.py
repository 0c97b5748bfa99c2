"""The audit log, to be read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from llmgateway_django.admin.fields import as_json
from llmgateway_django.admin.readonly import ReadOnlyAdmin, table
from llmgateway_django.models import AuditEvent

__all__ = ["AuditEventAdmin"]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Who changed what. What is of no workspace, such as shared integrations, is for superusers."""

    list_display = ("at", "actor_name", "action", "kind", "object_name", "object_id")
    search_fields = ("object_id__exact",)
    search_help_text = _("The whole id of an object.")
    fields = (
        "at",
        "actor_name",
        "actor",
        "action",
        "kind",
        "object_name",
        "object_id",
        "workspace_name",
        "shown_changes",
    )

    @admin.display(description=_("changes"))
    def shown_changes(self, event: AuditEvent) -> str:
        """Return what was, and what is, by field; of secrets the names alone."""
        rows = [(name, *_before_and_after(name, value)) for name, value in event.changes.items()]
        return table([_("field"), _("before"), _("after")], rows) if rows else ""


def _before_and_after(name: str, value: Any) -> tuple[str, str]:
    if name == "secrets":
        return "", ", ".join(map(str, value))
    before, after = value
    return as_json(before), as_json(after)
