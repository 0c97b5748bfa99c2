"""Follows streams of choices: chat and text completions, whose events differ in one member."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.faults import Fault, find_fault
from llmgateway.codecs.sse import DONE, is_bare
from llmgateway.codecs.usage import read_usage
from llmgateway.errors import UpstreamError
from llmgateway.types import JSON
from llmgateway.types.usage import Usage

# A quote inside a JSON text is escaped, so no text can hide a key from this; where a text only
# looks like one, the event is parsed for nothing.
_TELLING: Final = re.compile(
    rb'"(?:finish_reason"\s*:\s*[^n\s]|usage"\s*:\s*\{|error"(?!\s*:\s*null))'
).search

_CONTENT_KEYS: Final = (
    "content",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "tool_calls",
    "refusal",
    "function_call",
    "audio",
    "images",
    "thinking",
    "thinking_blocks",
    "content_blocks",
    "annotations",
    "executed_tools",
)


class ChoicesWatch:
    """Follows one stream; implements `Watch`.

    It ends well once every choice has its `finish_reason`: as many as were asked for, or, after a
    `[DONE]`, as many as there were. Where one choice is asked for, events after the first content
    are scanned, not parsed, so that the relay costs little.
    """

    __slots__ = (
        "_expected",
        "_finished",
        "_has_content",
        "_is_done",
        "_lessons",
        "_may_skim",
        "_provider",
        "_seen",
        "_shape",
        "error",
        "usage",
    )

    def __init__(self, request: JSON | None, provider: str) -> None:
        self._expected = _expected_choices(request or {})
        self._provider = provider
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._has_content = False
        self._may_skim = False
        self._shape: Shape | None = None
        self._lessons = _LESSONS
        self._is_done = False
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    @property
    def ended_well(self) -> bool:
        """Whether the format allows the stream to end now."""
        if self.error is not None or not self._finished or not self._seen <= self._finished:
            return False
        return self._is_done or len(self._finished) >= self._expected

    def owed(self) -> bytes:
        """Return the `[DONE]` that a good end still needs."""
        return b"data: [DONE]\n\n" if self.ended_well and not self._is_done else b""

    def feed(self, event: Event) -> EventKind:
        """Take the next event."""
        data = event.data
        if self._may_skim and event.name is None and data[:1] == b"{" and not _TELLING(data):
            return EventKind.CONTENT
        return self._read(event)

    def skim(self, block: bytes) -> bool:
        """Take some whole events, if none of them tells anything; see `Watch`."""
        if not self._may_skim:
            return False
        if self._shape is not None and self._shape.fits(block):
            return True
        is_plain = (
            is_bare(block)
            and _is_null(block, b'"finish_reason"')
            and _is_null(block, b'"usage"')
            and b'"error"' not in block
        )
        if is_plain and self._lessons:
            self._lessons -= 1
            self._shape = Shape.of(block)
        return is_plain

    def _read(self, event: Event) -> EventKind:
        if event.data.startswith(DONE):
            self._is_done = True
            return EventKind.DONE
        chunk = parse_object(event.data)
        fault = event_fault(event, chunk) or _choice_fault(chunk)
        if fault is not None:
            self.error = self.error or fault.to_error(self._provider)
            return EventKind.ERROR
        usage = usage_object(chunk)
        if isinstance(usage, dict):
            self.usage = read_usage(usage) or self.usage
        choices = [choice for choice in _list(chunk.get("choices")) if isinstance(choice, dict)]
        if isinstance(usage, dict) and not choices:
            return EventKind.USAGE
        self._follow(choices)
        return EventKind.CONTENT if self._has_content and chunk else EventKind.PRELUDE

    def _follow(self, choices: list[JSON]) -> None:
        for choice in choices:
            index = choice.get("index")
            number = index if isinstance(index, int) else 0
            self._seen.add(number)
            if isinstance(choice.get("finish_reason"), str):
                self._finished.add(number)
            self._has_content = self._has_content or _has_content(choice)
        self._may_skim = self._has_content and self._expected == 1


_LESSONS: Final = 8
"""So many shapes are learnt from one stream: one whose events all differ is not worth more."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One plain event but for its text, and for its last string, which may be padding.

    A provider writes the events of a stream all alike, so a few comparisons know most of them
    again. A text that holds no quote and ends in no backslash hides no key: all keys of what fits
    are those of the event that the shape was made of, before the same values.
    """

    start: bytes
    """Up to the text, its quote included."""
    middle: bytes
    """From the quote after the text to the end, or to the last string, its quote included."""
    is_padded: bool

    @classmethod
    def of(cls, block: bytes) -> Shape | None:
        """Return the shape of a plain event; None for more than one, or one without a text."""
        text = _TEXT(block)
        if text is None or b"\r" in block or block.find(b"\n") != len(block) - 2:
            return None
        start, stop = text.span(1)
        last = len(block) - len(_LAST)
        quote = block.rfind(b'"', 0, last)
        is_padded = block.endswith(_LAST) and stop < quote
        return cls(block[:start], block[stop : quote + 1 if is_padded else None], is_padded)

    def fits(self, block: bytes) -> bool:
        """Tell whether this is one event that differs only in those texts."""
        start, middle = self.start, self.middle
        if not block.startswith(start):
            return False
        stop = block.find(b'"', len(start))
        size = len(block)
        if (
            not block.startswith(middle, stop)
            or block[stop - 1] == _BACKSLASH
            or block.find(b"\n") != size - 2
            or b"\r" in block
        ):
            return False
        stop += len(middle)
        if not self.is_padded:
            return stop == size
        last = block.find(b'"', stop)
        return last == size - 4 and block.endswith(_LAST) and block[last - 1] != _BACKSLASH


_TEXT: Final = re.compile(rb'"(?:content|text|reasoning(?:_content)?)": ?"([^"\\]*)"[,}]').search
_LAST: Final = b'"}\n\n'
_BACKSLASH: Final = ord("\\")


def _is_null(block: bytes, key: bytes) -> bool:
    """Tell whether a key stands before no value but null, wherever it stands."""
    count = block.count(key)
    # Counting is about ten times as fast as a regular expression.
    return not count or count in (block.count(key + b":null"), block.count(key + b": null"))


def parse_object(data: bytes) -> JSON:
    """Return an event's JSON object; empty where the data is none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def event_fault(event: Event, body: JSON) -> Fault | None:
    """Find a provider's own error in an event, whichever way it is marked."""
    is_error = "error" in (event.name, body.get("type"), body.get("object"))
    if is_error and not body:
        return find_fault(event.data.decode("utf-8", "replace")) or Fault(_WORDLESS)
    return find_fault(body, _WORDLESS) if is_error or body.get("error") else None


_WORDLESS = "The provider's stream told of an error without saying which."


def _choice_fault(chunk: JSON) -> Fault | None:
    """Find an error below the top: OpenRouter's in a choice, Groq's beside its request id."""
    for place in (*_list(chunk.get("choices")), chunk.get("x_groq")):
        if isinstance(place, dict) and place.get("error"):
            return find_fault(place, _WORDLESS)
    return None


def usage_object(chunk: JSON) -> Any:
    """Return the usage; Groq also sends it beside its request id (seen 2025-11)."""
    beside = chunk.get("x_groq")
    return chunk.get("usage") or (beside.get("usage") if isinstance(beside, dict) else None)


def _has_content(choice: JSON) -> bool:
    piece = choice.get("delta") or choice.get("message")
    if isinstance(piece, dict) and any(piece.get(key) for key in _CONTENT_KEYS):
        return True
    return bool(choice.get("text"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _expected_choices(request: JSON) -> int:
    """Return how many choices a request asks for: `n` for each prompt."""
    n = request.get("n")
    each = n if isinstance(n, int) and n > 0 else 1
    prompts = request.get("prompt")
    if isinstance(prompts, list) and prompts and isinstance(prompts[0], str | list):
        return each * len(prompts)
    return each
