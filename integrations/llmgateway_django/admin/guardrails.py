"""Saved guardrails: a form made of the checks' schemas, and all versions to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from llmgateway_django.admin.check_fields import help_of
from llmgateway_django.admin.guardrail_form import form_of, rows_of, rows_posted, sections_of
from llmgateway_django.admin.versions import VersionedAdmin
from llmgateway_django.guardrail_faults import body_of, checks_of_project
from llmgateway_django.guardrails import save_guardrail
from llmgateway_django.models import Guardrail

__all__ = ["GuardrailAdmin"]

_NAMES = ("workspace", "name", "slug", "status")


@admin.register(Guardrail)
class GuardrailAdmin(VersionedAdmin):
    """One without a workspace is for all of them, and only superusers see it here."""

    list_display = ("name", "slug", "workspace", "status", "created_at")
    list_select_related = ("workspace",)
    search_fields = ("name", "slug")
    may_be_shared = True
    change_form_template = "admin/llmgateway/guardrail/change_form.html"

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the form with a section for each check."""
        if "form" not in kwargs:
            rows, actions = self._shown(request, obj)
            kwargs["form"] = form_of(rows, checks_of_project(), actions)
        return super().get_form(request, obj, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the sections; whoever only looks has the page of versions."""
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": _NAMES})]
        rows, _actions = self._shown(request, obj)
        sections = sections_of(rows, checks_of_project())
        return [(None, {"fields": (*_NAMES, "actions")}), *sections]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """Show the form with what each check takes, or take it."""
        known = checks_of_project()
        told = [(id_, help_of(known[id_])) for id_ in sorted(known)]
        shown = {"checks_told": told, **(extra_context or {})}
        answer: HttpResponse = super().changeform_view(request, object_id, form_url, shown)
        return answer

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it, and what it does as the newest version."""
        super().save_model(request, obj, form, change)
        save_guardrail(obj, form.body["checks"], form.body["actions"], by=request.user)

    def body_of(self, version: Any) -> Any:
        """Return its checks and actions."""
        return body_of(version)

    def _shown(self, request: HttpRequest, obj: Any) -> tuple[Any, Any]:
        """Return the sections to show, and the actions; None: as a new one has them."""
        known = checks_of_project()
        if request.method == "POST":
            return rows_posted(request.POST, known), None
        version = self.version_asked(request, obj)
        if version is None and obj is not None:
            version = obj.versions.first()
        asked = request.GET.getlist("check")
        if version is None:
            return rows_of((), known, asked), None
        return rows_of(version.checks, known, asked), version.actions
