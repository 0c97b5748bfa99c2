"""Bodies whose shape we do not know: files, batches, models, moderations, the proxy."""

from __future__ import annotations

from typing import Final

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.openai import MAX_IMAGE_EVENT_BYTES, OpenAIFormat
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from llmgateway.codecs.spots import Voice, walk
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


def opaque_slots(body: JSON, part: Part) -> list[Slot]:
    """Return the texts under such names as most APIs give to what is said or answered.

    Nothing more is known of them: a request's are the user's, an answer's the assistant's. An
    event's are pieces, and what stands at one place of each event is one text.
    """
    is_event = part is Part.EVENT
    voice = Voice(
        role="user" if part is Part.REQUEST else "assistant",
        kind=SlotKind.DELTA if is_event else SlotKind.TEXT,
        is_event=is_event,
    )
    return [
        voice.slot(found.spot, f"{found.name}:{found.place}", Place.TEXT)
        for found in walk(body)
        if found.name in _WORDS
    ]


_WORDS: Final = frozenset(
    {
        "answer",
        "completion",
        "content",
        "contents",
        "delta",
        "document",
        "documents",
        "generated_text",
        "input",
        "inputs",
        "instructions",
        "message",
        "messages",
        "output",
        "output_text",
        "parts",
        "prompt",
        "prompts",
        "query",
        "question",
        "reasoning",
        "reasoning_content",
        "refusal",
        "response",
        "system",
        "text",
        "texts",
        "thinking",
        "transcript",
    }
)

OPAQUE = OpenAIFormat(
    name="opaque",
    new_watch=OpaqueWatch,
    answers=anything,
    is_json=False,
    max_event_bytes=MAX_IMAGE_EVENT_BYTES,
    read_slots=opaque_slots,
)
