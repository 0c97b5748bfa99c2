"""A text as it is searched: ASCII only, escapes undone, and where each character of it stands.

Letters, digits and signs of other scripts are put as what they look like (full-width digits, the
digits of any script, dashes, spaces), and what is left as one of a few marks below. So patterns see
one character for `\\u0040`, and none for a soft hyphen, and spans are told in the raw text.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["BREAK", "LETTER", "MAYBE_LETTER", "OTHER", "View", "view_of"]

BREAK = "\x00"
"""A quote of JSON, where one string ends: no value spans it."""
LETTER = "\x01"
"""A letter that ASCII lacks."""
MAYBE_LETTER = "\x02"
"""The letter of `\\n` in a text that is not JSON: it may be a letter, as in a path, or none."""
OTHER = "\x03"
"""Any other character that ASCII lacks: no value spans it."""

_GONE = "\x04"
_MOST_KNOWN = 20_000


class _Likeness(dict[int, str]):
    """For `str.translate`: what each character beyond ASCII is put as."""

    def __missing__(self, code: int) -> str:
        like = _like(chr(code)) if code > 127 else chr(code)
        if len(self) < _MOST_KNOWN:
            self[code] = like
        return like


def _like(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf" or category == "Mn" and "\ufe00" <= character <= "\ufe0f":
        return _GONE
    plain = unicodedata.normalize("NFKC", character)
    if len(plain) == 1 and " " <= plain <= "~":
        return plain
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd":
        return "-"
    if category == "Zs":
        return " "
    if category in ("Zl", "Zp") or character == "\x85":
        return "\n"
    return LETTER if category[0] in "LM" else OTHER


_LIKENESS = _Likeness()


@dataclass(frozen=True, slots=True)
class View:
    """A text as it is searched."""

    text: str = field(repr=False)
    starts: Sequence[int] | None = field(default=None, repr=False)
    """Of each of its characters, where it begins in the raw text, and the raw length; None: each
    stands where it does there."""

    def raw(self, position: int) -> int:
        """Return the place in the raw text."""
        return position if self.starts is None else self.starts[position]

    def until(self, position: int) -> View:
        """Return what stands before a place."""
        starts = None if self.starts is None else self.starts[: position + 1]
        return View(self.text[:position], starts)

    def is_inside(self, position: int, was_inside: bool) -> bool:
        """Tell whether a place is within a string of JSON; `was_inside`: so is the beginning."""
        return (self.text.count(BREAK, 0, position) % 2 == 1) != was_inside


# Each run of backslashes is read once. Python's engine, since there may be a match every two
# characters, at a tenth of what RE2's binding takes for each.
_PLAIN_UNIT = re.compile(r"\\++|\x04++")
_JSON_UNIT = re.compile(r'\\++|\x04++|"')
_HEX = re.compile(r"[uU]([0-9A-Fa-f]{4})")
_PLAIN_HEX = re.compile(r"[uU]([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})")
_WHITE = {"n": "\n", "r": "\n", "t": " ", "b": " ", "f": " "}
_DEEPEST = 2


def view_of(text: str, is_json: bool = False) -> View:
    """Return a text as it is searched."""
    like = text if text.isascii() else text.translate(_LIKENESS)
    if is_json:
        like = like.replace(BREAK, OTHER)
    signs = ("\\", _GONE, '"') if is_json else ("\\", _GONE)
    if not any(sign in like for sign in signs):
        return View(like)
    return _unescaped(like, is_json)


class _Writer:
    """What a view is made of, piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.starts = array("L")

    def same(self, like: str, start: int, end: int) -> None:
        self.pieces.append(like[start:end])
        self.starts.extend(range(start, end))

    def unit(self, character: str, start: int) -> None:
        self.pieces.append(character)
        self.starts.append(start)


def _unescaped(like: str, is_json: bool) -> View:
    written = _Writer()
    units, unit = (_JSON_UNIT, _json_unit) if is_json else (_PLAIN_UNIT, _plain_unit)
    end = 0
    while (match := units.search(like, end)) is not None:
        start = match.start()
        written.same(like, end, start)
        end = match.end()
        if like[start] == "\\":
            end = unit(written, like, start, end)
        elif like[start] == '"':
            written.unit(BREAK, start)
    written.same(like, end, len(like))
    written.starts.append(len(like))
    return View("".join(written.pieces), written.starts)


def _decoded(digits: str) -> str:
    character = _LIKENESS[int(digits, 16)]
    return OTHER if character in (BREAK, _GONE) else character


def _json_unit(written: _Writer, like: str, start: int, after: int) -> int:
    """Write what a run of backslashes and what follows stand for; return where that ends."""
    escape = _HEX.match(like, after)
    if escape is not None and after - start <= _DEEPEST:
        written.unit(_decoded(escape[1]), start)
        return escape.end()
    for pair in range(start, after - 1, 2):
        written.unit("\\", pair)
    if (after - start) % 2 == 0:
        return after
    if escape is not None:
        written.unit(_decoded(escape[1]), after - 1)
        return escape.end()
    sign = like[after : after + 1]
    if not sign or sign == _GONE:
        written.unit("\\", after - 1)
        return after
    written.unit(_WHITE.get(sign, sign), after - 1)
    return after + 1


def _plain_unit(written: _Writer, like: str, start: int, after: int) -> int:
    escape = _PLAIN_HEX.match(like, after)
    if escape is not None and after - start <= _DEEPEST:
        written.unit(_decoded(escape[1] or escape[2]), start)
        return escape.end()
    sign = like[after : after + 1]
    if sign in ('"', "/") and after - start <= _DEEPEST:
        written.unit(sign, start)
        return after + 1
    written.same(like, start, after)
    if sign in _WHITE:
        written.unit(MAYBE_LETTER, after)
        return after + 1
    return after
