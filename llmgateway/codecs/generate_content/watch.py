"""Follows streams whose events are each a whole answer in small, ended by a finish reason."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.generate_content.faults import fault_of
from llmgateway.codecs.generate_content.shape import an_object, number, objects, pick
from llmgateway.codecs.generate_content.usage import read_usage
from llmgateway.codecs.sse import DONE, is_bare
from llmgateway.errors import UpstreamError
from llmgateway.types import JSON
from llmgateway.types.usage import Usage

# A quote inside a JSON text is escaped, so no text can hide a key from this.
_TELLING: Final = re.compile(
    rb'"(?:finish_?[rR]eason"\s*:\s*"|block_?[rR]eason"\s*:\s*"|error"(?!\s*:\s*null))'
).search
_COUNTED: Final = re.compile(rb'"usage_?[mM]etadata"').search
_COUNTS: Final = tuple(f'"usage{_}{m}etadata"'.encode() for _ in ("", "_") for m in "mM")
_DATA: Final = b"data: "


class GenerateContentWatch:
    """Follows one stream; implements `Watch`.

    It ends well once every candidate that was seen, and as many as were asked for, has its finish
    reason, or once the prompt was refused. Events after the first content are scanned, not parsed;
    of usage, which each event repeats, only the last is read.
    """

    def __init__(self, request: JSON | None, provider: str) -> None:
        self._provider = provider
        self._expected = _expected_candidates(request or {})
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._is_refused = False
        self._has_content = False
        self._counted: bytes | None = None
        self._usage: Usage | None = None
        self.error: UpstreamError | None = None

    @property
    def usage(self) -> Usage | None:
        """What the last event that counted tokens says."""
        if self._counted is not None:
            body = an_object(parse_event(self._counted))
            self._usage = read_usage(pick(body, "usageMetadata")) or self._usage
            self._counted = None
        return self._usage

    @property
    def ended_well(self) -> bool:
        """Whether the format allows the stream to end now."""
        if self.error is not None:
            return False
        if self._is_refused:
            return True
        return self._seen <= self._finished and len(self._finished) >= self._expected

    def owed(self) -> bytes:
        """Return nothing: this format has no sentinel."""
        return b""

    def feed(self, event: Event) -> EventKind:
        """Take the next event."""
        data = event.data
        if self._has_content and self._expected == 1 and data[:1] == b"{" and not _TELLING(data):
            if _COUNTED(data):
                self._counted = data
            return EventKind.CONTENT
        return self._read(event)

    def skim(self, block: bytes) -> bool:
        """Take some whole events, if none of them tells anything but its usage; see `Watch`."""
        may = self._has_content and self._expected == 1 and is_bare(block)
        if not may or _TELLING(block):
            return False
        if _COUNTED(block):
            at = max(block.rfind(name) for name in _COUNTS)
            start = block.rfind(_DATA, 0, at) + len(_DATA)
            self._counted = block[start : block.find(b"\n", at)].rstrip(b"\r")
        return True

    def _read(self, event: Event) -> EventKind:
        if event.data.startswith(DONE):
            return EventKind.DONE
        # An error within a stream comes as bare JSON, outside of any `data:` (seen on Vertex AI).
        data = event.data or event.raw.strip()
        value = parse_event(data)
        fault = fault_of(value)
        if fault is not None:
            self.error = self.error or fault.to_error(self._provider)
            return EventKind.ERROR
        body = an_object(value)
        if pick(body, "usageMetadata") is not None:
            self._usage = read_usage(pick(body, "usageMetadata")) or self.usage
            self._counted = None
        self._follow(body)
        return EventKind.CONTENT if self._has_content and body else EventKind.PRELUDE

    def _follow(self, body: JSON) -> None:
        for candidate in objects(body.get("candidates")):
            index = number(candidate.get("index")) or 0
            self._seen.add(index)
            if isinstance(pick(candidate, "finishReason"), str):
                self._finished.add(index)
            self._has_content = self._has_content or _has_content(candidate)
        feedback = an_object(pick(body, "promptFeedback"))
        self._is_refused = self._is_refused or isinstance(pick(feedback, "blockReason"), str)


def parse_event(data: bytes) -> Any:
    """Return an event's JSON value, or None if it has none."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _has_content(candidate: JSON) -> bool:
    """Whether a reader would see anything of it: any part but an empty text."""
    parts = objects(an_object(candidate.get("content")).get("parts"))
    return any(part.get("text") or set(part) - {"text", "thought"} for part in parts)


def _expected_candidates(request: JSON) -> int:
    count = number(pick(an_object(pick(request, "generationConfig")), "candidateCount"))
    return count if count is not None and 0 < count <= 64 else 1
