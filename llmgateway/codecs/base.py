"""What a wire format is: how to read usage, content and ends without translating anything.

Pure functions and small state machines; no I/O, no clock. Codecs and doors join here when the
first translated provider does.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from llmgateway.errors import GatewayError, UpstreamError
from llmgateway.types import JSON
from llmgateway.types.http import Headers
from llmgateway.types.usage import Usage


class Framing(Enum):
    """How a streamed body is cut into events."""

    SSE = "sse"
    SSE_LINES = "sse_lines"
    """Server-sent events of one line each, which a blank line may or may not follow."""
    NONE = "none"


class EventKind(Enum):
    """What one event of a stream means for retries, the tee and the relay."""

    PRELUDE = "prelude"
    """Nothing that a reader would see: roles, pings, empty deltas. Held back before content."""
    CONTENT = "content"
    """Text, reasoning, a tool call. Once some has passed, also events that nobody looked into."""
    ERROR = "error"
    USAGE = "usage"
    """Usage and nothing else; dropped again where we, not the caller, asked for it."""
    DONE = "done"
    """The sentinel after the last event (`[DONE]`)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    raw: bytes
    """As it came, with its terminating blank line."""
    name: str | None
    data: bytes
    """The joined `data` lines; empty for comments."""


class Watch(Protocol):
    """Follows one stream and knows, at any time, whether it could end here."""

    @property
    def usage(self) -> Usage | None: ...

    @property
    def error(self) -> UpstreamError | None:
        """What the provider's own error event said, once one has passed."""
        ...

    @property
    def ended_well(self) -> bool:
        """Whether the format allows the stream to end now."""
        ...

    def feed(self, event: Event) -> EventKind:
        """Take the next event; parse no more of it than the answer needs."""
        ...

    def owed(self) -> bytes:
        """Return what a good end still needs (`data: [DONE]`), or nothing."""
        ...


class Format(Protocol):
    """One wire format, read without translating it. Stateless; safe to share."""

    @property
    def name(self) -> str: ...

    @property
    def is_json(self) -> bool:
        """Whether a success that is not a stream must be one JSON object, which is read whole."""
        ...

    @property
    def max_event_bytes(self) -> int | None:
        """A cap of its own for one event (images in events are large); None: the setting's."""
        ...

    def usage(self, body: JSON) -> Usage | None:
        """Read the usage of a whole (not streamed) success body."""
        ...

    def watch(self, request: JSON | None, provider: str) -> Watch:
        """Begin to follow a stream that answers `request`."""
        ...

    def ask_for_usage(self, request: JSON) -> JSON | None:
        """Return the request with usage asked for on its stream, or None if nothing is to do."""
        ...

    def is_answer(self, body: JSON) -> bool:
        """Whether a 2xx body has what makes it an answer; lenient, since providers leave out much.

        Ask `body_error` first: what it does not explain and this refuses is no answer at all.
        """
        ...

    def body_error(self, body: JSON, provider: str) -> UpstreamError | None:
        """Find the error in a body that came with a 2xx status."""
        ...

    def decode_error(
        self, status: int, headers: Headers, body: bytes, provider: str
    ) -> UpstreamError:
        """Rebuild a provider's error answer; unreadable bodies become one too."""
        ...

    def encode_error(self, error: GatewayError, request_id: str) -> JSON:
        """Return an error answer's body in the shape of this format's clients."""
        ...

    def error_event(self, error: GatewayError, request_id: str) -> bytes:
        """Return the event that tells of an error within a stream already begun."""
        ...
