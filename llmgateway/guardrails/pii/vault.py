"""Values and what stands in their place, for one request: masked on the way out, restored back.

A vault lives as long as its request, in memory. One value has one placeholder everywhere in it, so
that a model can tell values apart and speak of them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from llmgateway.guardrails.pii.find import Looked, Span, find
from llmgateway.guardrails.pii.shapes import KINDS

__all__ = [
    "LONGEST_PLACEHOLDER",
    "MAX_VALUES",
    "PLACEHOLDER",
    "QUOTED",
    "REDACTED",
    "Found",
    "Vault",
]

MAX_VALUES = 1000
"""Of one vault; what is found beyond is masked for good."""
REDACTED = "[REDACTED]"
PLACEHOLDER = re.compile(r"\[([A-Za-z][A-Za-z0-9_]{0,40}_[0-9]{1,9})\]")
QUOTED = re.compile(r'"\[([A-Za-z][A-Za-z0-9_]{0,40}_[0-9]{1,9})\]"')
"""As all of a string of JSON."""
LONGEST_PLACEHOLDER = 54
_DEEPEST = 32
_SHORTEST = 4
"""A shorter value would be found in innocent words."""
_DEFAULT = Looked()


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str = field(repr=False)
    is_bare: bool = False
    """Whether it is a number of JSON."""


@dataclass(slots=True)
class Found:
    """What was found, without the values: for `hook_results`."""

    counts: dict[str, int] = field(default_factory=dict)
    """By kind."""
    details: dict[str, int] = field(default_factory=dict)
    """Of secrets, by vendor."""

    def add(self, spans: list[Span]) -> None:
        """Count some more."""
        for span in spans:
            self.counts[span.kind] = self.counts.get(span.kind, 0) + 1
            if span.detail:
                self.details[span.detail] = self.details.get(span.detail, 0) + 1


class Vault:
    """The values of one request."""

    def __init__(self, looked: Looked = _DEFAULT, max_values: int = MAX_VALUES) -> None:
        self.looked = looked
        """What `mask` looks for where it is not told."""
        self._max_values = max_values
        self._placeholders: dict[tuple[str, _Kept], str] = {}
        self._values: dict[str, _Kept] = {}
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._has_bare = False
        self._gone: dict[str, str] = {}
        """What was masked for good, and its mark: the log must not tell it either."""
        # Checks of one request may run in threads beside one another.
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<Vault of {len(self._values)} values>"

    def __len__(self) -> int:
        return len(self._values)

    @property
    def has_bare(self) -> bool:
        """Whether a number of JSON is among the values, whose placeholder got quotes."""
        return self._has_bare

    def reserve(self, text: str) -> None:
        """Keep clear of what looks like a placeholder here: it will never stand for a value.

        To be called with all texts of a request before the first is masked (`mask` does so for its
        own). What this vault has given out stays.
        """
        if "[" in text:
            names = {match[1].upper() for match in PLACEHOLDER.finditer(text)}
            with self._lock:
                self._taken |= names - self._values.keys()

    def mask(
        self,
        text: str,
        is_json: bool = False,
        *,
        looked: Looked | None = None,
        is_reversible: bool = True,
        found: Found | None = None,
    ) -> str:
        """Return a text with placeholders; the same object where there is nothing to mask.

        `is_json`: the text is JSON and stays so. `found` gets what was found added.
        """
        looked = looked or self.looked
        self.reserve(text)
        if is_json and looked.recogniser is not None and (value := _parsed(text)) is not None:
            changed = self.mask_json(value, looked=looked, is_reversible=is_reversible, found=found)
            return text if changed == value else json.dumps(changed, ensure_ascii=False)
        return self.put(text, find(text, looked, is_json), is_json, is_reversible, found)

    def put(
        self,
        text: str,
        spans: list[Span],
        is_json: bool = False,
        is_reversible: bool = True,
        found: Found | None = None,
    ) -> str:
        """Return a text with a placeholder in the place of each span."""
        if not spans:
            return text
        if found is not None:
            found.add(spans)
        pieces: list[str] = []
        end = 0
        for span in spans:
            mark = f"[{span.kind}]"
            if is_reversible:
                with self._lock:
                    mark = self._mark(span, is_json)
            elif len(self._gone) < self._max_values:
                self._gone[_unescaped(span.value) if is_json else span.value] = mark
            pieces += (text[end : span.start], f'"{mark}"' if span.is_bare else mark)
            end = span.end
        return "".join([*pieces, text[end:]])

    def _mark(self, span: Span, is_json: bool) -> str:
        value = _unescaped(span.value) if is_json and not span.is_bare else span.value
        kept = _Kept(value, span.is_bare)
        known = self._placeholders.get((span.kind, kept))
        if known is not None:
            return known
        if len(self._values) >= self._max_values:
            return REDACTED
        number = self._numbers.get(span.kind, 0) + 1
        while f"{span.kind}_{number}" in self._taken:
            number += 1
        self._numbers[span.kind] = number
        name = f"{span.kind}_{number}"
        self._values[name] = kept
        self._has_bare = self._has_bare or span.is_bare
        mark = self._placeholders[span.kind, kept] = f"[{name}]"
        return mark

    def look_for(self, looked: Looked) -> None:
        """Look for this too from now on where nobody says what for; a recogniser is not asked."""
        with self._lock:
            kinds = self.looked.kinds | (looked.kinds & KINDS.keys())
            regions = tuple(dict.fromkeys((*self.looked.regions, *looked.regions)))
            self.looked = Looked(kinds, regions)

    def scrub(self, value: Any, looked: Looked | None = None) -> Any:
        """Return a text, or JSON, for the log: masked, and without all that was found elsewhere.

        So what a check knew by its surroundings, or by a recogniser, is gone as well.
        """
        if isinstance(value, str):
            return self._without_known(self.mask(value, looked=looked))
        return _mapped(self.mask_json(value, looked=looked), self._without_known, 0)

    def _without_known(self, text: str) -> str:
        with self._lock:
            known = [(kept.value, f"[{name}]") for name, kept in self._values.items()]
            known += self._gone.items()
        known.sort(key=lambda pair: -len(pair[0]))
        for value, mark in known:
            for form in (value, _escaped(value)):
                if len(form) >= _SHORTEST and form in text:
                    text = text.replace(form, mark)
        return text

    def restore(self, text: str, is_json: bool = False) -> str:
        """Return a text with the values back; `is_json`: escaped as its strings want it.

        Placeholders count in any case of letters; others stay.
        """
        if not self._values or "[" not in text:
            return text
        if is_json and self._has_bare:
            text = QUOTED.sub(self._bare, text)
        return PLACEHOLDER.sub(self._json_value if is_json else self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        kept = self._values.get(match[1].upper())
        return match[0] if kept is None else kept.value

    def _json_value(self, match: re.Match[str]) -> str:
        kept = self._values.get(match[1].upper())
        return match[0] if kept is None else _escaped(kept.value)

    def _bare(self, match: re.Match[str]) -> str:
        kept = self._values.get(match[1].upper())
        return kept.value if kept is not None and kept.is_bare else match[0]

    def may_begin(self, tail: str) -> bool:
        """Tell whether a placeholder given out goes on from this beginning of one."""
        begun = tail[1:].upper()
        with self._lock:
            return any(name.startswith(begun) for name in self._values)

    def mask_json(
        self,
        value: Any,
        *,
        looked: Looked | None = None,
        is_reversible: bool = True,
        found: Found | None = None,
    ) -> Any:
        """Return JSON with its strings, names and numbers masked; the value given stays as it is.

        A string that is itself JSON is masked as such. Deeper than 32, all is `[REDACTED]`.
        """
        looked = looked or self.looked
        self._reserve_all(value, 0)

        def masked(text: str) -> str:
            is_json = text[:1] in ("{", "[") and _parsed(text) is not None
            return self.mask(text, is_json, looked=looked, is_reversible=is_reversible, found=found)

        return _mapped(value, masked, 0)

    def _reserve_all(self, value: Any, depth: int) -> None:
        if isinstance(value, str):
            self.reserve(value)
        elif depth < _DEEPEST and isinstance(value, dict):
            for name, item in value.items():
                self.reserve(str(name))
                self._reserve_all(item, depth + 1)
        elif depth < _DEEPEST and isinstance(value, list | tuple):
            for item in value:
                self._reserve_all(item, depth + 1)

    def restore_json(self, value: Any) -> Any:
        """Return JSON with the values back in its strings and names."""

        def restored(text: str) -> str:
            is_json = text[:1] in ("{", "[") and _parsed(text) is not None
            return self.restore(text, is_json)

        return _mapped(value, restored, 0)


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except (ValueError, RecursionError):
        return None


def _unescaped(value: str) -> str:
    try:
        plain = json.loads(f'"{value}"', strict=False)
    except ValueError:
        return value
    return plain if isinstance(plain, str) else value


def _escaped(value: str) -> str:
    # Half a surrogate pair cannot be sent as it is.
    is_plain = value.isprintable() or not any("\ud800" <= sign <= "\udfff" for sign in value)
    return json.dumps(value, ensure_ascii=not is_plain)[1:-1]


def _mapped(value: Any, change: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        spelled = repr(value)
        changed = change(spelled) if len(spelled) >= 7 else spelled
        return value if changed == spelled else changed
    if depth == _DEEPEST:
        return REDACTED
    if isinstance(value, dict):
        return {change(str(name)): _mapped(item, change, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change, depth + 1) for item in value]
    return change(str(value))
