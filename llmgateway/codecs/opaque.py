"""Bodies that we do not read: files, batches, models, fine-tuning, moderations, the proxy."""

from __future__ import annotations

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.openai import MAX_IMAGE_EVENT_BYTES, OpenAIFormat
from llmgateway.types import JSON


class OpaqueWatch:
    """Follows a stream of which nothing is known: any clean end is a good one."""

    usage = None
    error = None
    ended_well = True

    def __init__(self, request: JSON | None, provider: str) -> None:
        """Take what every watch takes; none of it matters here."""

    def feed(self, event: Event) -> EventKind:
        """Take the next event; each may be what the client waits for."""
        return EventKind.CONTENT

    def skim(self, block: bytes) -> bool:
        """Take any events."""
        return True

    def owed(self) -> bytes:
        """Return nothing."""
        return b""


def anything(body: JSON) -> bool:
    """Take any body for an answer."""
    return True


OPAQUE = OpenAIFormat(
    name="opaque",
    new_watch=OpaqueWatch,
    answers=anything,
    is_json=False,
    max_event_bytes=MAX_IMAGE_EVENT_BYTES,
)
