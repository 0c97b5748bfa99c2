"""The request log, to be read only. It may have millions of rows, so nothing here counts them all.

Measured with such a log: counts, date hierarchies and filters with DISTINCT are what costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.utils.timezone import template_localtime
from django.utils.translation import gettext_lazy as _

from llmgateway_django.admin.fields import as_json, pre
from llmgateway_django.admin.readonly import ReadOnlyAdmin, table
from llmgateway_django.models import APIKey, RequestBody, RequestLog

__all__ = ["RequestLogAdmin"]


class _Outcome(admin.SimpleListFilter):
    """Whether requests failed."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choices."""
        return [("ok", _("answered")), ("failed", _("failed"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the rows of the choice."""
        match self.value():
            case "ok":
                return queryset.filter(status__lt=400)
            case "failed":
                return queryset.filter(status__gte=400)
        return queryset


@admin.register(RequestLog)
class RequestLogAdmin(ReadOnlyAdmin):
    """The newest first, by id; a trace id is looked up exactly."""

    list_display = (
        "started",
        "status",
        "endpoint",
        "model",
        "provider",
        "caller",
        "duration",
        "tokens",
    )
    list_filter = (_Outcome,)
    search_fields = ("trace_id__exact",)
    search_help_text = _("A whole trace id.")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what there is to say of a request, and its bodies where the user may read them."""
        shown = [(title, {"fields": fields}) for title, fields in _DETAILS]
        if obj is None or not request.user.has_perm("llmgateway.view_requestbody"):
            return shown
        if _body_of(obj) is None:
            return shown
        return [*shown, (_("Bodies"), {"fields": ("request_body", "response_body")})]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list, with the names of its keys: the log may be in another database."""
        changes = super().get_changelist_instance(request)
        ids = filter(None, {_key_id(row.principal) for row in changes.result_list})
        keys = APIKey.objects.filter(pk__in=list(ids)).only("name", "workspace")
        names = {(key.principal_id, str(key.workspace_id)): key.name for key in keys}
        for row in changes.result_list:
            row.caller_name = names.get((row.principal, row.workspace), row.principal)
        return changes

    @admin.display(description=_("started at"))
    def started(self, row: RequestLog) -> str:
        """Return the moment to the second: a minute has many requests."""
        return f"{template_localtime(row.started_at):%Y-%m-%d %H:%M:%S}"

    @admin.display(description=_("caller"))
    def caller(self, row: Any) -> str:
        """Return the key's name, or what else the log calls the caller."""
        return str(row.caller_name)

    @admin.display(description=_("ms"))
    def duration(self, row: RequestLog) -> str:
        """Return the duration in whole milliseconds."""
        return f"{row.duration_ms:.0f}"

    @admin.display(description=_("duration in ms"))
    def shown_duration(self, row: RequestLog) -> Any:
        """Return the duration, rounded."""
        return _rounded(row.duration_ms)

    @admin.display(description=_("first byte after ms"))
    def shown_first_byte(self, row: RequestLog) -> Any:
        """Return it, rounded, where a byte came."""
        return "-" if row.first_byte_ms is None else _rounded(row.first_byte_ms)

    @admin.display(description=_("tokens in, out"))
    def tokens(self, row: RequestLog) -> str:
        """Return the two figures that tell a request's size."""
        return f"{row.input_tokens}, {row.output_tokens}"

    @admin.display(description=_("cost in dollars"))
    def cost(self, row: RequestLog) -> str:
        """Return the cost with all its digits."""
        nano = row.cost_nano
        return str(_("unknown")) if nano is None else f"{nano // 10**9}.{nano % 10**9:09d}"

    @admin.display(description=_("tries"))
    def tries(self, row: RequestLog) -> str:
        """Return the tries at providers as a table, the first one first."""
        heads = [title for _name, title in _TRY]
        tries = [[_rounded(one.get(name)) for name, _title in _TRY] for one in row.attempts]
        return table(heads, tries) if tries else ""

    @admin.display(description=_("guardrails"))
    def guardrails(self, row: RequestLog) -> str:
        """Return what guardrails and their checks decided, in the order in which they ran."""
        rows = list(_decisions(row.hook_results))
        return table(_DECISION, rows) if rows else ""

    @admin.display(description=_("metadata"))
    def shown_metadata(self, row: RequestLog) -> str:
        """Return the metadata as text."""
        return pre(as_json(row.metadata)) if row.metadata else ""

    @admin.display(description=_("parameters left out"))
    def shown_dropped(self, row: RequestLog) -> str:
        """Return the names of those that the target has no place for."""
        return ", ".join(map(str, row.dropped))

    @admin.display(description=_("parameters changed"))
    def shown_adjusted(self, row: RequestLog) -> str:
        """Return the names of those that the target has otherwise."""
        return ", ".join(map(str, row.adjusted))

    @admin.display(description=_("request"))
    def request_body(self, row: RequestLog) -> str:
        """Return what the client sent, as text whatever it says."""
        return pre(_body_of(row).request)

    @admin.display(description=_("answer"))
    def response_body(self, row: RequestLog) -> str:
        """Return what it was answered, as text whatever it says."""
        return pre(_body_of(row).response)


_DETAILS = (
    (None, ("trace_id", "status", "error", "method", "path", "endpoint", "stream")),
    (_("Who"), ("principal", "user", "workspace_name")),
    (_("Where to"), ("provider", "model", "target", "tries")),
    (_("What it passed"), ("guardrails",)),
    (_("Time"), ("started", "shown_duration", "shown_first_byte")),
    (
        _("Tokens"),
        (
            "input_tokens",
            "input_audio_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "cache_write_1h_tokens",
            "output_tokens",
            "output_audio_tokens",
            "reasoning_tokens",
            "usage_source",
            "cost",
        ),
    ),
    (_("More"), ("shown_metadata", "shown_dropped", "shown_adjusted")),
)
_TRY = (
    ("target", _("target")),
    ("provider", _("provider")),
    ("status", _("status")),
    ("error", _("error")),
    ("duration_ms", _("duration in ms")),
    ("resent", _("resent")),
)
_DECISION = (_("when"), _("guardrail"), _("check"), _("verdict"), _("duration in ms"), _("error"))
_PHASES = {
    "before_request_hooks": _("request"),
    "after_request_hooks": _("answer"),
}


def _decisions(results: Any) -> Iterator[Sequence[Any]]:
    """Yield a row of the table for each guardrail, and then one for each check of it."""
    if not isinstance(results, dict):
        return
    for phase, hooks in results.items():
        for hook in hooks:
            when, duration = _PHASES.get(phase, phase), _rounded(hook.get("execution_time"))
            yield when, hook.get("id"), "", _verdict_of(hook), duration, ""
            for check in hook.get("checks", ()):
                duration = _rounded(check.get("execution_time"))
                verdict, error = _verdict_of(check), check.get("error")
                yield "", "", check.get("id"), verdict, duration, error


def _verdict_of(result: dict[str, Any]) -> Any:
    if result.get("deny"):
        return _("denied")
    return _("passed") if result.get("verdict") else _("failed")


def _rounded(value: Any) -> Any:
    """Return a figure with as many digits as clocks are good for; anything else as it is."""
    return round(value, 2) if isinstance(value, float) else value


def _key_id(principal: str) -> UUID | None:
    """Return the id of a key of the database; keys of the settings have names."""
    try:
        return UUID(principal.removeprefix("key:"))
    except ValueError:
        return None


def _body_of(row: Any) -> Any:
    """Return the bodies that are kept of a request, or None; read once a page."""
    if "kept_body" not in row.__dict__:
        bodies = RequestBody.objects.using(row._state.db)
        row.kept_body = bodies.filter(pk=row.pk).first()
    return row.kept_body
