"""Regular expressions over text: RE2 only, whose time is linear in the text.

Users write JavaScript's syntax, as Portkey's checks take it; `syntax.py` translates. How steep
RE2's line is depends on the program: at its worst it takes 13 ns for each instruction and byte
(measured with `a[ab]{200}c` on a text of a's), so both have bounds, and so has their product.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

from pydantic import PlainValidator, WithJsonSchema

from llmgateway.guardrails.base import CheckFailed, ParameterFault
from llmgateway.guardrails.syntax import Translated, translate
from llmgateway.late import import_late

MAX_PATTERN = 8192
"""How many characters a user's pattern may have."""
MAX_INSTRUCTIONS = 2048
"""How large RE2's program for a user's pattern may be; `^gpt-4` has 4."""
MAX_TEXT_BYTES = 2**20
"""How much text is searched at most; what is longer is an error, never searched in part."""
MAX_INSTRUCTION_BYTES = 2**28
"""How large program × text may be for a user's pattern: 3.5 s at the worst, ms as a rule."""
MAX_SECONDS = 0.4
"""How much of a thread's processor time the matches of a user's pattern, and what is done with
each, may take together: 100,000 and more."""
OWN_SECONDS = 1.0
"""Likewise for a pattern of our own."""
INLINE_INSTRUCTIONS = 64
"""Larger programs are searched in a thread; RE2 lets others run meanwhile."""

# For the program and the states that it collects while it searches; where that is too little, RE2
# goes on without keeping states, a hundred times slower.
_MAX_MEMORY = 2**20
_OWN_MEMORY = 8 * 2**20
_LOOK_S = 0.02
_SURROGATE = re.compile("[\ud800-\udfff]")
_SLASHED = re.compile(r"/(.+)/([A-Za-z]*)", re.DOTALL)


class Span(NamedTuple):
    """One match; all in characters of the text that was searched."""

    start: int
    end: int
    groups: tuple[tuple[int, int] | None, ...] = ()
    """Where each group matched; None: it took no part."""


@dataclass(frozen=True, slots=True, eq=False)
class Regexp:
    """A compiled pattern."""

    source: str
    """As its author wrote it."""
    is_global: bool = field(default=True)
    """Whether all matches are meant, not the first alone (JavaScript's flag `g`)."""
    max_length: int | None = None
    """The longest match in characters; None where there is no bound, or where it depends on what
    stands around it."""
    names: tuple[str | None, ...] = ()
    """Of each group."""
    is_own: bool = False
    _compiled: Any = field(repr=False, default=None)

    @property
    def instructions(self) -> int:
        """The size of RE2's program."""
        return int(self._compiled.programsize)

    def search(self, text: str, start: int = 0) -> Span | None:
        """Return the first match from a character on; raises `CheckFailed` for too long a text."""
        encoded = self._encoded(text)
        offsets = _Offsets(text, encoded)
        match = self._compiled.search(encoded, offsets.byte(start))
        if match is None:
            return None
        span = offsets.convert(match, len(self.names))
        # What was found within a character is nothing; what comes after it may be something.
        return next(self.finditer(text, start), None) if span is None else span

    def finditer(
        self, text: str, start: int = 0, patience: Patience | None = None
    ) -> Iterator[Span]:
        """Yield the matches that do not overlap, in order.

        `patience` is for several texts together; without it, each has its own.
        Raises `CheckFailed` for too long a text, and where so much of it is searched again and
        again (`a.*b|a` over a's alone) that it takes too much time.
        """
        encoded = self._encoded(text)
        offsets = _Offsets(text, encoded)
        patience = patience or Patience(OWN_SECONDS if self.is_own else MAX_SECONDS)
        for match in self._compiled.finditer(encoded, offsets.byte(start)):
            patience.ask()
            span = offsets.convert(match, len(self.names))
            if span is not None:
                yield span

    def sub(
        self,
        replacement: str | Callable[[Span], str],
        text: str,
        patience: Patience | None = None,
    ) -> tuple[str, int]:
        """Return the text with each match replaced (the first alone, unless `is_global`), and how
        many were; raises `CheckFailed` for too long a text."""
        pieces: list[str] = []
        end = count = 0
        for span in self.finditer(text, patience=patience):
            put = replacement if isinstance(replacement, str) else replacement(span)
            pieces += (text[end : span.start], put)
            end, count = span.end, count + 1
            if not self.is_global:
                break
        return "".join([*pieces, text[end:]]), count

    def _encoded(self, text: str) -> bytes:
        # Each character has a byte at least.
        if len(text) <= MAX_TEXT_BYTES:
            encoded = _encode(text)
            work = 0 if self.is_own else len(encoded) * self.instructions
            if len(encoded) <= MAX_TEXT_BYTES and work <= MAX_INSTRUCTION_BYTES:
                return encoded
        raise CheckFailed("The text is too long for this pattern")


class Patience:
    """Ends a search that has taken too much of its thread's processor time."""

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        self._seconds = seconds
        self._until: float | None = None
        self._look = time.perf_counter() + _LOOK_S

    def ask(self) -> None:
        """Raise `CheckFailed` where it has."""
        # This clock is cheap, but runs while others do; that one is dear (300 us where calls of it
        # are caught), so it is read only where the search has taken some time already.
        if time.perf_counter() < self._look:
            return
        now = time.thread_time()
        if self._until is None:
            self._until = now + self._seconds - _LOOK_S
        elif now > self._until:
            raise CheckFailed("The search for this pattern takes too long")
        self._look = time.perf_counter() + _LOOK_S


