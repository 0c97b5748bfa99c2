"""The form of a guardrail: a section for each check, with a field for each of its parameters.

It needs no JavaScript. A check that is chosen here gets its parameters as JSON; once it is saved,
or asked for by the address (`?check=default.contains`), there is a field for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from llmgateway.guardrails import Checks
from llmgateway_django.admin.check_fields import (
    fields_of_check,
    given,
    help_of,
    initial_of,
)
from llmgateway_django.admin.fields import LongJSONField
from llmgateway_django.admin.scope import ScopedForm
from llmgateway_django.guardrail_faults import faults_of, in_words
from llmgateway_django.guardrails import check_guardrail_json

__all__ = ["GuardrailForm", "Row", "form_of", "rows_of", "rows_posted", "sections_of"]

MAX_CHECKS = 50
_BLANK = 2
"""Sections for checks to come."""
_ACTIONS = gettext_lazy(
    "JSON. What becomes of a call: deny, async, sequential, on_success, on_fail; and scope "
    "(last, all, system, tool_results, tool_arguments), stream_mode (hold, window, monitor), "
    "timeout_ms, fail_on_error (a check that fails to decide counts as failed; here it does "
    "unless this is false)."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One section of the form."""

    check: str = ""
    """The check's id; empty: it is to be chosen."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_enabled: bool = True
    has_fields: bool = False
    """Whether its parameters are fields, and not a text of JSON."""


class GuardrailForm(ScopedForm):
    """What all guardrails have. `form_of` adds the sections."""

    actions = LongJSONField(
        label=gettext_lazy("Actions"),
        required=False,
        initial={"deny": True},
        help_text=_ACTIONS,
    )
    rows: Sequence[Row] = ()
    checks: Checks = Checks()
    known_actions: Any = None
    """Those of the version that is shown."""
    body: Mapping[str, Any] = {}
    """What is to be saved, once the form is clean."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.known_actions is not None:
            self.initial["actions"] = self.known_actions

    def clean(self) -> Any:
        """Check the guardrail as calls will run it; a fault stands at the field that it is of."""
        data: Any = super().clean()
        stated = [(number, self._check(number)) for number, _row in enumerate(self.rows)]
        stated = [(number, check) for number, check in stated if check is not None]
        if self.errors:
            return data
        actions = data.get("actions")
        body = {
            "checks": [check for _number, check in stated],
            "actions": {} if actions is None else actions,
        }
        try:
            self.body = check_guardrail_json(body)
        except ValidationError as error:
            self.add_error(None, error)
            return data
        for path, words in faults_of(self.body):
            self._add_fault(path, words, [number for number, _check in stated])
        return data

    def _check(self, number: int) -> dict[str, Any] | None:
        """Return what one section says."""
        data = self.cleaned_data
        id_, row = data.get(f"check_{number}"), self.rows[number]
        parameters = data.get(f"parameters_{number}")
        if not id_:
            if parameters:
                self.add_error(f"check_{number}", _("Choose the check of these parameters."))
            return None
        if row.has_fields:
            check = self.checks[row.check]
            names = fields_of_check(check)
            read = {name: data.get(_parameter(number, name)) for name in names}
            parameters = given(check, read)
        stated = {"id": id_, "parameters": {} if parameters is None else parameters}
        return stated if data.get(f"enabled_{number}") else {**stated, "is_enabled": False}

    def _add_fault(self, path: str, words: str, numbers: Sequence[int]) -> None:
        """Put a fault at its field: `checks[0].parameters.words` at that of the first check."""
        head, _dot, rest = path.partition("].")
        index = head.removeprefix("checks[")
        place: str | None = "actions" if path.startswith("actions") else None
        if (
            head != index
            and index.rstrip("]").isdecimal()
            and int(index.rstrip("]")) < len(numbers)
        ):
            number = numbers[int(index.rstrip("]"))]
            name = rest.removeprefix("parameters").lstrip(".").partition(".")[0].partition("[")[0]
            asked = (_parameter(number, name), f"parameters_{number}", f"check_{number}")
            place = next(one for one in asked if one in self.fields)
        self.add_error(place, in_words(path, words))


