"""Saved configs: a text of JSON that is sound when it is saved, and its versions to read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from llmgateway_django.admin.fields import as_json
from llmgateway_django.admin.scope import ScopedForm
from llmgateway_django.admin.versions import VersionedAdmin
from llmgateway_django.configs import check_config, save_config
from llmgateway_django.models import SavedConfig

__all__ = ["SavedConfigAdmin"]


class _ConfigForm(ScopedForm):
    body = forms.CharField(
        label=_("Config"),
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 24, "cols": 80, "spellcheck": "false", "style": "font-family: monospace"}
        ),
        help_text=_("JSON. Each change is a version of its own, and the newest one is in force."),
    )

    text: str | None = None
    """What the form begins with, unless it is the newest version."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.text is not None:
            self.initial["body"] = self.text
        elif not self.instance._state.adding:
            newest = self.instance.versions.first()
            self.initial["body"] = "" if newest is None else as_json(newest.body)

    def clean(self) -> Any:
        """Check the config as the workspace could use it; faults name their JSON path."""
        data: Any = super().clean()
        if self.workspace is not None and "body" in data:
            try:
                check_config(self.workspace, data["body"])
            except ValidationError as error:
                self.add_error("body", error)
        return data


@admin.register(SavedConfig)
class SavedConfigAdmin(VersionedAdmin):
    """A config is edited as a text of JSON."""

    form = _ConfigForm
    list_display = ("name", "slug", "workspace", "is_active", "created_at")
    list_select_related = ("workspace",)
    search_fields = ("name", "slug")
    change_form_template = "admin/llmgateway/savedconfig/change_form.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what the form shows; whoever only looks has the page of versions."""
        names = ("workspace", "name", "slug", "is_active")
        looks_only = obj is not None and not self.has_change_permission(request, obj)
        return names if looks_only else (*names, "body")

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the form, filled with an earlier version where the address asks for one."""
        form: Any = super().get_form(request, obj, **kwargs)
        version = self.version_asked(request, obj)
        if version is not None:
            form.text = as_json(version.body)
        return form

    def body_of(self, version: Any) -> Any:
        """Return the config."""
        return version.body

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it, and its text as the newest version."""
        super().save_model(request, obj, form, change)
        save_config(obj, form.cleaned_data["body"], by=request.user)