class _Offsets:
    """From bytes to characters, in one pass over the text."""

    def __init__(self, text: str, encoded: bytes) -> None:
        self._encoded = encoded
        self._text = text
        self._plain = len(text) == len(encoded)
        self._byte = self._character = 0

    def byte(self, character: int) -> int:
        return character if self._plain else len(_encode(self._text[:character]))

    def convert(self, match: Any, groups: int) -> Span | None:
        """Return a match's span; None for nothing found within a character.

        No match begins before the last one ended.
        """
        start, end = match.span()
        # After an empty match RE2 goes on by a byte, which may be in the midst of a character.
        if not self._plain and start < len(self._encoded) and self._encoded[start] & 0xC0 == 0x80:
            return None
        if not groups:
            return Span(start, end) if self._plain else Span(self._at(start), self._at(end))
        spans = [match.span(number) for number in range(1, groups + 1)]
        if self._plain:
            return Span(start, end, tuple([None if one[0] < 0 else one for one in spans]))
        known = {start: self._at(start)}
        for offset in sorted({offset for one in spans for offset in one if offset >= 0}):
            known[offset] = self._at(offset)
        known[end] = self._at(end)
        return Span(
            known[start],
            known[end],
            tuple([None if one[0] < 0 else (known[one[0]], known[one[1]]) for one in spans]),
        )

    def _at(self, byte: int) -> int:
        self._character += len(self._encoded[self._byte : byte].decode())
        self._byte = byte
        return self._character


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair is no character; it keeps its place as one that is unknown.
        return _SURROGATE.sub("\ufffd", text).encode()


def compile_pattern(pattern: str) -> Regexp:
    """Compile a user's pattern in JavaScript's syntax; raises `ParameterFault`."""
    return _compile_user(pattern, pattern, "g")


def compile_slashed(rule: str) -> Regexp:
    """Compile a user's `/pattern/flags`, or a plain pattern, which has no flags.

    The flags `i`, `m`, `s`, `g` and `u` are known. Raises `ParameterFault`.
    """
    slashed = _SLASHED.fullmatch(rule)
    if slashed is None or set(slashed[2]) - set("dgimsuvy"):
        return _compile_user(rule, rule, "")
    if set(slashed[2]) - set("gimsu"):
        raise ParameterFault(f"The flags {slashed[2]!r} are not all among g, i, m, s and u")
    return _compile_user(rule, slashed[1], slashed[2])


def compile_own(pattern: str, *, ignore_case: bool = False) -> Regexp:
    """Compile a pattern of this gateway's own, in RE2's syntax, with no bound but the text's.

    Raises `ParameterFault` where RE2 is not installed.
    """
    compiled = _compile(pattern, _OWN_MEMORY, ignore_case)
    return Regexp(pattern, True, None, _names(compiled), is_own=True, _compiled=compiled)


def _compile_user(source: str, pattern: str, flags: str) -> Regexp:
    if len(pattern) > MAX_PATTERN:
        raise ParameterFault(f"A pattern has at most {MAX_PATTERN} characters")
    translated: Translated = translate(pattern, flags)
    compiled = _compile(translated.pattern, _MAX_MEMORY, "i" in flags)
    if compiled.programsize > MAX_INSTRUCTIONS:
        raise ParameterFault("This pattern is too large for a search in bounded time; simplify it")
    return Regexp(source, "g" in flags, translated.max_length, _names(compiled), _compiled=compiled)


def _names(compiled: Any) -> tuple[str | None, ...]:
    by_number = {number: _text(name) for name, number in compiled.groupindex.items()}
    return tuple(by_number.get(number + 1) for number in range(compiled.groups))


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _compile(pattern: str, max_memory: int, ignore_case: bool) -> Any:
    try:
        # An optional dependency, wanted only by checks that have a pattern.
        re2 = import_late("re2")
    except ImportError:
        raise ParameterFault(
            "Patterns need google-re2, which this gateway lacks; install llmgateway[guardrails]"
        ) from None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max_memory
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(pattern.encode(), options)
    except UnicodeEncodeError:
        raise ParameterFault("A pattern must be valid Unicode") from None
    except re2.error as exc:
        # The reason comes as bytes, and may end within a character of the pattern.
        reason = exc.args[0].decode(errors="replace")[:200]
        raise ParameterFault(f"RE2 cannot compile this pattern: {reason}") from None


def _pattern(value: Any) -> Regexp:
    if not isinstance(value, str):
        raise ParameterFault("A pattern is a string")
    return compile_pattern(value)


def _slashed(value: Any) -> Regexp:
    if not isinstance(value, str):
        raise ParameterFault("A pattern is a string")
    return compile_slashed(value)


_SCHEMA = WithJsonSchema({"type": "string", "format": "regex"})
Pattern = Annotated[Regexp, PlainValidator(_pattern), _SCHEMA]
"""The type of a parameter that is a pattern, compiled when the config is read."""
SlashedPattern = Annotated[Regexp, PlainValidator(_slashed), _SCHEMA]
"""The same for a pattern that may be written `/pattern/flags`."""
