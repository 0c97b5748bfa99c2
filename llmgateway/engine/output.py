"""What goes out to a caller for each event that comes in: the event itself, or its translation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from llmgateway.codecs.base import Event, EventKind, Format
from llmgateway.codecs.generate_content import ArrayFrames
from llmgateway.engine.prepare import Prepared
from llmgateway.engine.redact import redacted, redacted_bytes
from llmgateway.engine.translate import StreamTranslator
from llmgateway.errors import GatewayError, UpstreamProtocolError
from llmgateway.types.call import Call

logger = logging.getLogger(__name__)


class Output(Protocol):
    """The caller's side of one stream."""

    @property
    def content_type(self) -> bytes | None:
        """The type of what goes out; None: the provider's own."""
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
        return self._translated(lambda: self._stream.feed(event))

    def error(self, event: Event, error: GatewayError) -> bytes:
        if self._has_failed:
            return b""
        self._has_failed = True
        return self.fail(redacted(error, self._secrets))

    def fail(self, error: GatewayError) -> bytes:
        return self._format.error_event(error, self._request_id)

    def close(self, rest: bytes, owed: bytes) -> bytes:
        return self._translated(self._stream.close)

    def _translated(self, step: Callable[[], bytes]) -> bytes:
        """Take a step; what lies about its types is the provider's fault, not a bug of ours."""
        try:
            return step()
        except GatewayError:
            raise
        except Exception as error:
            logger.exception("A stream could not be translated.")
            raise UpstreamProtocolError(
                "The provider's stream has a form that cannot be translated."
            ) from error


class AsArray:
    """The caller did not ask for events: what they hold becomes the elements of one array."""

    content_type = b"application/json"

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
    """Return how a target's events become the caller's."""
    events: Output
    if prepared.translation is not None:
        events = Translating(
            prepared.translation.stream(), prepared.answers_in, call.trace_id, prepared.secrets
        )
    else:
        events = PassedOn(
            prepared.answers_in, call.trace_id, prepared.secrets, hide_usage=prepared.hide_usage
        )
    if "alt" in call.params and call.params["alt"] != "sse":
        return AsArray(events)
    return events
