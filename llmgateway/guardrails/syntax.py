"""From JavaScript's regular expressions to RE2's, and how long their matches can be.

One pass by descent over the pattern writes RE2's syntax and reckons the length. What RE2 has not
(look-around, back-references) is refused with words for who wrote the config.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmgateway.guardrails.base import ParameterFault

_MAX_DEPTH = 100
_REPEAT = re.compile(r"\{(\d+)(,?)(\d*)\}")
_SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_HEX = re.compile(r"\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2}))")
_PROPERTY = re.compile(r"\\[pP](?:\{[^}]*\}|[A-Z])")
_NAMED = re.compile(r"\(\?P?<([A-Za-z_]\w*)>")
_FLAGS = re.compile(r"\(\?([a-z]*)(?:-([a-z]+))?([:)])")
_LOOKS = ("(?=", "(?!", "(?<=", "(?<!")
# Names of sets that one character out of: the same in both, but that `\s` lacks what JavaScript
# has beyond ASCII.
_CLASSES = frozenset("dDwWsS")
_CONTROLS = frozenset("fnrtv")
_EDGES = frozenset("bBAz")

Length = int | None
"""The longest match in characters; None: no bound, or one that depends on what stands around."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A pattern in RE2's syntax."""

    pattern: str
    max_length: Length
    """None where there is no bound, an edge (`^`, `\\b`) is asked for, or nothing can match."""


def translate(pattern: str, flags: str = "") -> Translated:
    """Translate a pattern with the flags `m` and `s`; raises `ParameterFault`."""
    parser = _Parser(pattern)
    length = parser.alternatives(0)
    if parser.position < len(pattern):
        raise ParameterFault("This pattern closes a group that it does not open")
    wanted = "".join(flag for flag in "ms" if flag in flags)
    prefix = f"(?{wanted})" if wanted else ""
    is_bounded = length is not None and not parser.has_edge
    return Translated(prefix + "".join(parser.out), length if is_bounded else None)


class _Parser:
    """Reads a pattern from left to right; each method returns the length of what it read."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.position = 0
        self.out: list[str] = []
        self.has_edge = False

    def alternatives(self, depth: int) -> Length:
        if depth > _MAX_DEPTH:
            raise ParameterFault(f"This pattern nests more than {_MAX_DEPTH} groups")
        lengths = [self._sequence(depth)]
        while self._peek() == "|":
            self._copy(1)
            lengths.append(self._sequence(depth))
        known = [length for length in lengths if length is not None]
        return max(known) if len(known) == len(lengths) else None

    def _sequence(self, depth: int) -> Length:
        total: Length = 0
        while (char := self._peek()) and char not in "|)":
            length = self._repeated(self._atom(depth))
            total = None if total is None or length is None else total + length
        return total

    def _repeated(self, length: Length) -> Length:
        while char := self._peek():
            repeat = _REPEAT.match(self._pattern, self.position)
            if char in "*+":
                self._copy(1)
                length = None
            elif char == "?":
                self._copy(1)
            elif repeat:
                self._copy(len(repeat[0]))
                most = repeat[3] if repeat[2] else repeat[1]
                length = length * int(most[:5]) if most and length is not None else None
            else:
                break
        return length

    def _atom(self, depth: int) -> Length:
        char = self._peek()
        if char == "(":
            return self._group(depth)
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escape(in_set=False)
        if char in "^$":
            self.has_edge = True
            self._copy(1)
            return 0
        if char == "{":
            # A brace that repeats nothing is itself.
            self._put("\\{", 1)
            return 1
        self._copy(1)
        return 1

    def _group(self, depth: int) -> Length:
        rest = self._pattern[self.position : self.position + 4]
        named = _NAMED.match(self._pattern, self.position)
        flags = _FLAGS.match(self._pattern, self.position)
        if rest.startswith(_LOOKS):
            raise ParameterFault(
                "RE2 has no look-around ((?=…), (?!…), (?<=…), (?<!…)); state the pattern without"
            )
        if named:
            self._put(f"(?P<{named[1]}>", len(named[0]))
        elif flags:
            self._copy(len(flags[0]))
            if flags[3] == ")":
                return 0
        elif rest.startswith("(?"):
            raise ParameterFault(f"RE2 does not know the group {rest[:3]!r}")
        else:
            self._copy(1)
        length = self.alternatives(depth + 1)
        if self._peek() != ")":
            raise ParameterFault("This pattern opens a group that it does not close")
        self._copy(1)
        return length

    def _set(self) -> Length:
        if self._pattern.startswith("[]", self.position):
            self._put("[^\\x00-\\x{10FFFF}]", 2)
            return 1
        if self._pattern.startswith("[^]", self.position):
            self._put("(?s:.)", 3)
            return 1
        self._copy(2 if self._pattern.startswith("[^", self.position) else 1)
        while (char := self._peek()) != "]":
            if not char:
                raise ParameterFault("This pattern opens a set, [, that it does not close")
            if char == "\\":
                self._escape(in_set=True)
            elif char == "[":
                # JavaScript has no [:alpha:] within sets.
                self._put("\\[", 1)
            else:
                self._copy(1)
        self._copy(1)
        return 1

    def _escape(self, *, in_set: bool) -> Length:
        if self._character_code():
            return 1
        char = self._pattern[self.position + 1 : self.position + 2]
        if not char:
            raise ParameterFault("This pattern ends with a backslash")
        named = _PROPERTY.match(self._pattern, self.position)
        if named:
            self._copy(len(named[0]))
        elif char in _CLASSES or char in _CONTROLS:
            self._copy(2)
        elif char in _EDGES:
            return self._edge(char, in_set)
        elif char == "c" and self._pattern[self.position + 2 : self.position + 3].isalpha():
            code = ord(self._pattern[self.position + 2]) % 32
            self._put(f"\\x{{{code:x}}}", 3)
        elif char == "0":
            self._put("\\x00", 2)
        elif char.isdigit() or char == "k":
            raise ParameterFault("RE2 has no back-references (\\1, \\k<name>)")
        elif char.isascii() and char.isalpha():
            raise ParameterFault(f"This pattern has the unknown escape \\{char}")
        else:
            self._put(f"\\x{{{ord(char):x}}}", 2)
        return 1

    def _edge(self, char: str, in_set: bool) -> Length:
        if in_set and char == "b":
            self._put("\\x08", 2)
            return 1
        if in_set:
            raise ParameterFault(f"This pattern has \\{char} within a set")
        self.has_edge = True
        self._copy(2)
        return 0

    def _character_code(self) -> bool:
        pair = _SURROGATES.match(self._pattern, self.position)
        if pair:
            code = 0x10000 + ((int(pair[1], 16) & 0x3FF) << 10) + (int(pair[2], 16) & 0x3FF)
            self._put(f"\\x{{{code:x}}}", len(pair[0]))
            return True
        single = _HEX.match(self._pattern, self.position)
        if not single:
            return False
        code = int(next(found for found in single.groups() if found), 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise ParameterFault(f"{single[0]} is no character")
        self._put(f"\\x{{{code:x}}}", len(single[0]))
        return True

    def _peek(self) -> str:
        return self._pattern[self.position : self.position + 1]

    def _copy(self, count: int) -> None:
        self._put(self._pattern[self.position : self.position + count], count)

    def _put(self, text: str, count: int) -> None:
        self.out.append(text)
        self.position += count
