"""Tells when the arguments of a call are whole, while they come in pieces."""

from __future__ import annotations

import re
from typing import Final

import orjson

_TELLING: Final = re.compile(r'[{}\[\]"]')
_IN_TEXT: Final = re.compile(r'["\\]')


class Arguments:
    """The JSON text of one call. Each character is looked at once; braces tell when to parse."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._depth = 0
        self._is_in_text = False
        self._is_escaped = False
        self._is_closed = False
        self._is_object: bool | None = None

    def add(self, piece: str) -> None:
        """Take the next piece; what follows a whole value is of no use."""
        if self._is_closed:
            return
        self._pieces.append(piece)
        at = 0
        while at < len(piece):
            at = self._step(piece, at)

    @property
    def is_object(self) -> bool:
        """Whether they are one whole object."""
        if self._is_object is None and self._is_closed:
            try:
                value = orjson.loads("".join(self._pieces))
            except orjson.JSONDecodeError:
                value = None
            self._is_object = isinstance(value, dict)
        return self._is_object is True

    def _step(self, piece: str, at: int) -> int:
        """Go on to behind the next character that tells anything."""
        if self._is_escaped:
            self._is_escaped = False
            return at + 1
        found = (_IN_TEXT if self._is_in_text else _TELLING).search(piece, at)
        if found is None:
            return len(piece)
        match found[0]:
            case '"':
                self._is_in_text = not self._is_in_text
            case "\\":
                self._is_escaped = True
            case "{" | "[":
                self._depth += 1
            case _:
                self._depth -= 1
                self._is_closed = self._is_closed or self._depth <= 0
        return found.end()
