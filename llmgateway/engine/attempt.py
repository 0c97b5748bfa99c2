"""One upstream try: send, and make an outcome of whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

import orjson

from llmgateway.codecs.base import Format, Framing
from llmgateway.codecs.sse import SSESplitter
from llmgateway.engine.headers import client_headers, with_type
from llmgateway.engine.outcome import Outcome
from llmgateway.engine.output import output_of
from llmgateway.engine.plan import Target
from llmgateway.engine.prepare import Prepared
from llmgateway.engine.redact import redacted
from llmgateway.engine.retry import retry_after
from llmgateway.engine.streaming import SHORT_BODY, EventStream, PlainStream
from llmgateway.engine.translate import Translation
from llmgateway.engine.world import World
from llmgateway.errors import (
    AddressRefused,
    AttemptTimedOut,
    ConnectionLost,
    GatewayError,
    InvalidRequest,
    TransportError,
    UpstreamProtocolError,
    UpstreamUnreachable,
)
from llmgateway.redaction import redacting_logger
from llmgateway.settings import Settings
from llmgateway.types import JSON
from llmgateway.types.call import Call
from llmgateway.types.http import RawHeaders
from llmgateway.types.upstream import Timeouts, UpstreamRequest, UpstreamResponse
from llmgateway.types.usage import NO_USAGE, Usage
from llmgateway.types.value import value

logger = redacting_logger(__name__)

_MAX_ERROR_BYTES = 2**20


async def attempt(
    call: Call, target: Target, prepared: Prepared, settings: Settings, world: World
) -> Outcome:
    """Send one request and return what came of it; only cancellation and bugs raise."""
    one = _Attempt(call, target, prepared, settings, world)
    repeatable = type(prepared.body) is bytes
    try:
        if one.timeout_ms is None:
            response = await world.transport().send(one.request())
        else:
            response = await one.send_in_time()
    except (TransportError, AttemptTimedOut, InvalidRequest) as error:
        silent = isinstance(error, UpstreamUnreachable | ConnectionLost)
        untouched = isinstance(error, UpstreamUnreachable | AddressRefused)
        return Outcome.failed(
            one.named(error), never_sent=silent, repeatable=repeatable or untouched
        )
    try:
        outcome = await one.read(response)
    except TransportError as error:
        outcome = Outcome.failed(one.named(error))
    except BaseException:
        await response.aclose()
        raise
    if outcome.stream is None:
        await response.aclose()
    return outcome if repeatable else replace(outcome, repeatable=False)


@value(frozen=True, slots=True)
class _Attempt:
    """What one try is about."""

    call: Call
    target: Target
    prepared: Prepared
    settings: Settings
    world: World

    @property
    def timeout_ms(self) -> int | None:
        """How long the response head may take, beyond the limits of every try."""
        own = self.call.overrides.request_timeout_ms
        return self.target.policy.request_timeout_ms if own is None else own

    def request(self) -> UpstreamRequest:
        """Return what the transport is asked for."""
        prepared, limits = self.prepared, self.settings.limits
        return UpstreamRequest(
            method=self.call.method,
            url=prepared.url,
            headers=prepared.headers,
            body=prepared.body,
            varying=prepared.varying,
            timeouts=_timeouts(limits.connect_s, limits.first_byte_s, limits.idle_s),
            deadline=self.call.deadline,
        )

    async def send_in_time(self) -> UpstreamResponse:
        """Return when the response head is there; `request_timeout` bounds just this."""
        assert self.timeout_ms is not None
        try:
            async with asyncio.timeout(self.timeout_ms / 1000):
                return await self.world.transport().send(self.request())
        except TimeoutError:
            raise AttemptTimedOut(
                f"Request exceeded the timeout sent in the request: {self.timeout_ms}ms"
            ) from None

    async def read(self, response: UpstreamResponse) -> Outcome:
        """Make an outcome of a response: its whole body, its stream's beginning, or its error."""
        status = response.status
        headers = client_headers(response.headers, self.settings.expose_headers)
        if status >= 400:
            return await self._error_answer(response, headers)
        if not 200 <= status < 300:
            raise UpstreamProtocolError(
                f"{self._name} answered with a redirect ({status}), which is never followed; "
                "correct its base URL or custom host."
            )
        if self.call.method == "HEAD" or status in (204, 205):
            return Outcome(status, headers)
        kind = (response.headers.get("content-type") or "").partition(";")[0].strip().lower()
        streamed = self.prepared.stream and kind == "application/octet-stream"
        if kind == "text/event-stream" or streamed:
            return await self._stream(response, headers)
        if self._wire.is_json:
            return await self._json_answer(response, headers)
        read_usage = self._usage_reader(kind)
        length = response.headers.get("content-length")
        if length is not None and length.isdigit() and int(length) <= SHORT_BODY:
            # Read whole, so that a cut one is an outcome.
            raw = await response.read(SHORT_BODY)
            usage = NO_USAGE if read_usage is None else read_usage(raw)
            return Outcome(status, headers, body=raw, usage=usage)
        if length is not None:
            # So that a client sees a cut, whatever the server between does with ours.
            headers = (*headers, (b"content-length", length.encode("ascii")))
        return Outcome(status, headers, stream=PlainStream(response, read_usage))

    def named(self, error: GatewayError) -> GatewayError:
        """Put the provider's name in place of its address, which may be an internal one.

        What the address guard says is for whoever named the address, or set it.
        """
        if isinstance(error, TransportError) and not isinstance(error, AddressRefused):
            error.message = error.message.replace(urlsplit(self.prepared.url).netloc, self._name)
        return error

    @property
    def _name(self) -> str:
        return self.target.provider.name

    @property
    def _wire(self) -> Format:
        return self.prepared.endpoint.format

    async def _stream(self, response: UpstreamResponse, headers: RawHeaders) -> Outcome:
        prepared, framing = self.prepared, self.prepared.endpoint.framing
        cap = self._wire.max_event_bytes or self.settings.limits.max_event_bytes
        output = output_of(prepared, self.call)
        stream = EventStream(
            response,
            SSESplitter(framing if framing is not Framing.NONE else Framing.SSE, cap),
            self._wire.watch(prepared.request, self._name),
            output,
            self.named,
        )
        try:
            error = await stream.hold(self.settings.limits, self.world.monotonic)
        except BaseException:
            await stream.aclose()
            raise
        if error is not None:
            await stream.aclose()
            return Outcome.failed(redacted(error, prepared.secrets), headers=headers)
        return Outcome(response.status, with_type(headers, output.content_type), stream=stream)

    async def _json_answer(self, response: UpstreamResponse, headers: RawHeaders) -> Outcome:
        wire, name, prepared = self._wire, self._name, self.prepared
        raw = await response.read(self.settings.limits.max_response_bytes)
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise UpstreamProtocolError(f"{name} answered with a body that is no JSON.") from None
        if not isinstance(body, dict) or not wire.is_answer(body):
            error = wire.body_error(body, name) if isinstance(body, dict) else None
            if error is not None:
                return Outcome.failed(redacted(error, prepared.secrets), headers=headers)
            if not prepared.stream:
                raise UpstreamProtocolError(
                    f"{name} answered with JSON that is no {wire.name} answer."
                )
        if prepared.stream:
            raise UpstreamProtocolError(f"{name} was asked for a stream and answered with none.")
        usage = wire.usage(body) or NO_USAGE
        if prepared.translation is not None:
            raw = self._translated(prepared.translation, body)
            headers = with_type(headers, b"application/json")
        return Outcome(response.status, headers, body=raw, usage=usage)

    def _translated(self, translation: Translation, body: JSON) -> bytes:
        """Translate an answer; one that lies about its types is the provider's fault, not a 500."""
        try:
            return translation.answer(body)
        except GatewayError:
            raise
        except Exception as error:
            logger.exception("An answer could not be translated.")
            raise UpstreamProtocolError(
                f"{self._name} answered in a form that cannot be translated."
            ) from error

    def _usage_reader(self, kind: str) -> Callable[[bytes], Usage] | None:
        """Return what reads the usage of a body that may count some and need not: a transcription.

        What is only fetched (a batch, a response of the past) was counted when it was made.
        """
        if kind != "application/json" or self.call.method != "POST":
            return None
        return self._usage_of

    def _usage_of(self, raw: bytes) -> Usage:
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return NO_USAGE
        found = self._wire.usage(body) if isinstance(body, dict) else None
        return found or NO_USAGE

    async def _error_answer(self, response: UpstreamResponse, headers: RawHeaders) -> Outcome:
        raw = await response.read(_MAX_ERROR_BYTES)
        error = self._wire.decode_error(response.status, response.headers, raw, self._name)
        return Outcome(
            status=response.status,
            headers=headers,
            error=redacted(error, self.prepared.secrets),
            retry_after_s=retry_after(response.headers, self.world.time()),
        )


@lru_cache(maxsize=8)
def _timeouts(connect_s: float, first_byte_s: float, idle_s: float) -> Timeouts:
    return Timeouts(connect_s, first_byte_s, idle_s)
