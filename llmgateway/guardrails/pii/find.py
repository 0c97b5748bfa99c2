"""Personal data in a text: where it stands, of which kind it is.

`find` is linear in the text. A long text is searched in pieces (`cuts.py`), cut where nothing can
go across, so that a stream that is cut there gives the same.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from llmgateway.guardrails.pii.cuts import MAX_PIECE, forced_cut, safe_cut
from llmgateway.guardrails.pii.patterns import FINDERS, Candidate, secrets
from llmgateway.guardrails.pii.phones import Asker, phones
from llmgateway.guardrails.pii.shapes import KINDS
from llmgateway.guardrails.pii.view import View, view_of

__all__ = ["Looked", "Recogniser", "Search", "Span", "find"]


@dataclass(frozen=True, slots=True)
class Span:
    """One value and where it stands, in characters of the raw text."""

    start: int
    end: int
    kind: str
    value: str = field(repr=False)
    """As it stands in the text, escapes included."""
    detail: str = ""
    """Of a secret: whose."""
    is_bare: bool = False
    """Whether it is a number of JSON, which stands in no quotes."""


class Recogniser(Protocol):
    """Finds what no pattern knows, such as names and addresses."""

    def find(self, text: str, kinds: frozenset[str]) -> Iterable[tuple[int, int, str]]:
        """Return start, end and kind of each that is found, in characters of the text."""
        ...


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked for."""

    kinds: frozenset[str] = frozenset(KINDS)
    regions: tuple[str, ...] = ("US",)
    """Whose telephone numbers are known without a plus sign."""
    allowed: frozenset[str] = frozenset()
    """Vendors whose keys are no secrets here."""
    recogniser: Recogniser | None = field(default=None, repr=False)
    """It sees whole texts that are no JSON; a stream has none."""


def find(text: str, looked: Looked | None = None, is_json: bool = False) -> list[Span]:
    """Return what is found, in order; no two overlap: of two the more certain, then the longer.

    `is_json`: the text is JSON, so escapes are undone, no span holds half of one or a quote, and a
    number outside of strings is told whole. Raises `ParameterFault` where google-re2 or
    phonenumbers is wanted and not installed.
    """
    looked = looked or Looked()
    search = Search(looked, is_json)
    spans: list[Span] = []
    start = 0
    while start < len(text):
        window = text[start : start + MAX_PIECE]
        length, found = search.piece(window, is_end=True) or (len(window), [])
        spans += [_moved(span, start) for span in found] if start else found
        start += length
    if looked.recogniser is None or is_json:
        return spans
    return _recognised(text, spans, looked, looked.recogniser)


def _moved(span: Span, by: int) -> Span:
    start, end = span.start + by, span.end + by
    return Span(start, end, span.kind, span.value, span.detail, span.is_bare)


class Search:
    """One text that is searched piece by piece, in order."""

    def __init__(self, looked: Looked, is_json: bool = False) -> None:
        self._looked = looked
        self._is_json = is_json
        self._in_string = False
        self._asker = Asker(looked.regions)

    def piece(self, held: str, is_end: bool) -> tuple[int, list[Span]] | None:
        """Return how long the next piece is and what stands in it; None: more text is needed.

        `is_end`: nothing comes after what is held (up to `MAX_PIECE`; more of it may be held).
        """
        window = held[:MAX_PIECE]
        view = view_of(window, self._is_json)
        if len(window) < MAX_PIECE and is_end:
            return self._searched(window, view)
        if (place := safe_cut(view.text)) > 0:
            return self._searched(window[: view.raw(place)], view.until(place))
        return self._forced(window, view) if len(window) == MAX_PIECE else None

    def _searched(self, piece: str, view: View) -> tuple[int, list[Span]]:
        return len(piece), self._told(piece, view, _chosen(view.text, self._looked, self._asker))

    def _forced(self, window: str, view: View) -> tuple[int, list[Span]]:
        found = _chosen(view.text, self._looked, self._asker)
        place = forced_cut(view, [(one.start, one.end) for _, one in found])
        piece = window[: view.raw(place)]
        found = [pair for pair in found if pair[1].end <= place]
        return len(piece), self._told(piece, view.until(place), found)

    def _told(self, piece: str, view: View, found: list[_Found]) -> list[Span]:
        """Return what was found in a view, in places of the raw text."""
        was_inside = self._in_string
        if self._is_json:
            self._in_string = view.is_inside(len(view.text), was_inside)
        spans: list[Span] = []
        end = 0
        for kind, one in found:
            first, last = view.raw(one.start), view.raw(one.end)
            if first < end:
                continue
            is_bare = self._is_json and not view.is_inside(one.start, was_inside)
            if is_bare:
                first, last = _number_around(piece, first, last)
            spans.append(Span(first, last, kind, piece[first:last], one.detail, is_bare))
            end = last
        return spans


_Found = tuple[str, Candidate]
_TELLING = re.compile("[0-9@%:=_-]|[A-Za-z]{16}")
"""Of which every value has one, or has one right before it. So most words need no other look."""
_NUMBER = frozenset("0123456789+-.eE")


def _number_around(piece: str, first: int, last: int) -> tuple[int, int]:
    while first > 0 and piece[first - 1] in _NUMBER:
        first -= 1
    while last < len(piece) and piece[last] in _NUMBER:
        last += 1
    return first, last


def _chosen(text: str, looked: Looked, asker: Asker) -> list[_Found]:
    """Return what is found in a view, in order, without overlaps."""
    if _TELLING.search(text) is None:
        return []
    found = [
        (kind, one)
        for kind in KINDS
        if kind in looked.kinds
        for one in _candidates(kind, text, looked, asker)
    ]
    if len(found) < 2:
        return found
    found.sort(key=lambda pair: (-KINDS[pair[0]].rank, pair[1].start - pair[1].end, pair[1]))
    taken = bytearray(len(text))
    kept = []
    for kind, one in found:
        if taken.find(1, one.start, one.end) < 0:
            taken[one.start : one.end] = b"\1" * (one.end - one.start)
            kept.append((kind, one))
    return sorted(kept, key=lambda pair: pair[1].start)


def _candidates(kind: str, text: str, looked: Looked, asker: Asker) -> Iterator[Candidate]:
    if kind == "SECRET":
        return secrets(text, looked.allowed)
    if kind == "PHONE_NUMBER":
        return phones(text, asker)
    return FINDERS[kind](text)


def _recognised(text: str, spans: list[Span], looked: Looked, recogniser: Recogniser) -> list[Span]:
    """Return the spans and those of the recogniser that overlap none of them."""
    merged = list(spans)
    end = 0
    for start, last, kind in sorted(recogniser.find(text, looked.kinds)):
        place = bisect_left(spans, start + 1, key=lambda span: span.end)
        is_free = place == len(spans) or spans[place].start >= last
        if kind in looked.kinds and end <= start < last <= len(text) and is_free:
            merged.append(Span(start, last, kind, text[start:last]))
            end = last
    return sorted(merged, key=lambda span: span.start)
