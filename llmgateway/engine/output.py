"""What goes out to a caller for each event that comes in: the event itself, or its translation."""

from __future__ import annotations

from typing import Protocol

from llmgateway.codecs.base import Event, EventKind, Format
from llmgateway.codecs.generate_content import ArrayFrames
from llmgateway.engine.prepare import Prepared
from llmgateway.engine.redact import redacted, redacted_bytes
from llmgateway.engine.translate import StreamTranslator
from llmgateway.errors import GatewayError, UpstreamProtocolError
from llmgateway.redaction import redacting_logger
from llmgateway.types.call import Call

logger = redacting_logger(__name__)


class Output(Protocol):
    """The caller's side of one stream."""

    @property
    def content_type(self) -> bytes | None:
        """The type of what goes out; None: the provider's own."""
        ...

    @property
    def is_verbatim(self) -> bool:
        """Whether events of which the watch needs to see nothing go out as they came."""
        ...

    def feed(self, event: Event, kind: EventKind) -> bytes:
        """Return what the next event becomes."""
        ...

    def error(self, event: Event, error: GatewayError) -> bytes:
        """Return what the provider's own error event becomes."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """Return what tells of an error that the gateway met."""
        ...

    def close(self, rest: bytes, owed: bytes) -> bytes:
        """Return what ends the stream well.

        `rest` is what followed the last whole event, `owed` what the provider's format lacks.
        """
        ...


class PassedOn:
    """Caller and provider speak the same format: the bytes go as they came."""

    content_type = None
    is_verbatim = True

    def __init__(
        self, wire: Format, request_id: str, secrets: tuple[str, ...], *, hide_usage: bool
    ) -> None:
        self._format = wire
        self._secrets = secrets
        self._request_id = request_id
        self._hide_usage = hide_usage

    def feed(self, event: Event, kind: EventKind) -> bytes:
        return b"" if self._hide_usage and kind is EventKind.USAGE else event.raw

    def error(self, event: Event, error: GatewayError) -> bytes:
        redacted(error, self._secrets)
        return redacted_bytes(event.raw, self._secrets)

    def fail(self, error: GatewayError) -> bytes:
        return b"\n" + self._format.error_event(error, self._request_id)

    def close(self, rest: bytes, owed: bytes) -> bytes:
        return rest + owed


class Translating:
    """Each event goes through the hub."""

    content_type = b"text/event-stream"
    is_verbatim = False

    def __init__(
        self,
        stream: StreamTranslator,
        caller: Format,
        request_id: str,
        secrets: tuple[str, ...],
    ) -> None:
        self._stream = stream
        self._secrets = secrets
        self._format = caller
        self._request_id = request_id
        self._has_failed = False

    def feed(self, event: Event, kind: EventKind) -> bytes:
        try:
            return self._stream.feed(event)
        except Exception as error:
            raise _untranslatable(error) from error

    def error(self, event: Event, error: GatewayError) -> bytes:
        if self._has_failed:
            return b""
        self._has_failed = True
        return self.fail(redacted(error, self._secrets))

    def fail(self, error: GatewayError) -> bytes:
        return self._format.error_event(error, self._request_id)

    def close(self, rest: bytes, owed: bytes) -> bytes:
        try:
            return self._stream.close()
        except Exception as error:
            raise _untranslatable(error) from error


def _untranslatable(error: Exception) -> GatewayError:
    """Return what to raise: what lies about its types is the provider's fault, no bug of ours."""
    if isinstance(error, GatewayError):
        return error
    logger.exception("A stream could not be translated.")
    return UpstreamProtocolError("The provider's stream has a form that cannot be translated.")


class AsArray:
    """The caller did not ask for events: what they hold becomes the elements of one array."""

    content_type = b"application/json"
    is_verbatim = False

    def __init__(self, events: Output) -> None:
        self._events = events
        self._frames = ArrayFrames()

    def feed(self, event: Event, kind: EventKind) -> bytes:
        return self._frames.feed(self._events.feed(event, kind))

    def error(self, event: Event, error: GatewayError) -> bytes:
        return self._frames.feed(self._events.error(event, error))

    def fail(self, error: GatewayError) -> bytes:
        return self._frames.feed(self._events.fail(error))

    def close(self, rest: bytes, owed: bytes) -> bytes:
        return self._frames.feed(self._events.close(rest, owed)) + self._frames.close()


def output_of(prepared: Prepared, call: Call) -> Output:
    """Return how a target's events become the caller's; guarded, they stay events until then."""
    events: Output
    if prepared.translation is not None:
        events = Translating(
            prepared.translation.stream(), prepared.answers_in, call.trace_id, prepared.secrets
        )
    else:
        events = PassedOn(
            prepared.answers_in, call.trace_id, prepared.secrets, hide_usage=prepared.hide_usage
        )
    if is_array(call) and not prepared.is_guarded:
        return AsArray(events)
    return events


def is_array(call: Call) -> bool:
    """Tell whether the caller wants a stream as the elements of one array."""
    return "alt" in call.params and call.params["alt"] != "sse"
