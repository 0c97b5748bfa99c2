"""Small streams for the tests of watches."""

from __future__ import annotations

import json
from typing import Any

from llmgateway.codecs.base import Event, EventKind, Watch

DONE = Event(b"data: [DONE]\n\n", None, b"[DONE]")
COMMENT = Event(b": ping\n\n", None, b"")


def event(data: Any, name: str | None = None) -> Event:
    """Return the event of some JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return Event(b"data: " + raw + b"\n\n", name, raw)


def feed(watch: Watch, *events: Event) -> list[EventKind]:
    """Show a watch some events and return what it made of each."""
    return [watch.feed(event) for event in events]


def chunk(delta: Any = None, finish: Any = None, index: int = 0, **members: Any) -> Event:
    """Return one chunk of a chat stream."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "c", "object": "chat.completion.chunk", "choices": [choice], **members})
