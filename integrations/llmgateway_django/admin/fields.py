"""Form fields of the gateway's pages: lists as one name a line, and JSON that people can read."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.translation import gettext as _

from llmgateway.settings import parse_network

__all__ = [
    "MAX_METADATA_CHARS",
    "AddressesField",
    "DemandsField",
    "LinesField",
    "LongJSONField",
    "MetadataField",
    "as_json",
    "pre",
]

MAX_METADATA_CHARS = 128
"""Of a value, as Portkey has it."""


class LinesField(forms.CharField):
    """A list of texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 60})

    def __init__(self, *, encoder: Any = None, decoder: Any = None, **kwargs: Any) -> None:
        # The column is JSON, whose form field has these two.
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Return a list as lines."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the lines that say something. Raises `ValidationError` with the line's number."""
        if isinstance(value, list):
            return value
        lines = enumerate(super().to_python(value).splitlines(), start=1)
        return [self.to_name(line.strip(), number) for number, line in lines if line.strip()]

    def to_name(self, line: str, number: int) -> str:
        """Return what one line stands for."""
        if not line.isprintable():
            raise ValidationError(
                _("Line %(number)d: give printable characters alone."), params={"number": number}
            )
        return line

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare lists, whatever the white space."""
        try:
            return bool((initial or []) != self.to_python(data))
        except ValidationError:
            return True


class AddressesField(LinesField):
    """A list of addresses and networks."""

    def to_name(self, line: str, number: int) -> str:
        """Return the network in its usual form."""
        try:
            return str(parse_network(line))
        except ValueError:
            raise ValidationError(
                _(
                    "Line %(number)d: give an address or a network, such as 192.0.2.0/24 or "
                    "2001:db8::/32, with no bit set beyond the prefix."
                ),
                params={"number": number},
            ) from None


class LongJSONField(forms.JSONField):
    """JSON on several lines."""

    widget = forms.Textarea(
        attrs={"rows": 4, "cols": 60, "spellcheck": "false", "style": "font-family: monospace"}
    )

    def prepare_value(self, value: Any) -> Any:
        """Return a value as people read it, nothing as nothing, and what was no JSON as it came."""
        if isinstance(value, forms.fields.InvalidJSONInput):
            return value
        return "" if value in (None, []) else as_json(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was posted, as a value if it is one."""
        return super().bound_data(data, initial) if data else None


class DemandsField(LongJSONField):
    """A list of guardrails as configs have it."""

    def clean(self, value: Any) -> Any:
        """Return a list, empty where nothing is said. Forms check what it names."""
        return super().clean(value) or []


class MetadataField(forms.JSONField):
    """An object of short texts."""

    def validate(self, value: Any) -> None:
        """Raise `ValidationError` that names what is none."""
        super().validate(value)
        if value is None:
            return
        if not isinstance(value, dict):
            raise ValidationError(_('Give an object of texts, such as {"team": "search"}.'))
        for name, text in value.items():
            if not (_is_short(name) and _is_short(text)):
                raise ValidationError(
                    _(
                        "%(name)s: names and values are texts of at most %(most)d characters, "
                        "all of them printable."
                    ),
                    params={"name": name[:MAX_METADATA_CHARS], "most": MAX_METADATA_CHARS},
                )

    def clean(self, value: Any) -> Any:
        """Return an object, empty where nothing is said."""
        return super().clean(value) or {}


def _is_short(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= MAX_METADATA_CHARS and text.isprintable()


def as_json(value: Any) -> str:
    """Return a value as JSON of many lines, in an order that two versions share."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)


def pre(text: str) -> str:
    """Return text as HTML that shows just that, whatever it says."""
    style = "white-space: pre-wrap; overflow-wrap: anywhere"
    html: str = format_html('<pre style="{}">{}</pre>', style, text)
    return html