def rows_of(checks: Any, known: Checks, asked: Sequence[str]) -> list[Row]:
    """Return the sections of a version, of checks that are asked for, and blank ones."""
    rows = [_row_of(check, known) for check in checks]
    rows += [Row(known[id_].id, has_fields=True) for id_ in asked if id_ in known]
    return [*rows[:MAX_CHECKS], *([Row()] * _BLANK)]


def rows_posted(data: Mapping[str, Any], known: Checks) -> list[Row]:
    """Return the sections that a form was sent with."""
    rows: list[Row] = []
    while len(rows) < MAX_CHECKS + _BLANK and f"check_{len(rows)}" in data:
        number = len(rows)
        id_ = str(data.get(f"fields_{number}") or "")
        is_known = id_ in known and known[id_].id == id_
        chosen = id_ if is_known else str(data[f"check_{number}"])
        rows.append(Row(chosen if chosen in known else "", has_fields=is_known))
    return rows


def form_of(
    rows: Sequence[Row], known: Checks, actions: Mapping[str, Any] | None
) -> type[GuardrailForm]:
    """Return the form with these sections."""
    fields = {
        name: made for number, row in enumerate(rows) for name, made in _fields(number, row, known)
    }
    more = {"rows": tuple(rows), "checks": known, "known_actions": actions}
    return type("_GuardrailForm", (GuardrailForm,), {**fields, **more})


def sections_of(rows: Sequence[Row], known: Checks) -> list[tuple[str, dict[str, Any]]]:
    """Return the sections as an admin page has them."""
    sections = []
    for number, row in enumerate(rows):
        names = [name for name, _made in _fields(number, row, known)]
        title = _("Check %(number)d") % {"number": number + 1}
        about = help_of(known[row.check]) if row.check in known else ""
        sections.append((title, {"fields": names, "description": about}))
    return sections


def _row_of(check: Any, known: Checks) -> Row:
    if not isinstance(check, Mapping):  # written past the form
        return Row()
    id_, parameters = str(check.get("id", "")), check.get("parameters") or {}
    is_enabled = check.get("is_enabled") is not False
    if id_ in known and isinstance(parameters, Mapping):
        initial = initial_of(known[id_], parameters)
        if initial is not None:
            return Row(known[id_].id, initial, is_enabled, has_fields=True)
    return Row(id_, parameters, is_enabled)


def _fields(number: int, row: Row, known: Checks) -> Iterator[tuple[str, forms.Field]]:
    ids = [row.check] if row.has_fields else sorted({*known, row.check} - {""})
    nothing = _("(no check: it goes)") if row.has_fields else "---------"
    yield (
        f"check_{number}",
        forms.ChoiceField(
            label=_("Check"),
            choices=[("", nothing), *((id_, id_) for id_ in ids)],
            initial=row.check,
            required=False,
        ),
    )
    yield (
        f"enabled_{number}",
        forms.BooleanField(label=_("Enabled"), initial=row.is_enabled, required=False),
    )
    if not row.has_fields:
        yield (
            f"parameters_{number}",
            LongJSONField(
                label=_("Parameters"),
                initial=row.parameters or None,
                required=False,
                help_text=_("JSON. What each check takes is told below."),
            ),
        )
        return
    for name, made in fields_of_check(known[row.check]).items():
        if name in row.parameters:
            made.initial = row.parameters[name]
        yield _parameter(number, name), made
    hidden = forms.CharField(initial=row.check, required=False, widget=forms.HiddenInput)
    yield f"fields_{number}", hidden


def _parameter(number: int, name: str) -> str:
    return f"parameter_{number}_{name}"
