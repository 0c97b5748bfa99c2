"""On which line of a TOML text each key stands; `tomllib` does not tell.

The text must be valid TOML: it has been read by `tomllib` before. Where this reader loses its way
all the same, it stops, and later keys have no line. Source: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_VALUE = re.compile(r"[^,\]}\n#]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_NAMED_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


def key_lines(text: str) -> dict[Path, int]:
    """Return the line of every key, table and array element, counted from one."""
    reader = _Reader(text)
    try:
        reader.document()
    except (_LostError, IndexError, RecursionError):
        pass
    return reader.lines


def line_of(path: Sequence[str | int], lines: Mapping[Path, int]) -> int | None:
    """Return the line of a key, or of the nearest table around one that is not there."""
    for length in range(len(path), 0, -1):
        line = lines.get(tuple(path[:length]))
        if line is not None:
            return line
    return None


class _LostError(Exception):
    """The text is not what it should be here."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._last_index: dict[Path, int] = {}
        """Of each array of tables, the index of the table that was opened last."""

    def document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        line = self._line()
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        keys = self._keys()
        self._expect("]]" if is_array else "]")
        path = self._inside_arrays(keys)
        if is_array:
            index = self._last_index.get(path, -1) + 1
            self._last_index[path] = index
            path = (*path, index)
        self._mark(path, line)
        return path

    def _inside_arrays(self, keys: Path) -> Path:
        """Add the indexes to a header's keys: `[a.b]` speaks of the last table of `[[a]]`."""
        path: Path = keys[:1]
        for key in keys[1:]:
            if path in self._last_index:
                path = (*path, self._last_index[path])
            path = (*path, key)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        keys = self._keys()
        self._expect("=")
        self._mark((*table, *keys), line, known=len(table))
        self._value((*table, *keys))

    def _mark(self, path: Path, line: int, known: int = 0) -> None:
        for length in range(known + 1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _keys(self) -> Path:
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            string = _STRING.match(self._text, self._at)
            match = string or _BARE_KEY.match(self._text, self._at)
            if match is None:
                raise _LostError
            keys.append(_unquoted(match[0]) if string else match[0])
            self._at = match.end()
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return tuple(keys)
            self._at += 1

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        first = self._text[self._at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            pattern = _STRING if first in "\"'" else _BARE_VALUE
            match = pattern.match(self._text, self._at)
            if match is None:
                raise _LostError
            self._at = match.end()

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while not self._closes("]"):
            self.lines[(*path, index)] = self._line()
            self._value((*path, index))
            index += 1
            self._comma()

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while not self._closes("}"):
            self._pair(path)
            self._comma()

    def _closes(self, bracket: str) -> bool:
        self._skip(_BLANK)
        if self._text[self._at] != bracket:
            return False
        self._at += 1
        return True

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1

    def _expect(self, what: str) -> None:
        self._skip(_SPACE)
        if not self._text.startswith(what, self._at):
            raise _LostError
        self._at += len(what)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1


def _unquoted(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1]
    return _ESCAPE.sub(lambda match: _escaped(match[1]), key[1:-1])


def _escaped(code: str) -> str:
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _NAMED_ESCAPES.get(code, code)
