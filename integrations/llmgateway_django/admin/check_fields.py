"""Form fields of a check's parameters, as its schema says, and the help beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.translation import gettext as _

from llmgateway.guardrails import Check, ParameterFault
from llmgateway_django.admin.fields import LinesField, LongJSONField, as_json

__all__ = ["fields_of_check", "given", "help_of", "initial_of"]

_TEXT = forms.Textarea(attrs={"rows": 2, "cols": 60})


class _TextField(forms.CharField):
    """A text, whose lines end as they do everywhere but in forms."""

    widget = _TEXT

    def to_python(self, value: Any) -> Any:
        """Return the text."""
        return super().to_python(value).replace("\r\n", "\n")


def fields_of_check(check: Check) -> dict[str, forms.Field]:
    """Return a field for each parameter, by the name that configs have for it."""
    schema = check.schema()
    needed = schema.get("required", ())
    return {
        name: _field_of(name, _plain(part, schema), part, is_needed=name in needed)
        for name, part in schema.get("properties", {}).items()
    }


def initial_of(check: Check, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the fields begin with; None for parameters that they cannot show unchanged."""
    fields = fields_of_check(check)
    names = {_key(name): name for name in fields}
    initial = {names.get(_key(name), name): value for name, value in parameters.items()}
    if len(initial) != len(parameters) or not initial.keys() <= fields.keys():
        return None
    try:
        read = {
            name: field.clean(_as_posted(field, initial.get(name, field.initial)))
            for name, field in fields.items()
        }
        before, after = check.bind(parameters), check.bind(given(check, read))
    except (ParameterFault, forms.ValidationError):
        return None
    return initial if before.arguments == after.arguments else None


def given(check: Check, read: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that fields state: those that are not as without them."""
    parts = check.schema().get("properties", {})
    return {
        name: value
        for name, value in read.items()
        if value not in (None, "", [])
        and not ("default" in parts[name] and _is_same(value, parts[name]["default"]))
    }


def help_of(check: Check) -> str:
    """Return what a check is for and takes, as HTML."""
    schema = check.schema()
    needed = schema.get("required", ())
    rows = (
        (name, _kind_of(part, schema), _default_of(part, name in needed), _words_of(part))
        for name, part in schema.get("properties", {}).items()
    )
    html: str = format_html(
        "<p>{}</p><ul>{}</ul>",
        schema.get("description", ""),
        format_html_join("", "<li><code>{}</code> ({}; {}) {}</li>", rows),
    )
    return html


def _field_of(
    name: str, kind: Mapping[str, Any], part: Mapping[str, Any], *, is_needed: bool
) -> forms.Field:
    shown: dict[str, Any] = {
        "label": name,
        "required": False,  # what is missing is the check's to say
        # The admin shows help as HTML.
        "help_text": str(conditional_escape(f"{_words_of(part)} {_default_of(part, is_needed)}")),
    }
    choices = kind.get("enum")
    if choices and all(isinstance(one, str) for one in choices):
        options = [("", "---------"), *((one, one) for one in choices)]
        return forms.ChoiceField(choices=options, **shown)
    match kind.get("type"):
        case "boolean":
            return forms.BooleanField(initial=bool(part.get("default")), **shown)
        case "integer":
            return forms.IntegerField(**shown)
        case "number":
            return forms.FloatField(**shown)
        case "string":
            return _TextField(strip=False, **shown)
        case "array" if kind.get("items", {}).get("type") == "string":
            shown["help_text"] = f"{shown['help_text']} {conditional_escape(_('One a line.'))}"
            return LinesField(**shown)
    shown["help_text"] = f"{shown['help_text']} {conditional_escape(_('JSON.'))}"
    return LongJSONField(**shown)


def _plain(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a part is, without a reference before it and without `null` beside it."""
    kinds = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    if len(kinds) == 1:
        part = kinds[0]
    reference = part.get("$ref", "").removeprefix("#/$defs/")
    found: Mapping[str, Any] = schema.get("$defs", {}).get(reference, part)
    return found


def _kind_of(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind = _plain(part, schema)
    if "enum" in kind:
        return ", ".join(map(str, kind["enum"]))
    either = f" {_('or')} "
    if "anyOf" in kind:
        return either.join(_kind_of(one, schema) for one in kind["anyOf"])
    name = kind.get("type", _("any JSON"))
    return either.join(name) if isinstance(name, list) else str(name)


def _default_of(part: Mapping[str, Any], is_needed: bool) -> str:
    if is_needed:
        return str(_("Needed."))
    default = part.get("default")
    return "" if default is None else str(_("Default: %s.")) % as_json(default)


def _words_of(part: Mapping[str, Any]) -> str:
    return str(part.get("description", ""))


def _as_posted(field: forms.Field, value: Any) -> Any:
    """Return a value as a browser would send it back."""
    shown = field.prepare_value(value)
    if isinstance(field, forms.BooleanField | LinesField | LongJSONField):
        return shown
    return "" if shown is None else str(shown).replace("\n", "\r\n")


def _is_same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _key(name: str) -> str:
    return name.replace("_", "").lower()
