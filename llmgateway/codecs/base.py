"""What a wire format is: how to read usage, content and ends without translating anything.

And what a codec and a door are: translators between one format and the hub (see `hub`), which is
Chat Completions with a few named extensions. Pure functions and small state machines; no I/O, no
clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from llmgateway.codecs.slots import Part, Slot
from llmgateway.errors import GatewayError, UpstreamError
from llmgateway.types import JSON
from llmgateway.types.capabilities import UNKNOWN, Capabilities
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

    def skim(self, block: bytes) -> bool:
        """Take some whole events as they came, if nothing in them tells anything; else False.

        True: `feed` would have changed nothing, and seen in none of them an error or bare usage.
        False, and none is taken: they must be fed one by one, for all that can be told so cheaply.
        """
        ...

    def owed(self) -> bytes:
        """Return what a good end still needs (`data: [DONE]`), or nothing."""
        ...


class Denial(Protocol):
    """Follows what went out of one stream, so that guardrails can end it as its format does."""

    def see(self, event: JSON) -> None:
        """Take the next event that went out, parsed. Never raises, whatever the event holds."""
        ...

    def write(self, hook_results: JSON) -> bytes:
        """Return the framed events that end what is open as filtered.

        `hook_results` stands at the top level of the one that says so. The error event that
        follows, and the end, are not part of it.
        """
        ...

    def report(self, hook_results: JSON) -> bytes | None:
        """Return one framed event that changes nothing but tells `hook_results`, for a good end.

        None where the format has no event that every client passes over.
        """
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

    def slots(self, body: JSON, part: Part) -> list[Slot]:
        """Return every place of a body where words stand, in the order in which they stand.

        Never raises: what has a wrong type is passed over. O(size of the body).
        """
        ...

    def insert(self, body: JSON, role: str, text: str) -> None:
        """Add a message to a request, in place; nothing where the format has none.

        One of the role `system` comes first; any other right before the last one of its role, or
        at the end where there is none.
        """
        ...

    def denial(self) -> Denial:
        """Begin to follow a stream of this format that goes out to a caller."""
        ...


# ---- translation


@dataclass(frozen=True, slots=True)
class Context:
    """All that a codec or an answering door may know; built by the engine for one target."""

    model: str
    options: Mapping[str, str] = field(default_factory=dict)
    """The provider's options, without the secret ones."""
    capabilities: Capabilities = UNKNOWN
    compliance: bool = True
    """Portkey's `strict_open_ai_compliance` of the answer."""
    api_version: str | None = None
    """The version header that the caller's format has."""
    now: int = 0
    """Seconds since the epoch, for `created` fields."""
    new_id: Callable[[str], str] = lambda prefix: prefix
    """`new_id("chatcmpl-")` makes an id with that prefix."""
    request: JSON = field(default_factory=dict)
    """The request in hub form; answers need it (stop sequences, tools, stream options)."""
    door_request: JSON = field(default_factory=dict)
    """The request as the caller wrote it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as a provider takes it."""

    body: JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beyond the row's own, by lower-case name: betas that a feature needs."""
    operation: str = ""
    """Which of several paths of the endpoint it is for (`embedContent`, `batchEmbedContents`)."""
    dropped: tuple[str, ...] = ()
    """Parameters of the hub that found no place; the engine refuses, passes or reports them."""
    adjusted: tuple[str, ...] = ()
    """Parameters that were clamped or said in other words with a loss."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A caller's request in hub form."""

    body: JSON
    stream: bool = False
    dropped: tuple[str, ...] = ()
    """What of the caller's format the hub cannot say."""
    adjusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmarked:
    """A caller's request without what a door of ours wrote into its history."""

    body: JSON
    """The very body that was looked at, if it holds no marks."""
    adjusted: tuple[str, ...] = ()
    """Where marks stood, and what had to change with them; empty if there were none."""


class StreamDecoder(Protocol):
    """Turns one provider stream into hub chunks; fresh for each stream."""

    def feed(self, event: Event) -> list[JSON]:
        """Take the next event. Unknown types give nothing; an error event is the `Watch`'s to see,
        which the engine asks first."""
        ...

    def close(self) -> list[JSON]:
        """Return what a good end still owes (a finish, usage)."""
        ...


class StreamEncoder(Protocol):
    """Turns hub chunks into one caller's stream; fresh for each stream."""

    def feed(self, chunk: JSON) -> bytes:
        """Return the events that the next chunk becomes, framed; may be empty."""
        ...

    def close(self) -> bytes:
        """Return what ends the stream well."""
        ...


class Codec(Protocol):
    """The provider's side of a translation: hub → wire → hub. Stateless; safe to share."""

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Write a hub request as the provider takes it; raises `InvalidRequest` with `param`."""
        ...

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Read a whole answer into the hub's form."""
        ...

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Begin to read a streamed answer."""
        ...


class Door(Protocol):
    """The caller's side of a translation: wire → hub → wire. Stateless; safe to share."""

    @property
    def format(self) -> Format: ...

    @property
    def hub(self) -> str:
        """The endpoint that serves it where a provider does not speak its format: `chat`, …"""
        ...

    @property
    def marks(self) -> tuple[bytes, ...] | None:
        """Bytes of which some stand in every raw body that `without_marks` would change.

        Most bodies have none, so that a search is all that native calls pay. None where
        `without_marks` itself costs less: it looks at turns, the search at each byte of a text.
        """
        ...

    def without_marks(self, body: JSON) -> Unmarked:
        """Take out what only we wrote into earlier turns, for a provider that speaks the format.

        Such providers answer 400 to members and signatures that they never gave. What others
        wrote in the same places stays.
        """
        ...

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Read a caller's request; `params` are those of the path (`model`, `operation`).

        Raises `InvalidRequest` with `param` for what no provider behind the hub could serve.
        """
        ...

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write a hub answer as the caller expects it."""
        ...

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Begin to write a streamed answer."""
        ...
