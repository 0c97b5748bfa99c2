"""Where a text may be cut, so that its pieces hold together what the whole holds.

A cut is safe where no value goes across and none is known by what stands on the other side. Any
choice among the safe cuts gives the same, so a stream may be cut sooner than a whole text. Where
there is no safe cut for 32,768 characters, one is made, at a place that depends on the text alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from llmgateway.guardrails.pii.shapes import PEM_LENGTH
from llmgateway.guardrails.pii.view import BREAK, OTHER, View

__all__ = ["MAX_PIECE", "forced_cut", "safe_cut"]

MAX_PIECE = 32_768
"""Characters of the raw text; a value is a quarter as long at most."""

_ENDS = ("\n", BREAK, OTHER)
"""After which nothing goes on but a private key."""
_BEFORE_SPACE = frozenset("abcdefghijklmnopqrstuvwxyz,;!?")
"""After which no number, card or account goes on across a space."""
_LEADS = (
    *("bearer", "basic", "token", "digest", "apikey", "authorization", "key", "secret", "access"),
    *("version", "release", "ssn", "social", "security", "number"),
)
"""Words that tell what comes after them."""


def safe_cut(text: str) -> int:
    """Return the last place of a view where it may be cut; 0: there is none."""
    end = len(text)
    for start, last in reversed([(-1, 0), *_armour(text)]):
        # Between two keys, the last first.
        if (place := _cut_between(text, max(0, last), end)) > 0:
            return place
        end = max(0, start)
    return 0


def _cut_between(text: str, first: int, last: int) -> int:
    broken = max(text.rfind(sign, first and first - 1, last) for sign in _ENDS) + 1
    floor = max(first, broken)
    return max(
        broken if broken >= first else 0,
        _last_place(text, " ", floor, last, _is_safe_space),
        _last_place(text, ",", floor, last, _is_safe_comma),
    )


def _last_place(
    text: str, sign: str, floor: int, last: int, is_safe: Callable[[str, int], bool]
) -> int:
    place = last
    while (place := text.rfind(sign, floor, place) + 1) > 0:
        if is_safe(text, place):
            return place
        place -= 1
    return 0


def _is_safe_comma(text: str, place: int) -> bool:
    """Tell whether it is in no URL, whose password or parameters may hold one."""
    begin = max(0, place - 512)
    word = text.rfind(" ", begin, place) + 1
    return not any(text.find(sign, word or begin, place) >= 0 for sign in ("://", "="))


def _is_safe_space(text: str, place: int) -> bool:
    if place < 2 or text[place - 2] not in _BEFORE_SPACE:
        return False
    return not text[max(0, place - 16) : place - 1].lower().endswith(_LEADS)


def _armour(text: str) -> list[tuple[int, int]]:
    """Return from where to where keys or certificates in PEM go; an open one has no end."""
    found: list[tuple[int, int]] = []
    end = 0
    while (start := text.find("-----BEGIN ", end)) >= 0:
        foot = text.find("-----END ", start)
        last = text.find("-----", foot + 9) if foot >= 0 else -1
        end = last + 5 if last >= 0 else len(text) + 1
        if (quote := text.find(BREAK, start, end)) >= 0:
            end = quote + 1
        found.append((start, end))
    return found


def forced_cut(view: View, spans: Sequence[tuple[int, int]]) -> int:
    """Return the place in a full view where it is cut all the same; beside its spans."""
    wanted = MAX_PIECE - PEM_LENGTH
    place = wanted
    if view.starts is not None:
        place = min(max(1, bisect_right(view.starts, wanted) - 1), len(view.text))
    for start, end in spans:
        if start < place < end:
            return start or end
    return place
