"""Pages of what is only ever looked at, and may have millions of rows: nothing counts them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from llmgateway_django.admin.scope import ScopedAdmin
from llmgateway_django.models import Workspace

__all__ = ["MAX_COUNT", "ReadOnlyAdmin", "table"]

MAX_COUNT = 10_000


class _CappedPaginator(Paginator):
    """Pages through the newest rows; older ones are found by what is looked up exactly."""

    @cached_property
    def count(self) -> int:
        """How many rows there are to page through, at most `MAX_COUNT`."""
        return int(self.object_list[:MAX_COUNT].count())


class ReadOnlyAdmin(ScopedAdmin):
    """The newest first, by id. A row names its workspace by the id as text."""

    fixed_fields = ()
    ordering = ("-id",)
    sortable_by = ()
    paginator = _CappedPaginator
    show_full_result_count = False
    list_per_page = 50

    def of_workspaces(self, queryset: Any, workspaces: Any) -> Any:
        """Return the rows of these workspaces; those of none are for superusers."""
        # Read first: a log may be in another database.
        return queryset.filter(
            workspace__in=[str(pk) for pk in workspaces.values_list("pk", flat=True)]
        )

    @admin.display(description=_("workspace"))
    def workspace_name(self, row: Any) -> str:
        """Return the workspace's name, or its id where it is gone."""
        try:
            found = Workspace.objects.filter(pk=row.workspace or None).first()
        except (ValueError, ValidationError):  # the host's own word, which is no id of ours
            found = None
        return str(found or row.workspace)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows come by themselves."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What has been is so."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Commands delete old ones, if anything does."""
        return False


def table(heads: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows of values as HTML that shows just these, whatever they say."""
    html: str = format_html(
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>",
        format_html_join("", "<th>{}</th>", ((head,) for head in heads)),
        format_html_join("", "<tr>{}</tr>", ((_cells(row),) for row in rows)),
    )
    return html


def _cells(row: Sequence[Any]) -> str:
    html: str = format_html_join("", "<td>{}</td>", (("" if v is None else v,) for v in row))
    return html
