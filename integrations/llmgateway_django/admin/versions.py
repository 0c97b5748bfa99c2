"""Pages of what has versions: all of them to read, and an earlier one to edit from."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from llmgateway_django.admin.fields import as_json
from llmgateway_django.admin.scope import ScopedAdmin

__all__ = ["VersionedAdmin"]

_VERSIONS_A_PAGE = 20


class VersionedAdmin(ScopedAdmin):
    """Versions never change, so an earlier one is restored by saving it again."""

    def body_of(self, version: Any) -> Any:
        """Return what a version says, as JSON."""
        raise NotImplementedError

    def version_asked(self, request: HttpRequest, obj: Any) -> Any:
        """Return the version that the address asks to begin with, or None where it asks for none.

        Raises `Http404` for one that is not there.
        """
        number = request.GET.get("version")
        if obj is None or number is None or request.method != "GET":
            return None
        version = obj.versions.filter(number=number).first() if _is_number(number) else None
        if version is None:
            raise Http404
        return version

    def get_urls(self) -> Any:
        """Add the page of versions."""
        view = self.admin_site.admin_view(self.versions_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_versions"
        return [path("<path:object_id>/versions/", view, name=name), *super().get_urls()]

    def versions_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what it has said, the newest first."""
        obj: Any = self.get_object(request, unquote(object_id))
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        pages = Paginator(obj.versions.all(), _VERSIONS_A_PAGE)
        page = pages.get_page(request.GET.get("p"))
        names = _names_of({version.created_by for version in page if version.created_by})
        versions = [
            (one, as_json(self.body_of(one)), names.get(one.created_by, one.created_by))
            for one in page
        ]
        return self.page(
            request,
            "versions.html",
            obj,
            title=_("Versions"),
            versions=versions,
            page=page,
            may_restore=self.has_change_permission(request, obj),
        )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _names_of(ids: set[str]) -> dict[str, str]:
    """Return the names of users by what `str` makes of their ids."""
    users = get_user_model()._base_manager.filter(pk__in=ids)
    return {str(user.pk): user.get_username() for user in users}
