"""Saved configs: a text of JSON that is sound when it is saved, and its versions to read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from llmgateway_django.admin.fields import as_json
from llmgateway_django.admin.scope import ScopedAdmin, ScopedForm
from llmgateway_django.configs import check_config, save_config
from llmgateway_django.models import SavedConfig

__all__ = ["SavedConfigAdmin"]

_VERSIONS_A_PAGE = 20


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
class SavedConfigAdmin(ScopedAdmin):
    """Versions never change, so an earlier one is restored by saving it again."""

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
        number = request.GET.get("version")
        if obj is not None and number is not None and request.method == "GET":
            version = obj.versions.filter(number=number).first() if _is_number(number) else None
            if version is None:
                raise Http404
            form.text = as_json(version.body)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it, and its text as the newest version."""
        super().save_model(request, obj, form, change)
        save_config(obj, form.cleaned_data["body"], by=request.user)

    def get_urls(self) -> Any:
        """Add the page of versions."""
        view = self.admin_site.admin_view(self.versions_view)
        own = path("<path:object_id>/versions/", view, name="llmgateway_savedconfig_versions")
        return [own, *super().get_urls()]

    def versions_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what it has said, the newest first."""
        config: Any = self.get_object(request, unquote(object_id))
        if not self.has_view_or_change_permission(request, config):
            raise PermissionDenied
        pages = Paginator(config.versions.all(), _VERSIONS_A_PAGE)
        page = pages.get_page(request.GET.get("p"))
        names = _names_of({version.created_by for version in page if version.created_by})
        versions = [
            (version, as_json(version.body), names.get(version.created_by, version.created_by))
            for version in page
        ]
        return self.page(
            request,
            "versions.html",
            config,
            title=_("Versions"),
            versions=versions,
            page=page,
            may_restore=self.has_change_permission(request, config),
        )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _names_of(ids: set[str]) -> dict[str, str]:
    """Return the names of users by what `str` makes of their ids."""
    users = get_user_model()._base_manager.filter(pk__in=ids)
    return {str(user.pk): user.get_username() for user in users}
