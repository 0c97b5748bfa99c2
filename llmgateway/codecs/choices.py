"""Follows streams of choices: chat and text completions, whose events differ in one member."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.faults import Fault, find_fault
from llmgateway.codecs.sse import DONE
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

    def __init__(self, request: JSON | None, provider: str) -> None:
        self._expected = _expected_choices(request or {})
        self._provider = provider
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._has_content = False
        self._may_skim = False
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
