"""One upstream try: send, and make an outcome of whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import orjson

from llmgateway.codecs.base import Framing
from llmgateway.codecs.sse import SSESplitter
from llmgateway.engine.headers import client_headers
from llmgateway.engine.outcome import Outcome
from llmgateway.engine.plan import Target
from llmgateway.engine.prepare import Prepared
from llmgateway.engine.retry import retry_after
from llmgateway.engine.streaming import SHORT_BODY, EventStream, PlainStream
from llmgateway.engine.world import World
from llmgateway.errors import (
    AddressRefused,
    AttemptTimedOut,
    ConnectionLost,
    GatewayError,
    InvalidRequest,
    TransportError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamTooLarge,
    UpstreamUnreachable,
)
from llmgateway.settings import Settings
from llmgateway.types.call import Call
from llmgateway.types.http import RawHeaders
from llmgateway.types.upstream import Timeouts, UpstreamRequest, UpstreamResponse
from llmgateway.types.usage import NO_USAGE, Usage

_MAX_ERROR_BYTES = 2**20


async def attempt(
    call: Call, target: Target, prepared: Prepared, settings: Settings, world: World
) -> Outcome:
    """Send one request and return what came of it; only cancellation and bugs raise."""
    repeatable = isinstance(prepared.body, bytes)
    try:
        response = await _send(call, target, prepared, settings, world)
    except (TransportError, AttemptTimedOut, InvalidRequest) as error:
        silent = isinstance(error, UpstreamUnreachable | ConnectionLost)
        untouched = isinstance(error, UpstreamUnreachable | AddressRefused)
        return Outcome.failed(error, never_sent=silent, repeatable=repeatable or untouched)
    try:
        outcome = await _read(call, target, prepared, response, settings, world)
    except TransportError as error:
        outcome = Outcome.failed(error)
    except BaseException:
        await response.aclose()
        raise
    if outcome.stream is None:
        await response.aclose()
    return replace(outcome, repeatable=repeatable)


async def _send(
    call: Call, target: Target, prepared: Prepared, settings: Settings, world: World
) -> UpstreamResponse:
    limits = settings.limits
    request = UpstreamRequest(
        method=call.method,
        url=prepared.url,
        headers=prepared.headers,
        body=prepared.body,
        timeouts=Timeouts(limits.connect_s, limits.first_byte_s, limits.idle_s),
        deadline=call.deadline,
    )
    own = call.overrides.request_timeout_ms
    timeout_ms = target.policy.request_timeout_ms if own is None else own
    if timeout_ms is None:
        return await world.transport().send(request)
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            return await world.transport().send(request)
    except TimeoutError:
        raise AttemptTimedOut(
            f"Request exceeded the timeout sent in the request: {timeout_ms}ms"
        ) from None


async def _read(
    call: Call,
    target: Target,
    prepared: Prepared,
    response: UpstreamResponse,
    settings: Settings,
    world: World,
) -> Outcome:
    status = response.status
    if status >= 400:
        return await _error_answer(target, prepared, response, settings, world)
    if not 200 <= status < 300:
        raise UpstreamProtocolError(
            f"{target.provider.name} answered with a redirect ({status}), which is never "
            "followed; correct its base URL or custom host."
        )
    headers = client_headers(response.headers, settings.expose_headers)
    if call.method == "HEAD" or status in (204, 205):
        return Outcome(status, headers)
    kind = (response.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind == "text/event-stream" or (prepared.stream and kind == "application/octet-stream"):
        stream = _event_stream(call, target, prepared, response, settings)
        try:
            error = await stream.hold(settings.limits, world.monotonic)
        except BaseException:
            await stream.aclose()
            raise
        if error is not None:
            await stream.aclose()
            return Outcome.failed(redacted(error, prepared.secrets), headers=headers)
        return Outcome(status, headers, stream=stream)
    if prepared.endpoint.format.is_json:
        return await _json_answer(target, prepared, response, settings, headers)
    read_usage = _usage_reader(call, prepared, kind)
    length = response.headers.get("content-length")
    if length is not None and length.isdigit() and int(length) <= SHORT_BODY:
        # Read whole, so that a cut one is an outcome.
        raw = await read_whole(response, SHORT_BODY)
        usage = NO_USAGE if read_usage is None else read_usage(raw)
        return Outcome(status, headers, body=raw, usage=usage)
    return Outcome(status, headers, stream=PlainStream(response, read_usage))


def _event_stream(
    call: Call,
    target: Target,
    prepared: Prepared,
    response: UpstreamResponse,
    settings: Settings,
) -> EventStream:
    wire = prepared.endpoint.format
    framing = prepared.endpoint.framing
    cap = wire.max_event_bytes or settings.limits.max_event_bytes
    return EventStream(
        response,
        SSESplitter(framing if framing is not Framing.NONE else Framing.SSE, cap),
        wire.watch(prepared.request, target.provider.name),
        wire,
        call.trace_id,
        hide_usage=prepared.hide_usage,
    )


async def _json_answer(
    target: Target,
    prepared: Prepared,
    response: UpstreamResponse,
    settings: Settings,
    headers: RawHeaders,
) -> Outcome:
    wire, name = prepared.endpoint.format, target.provider.name
    raw = await read_whole(response, settings.limits.max_response_bytes)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise UpstreamProtocolError(f"{name} answered with a body that is no JSON.") from None
    if isinstance(body, dict) and (error := wire.body_error(body, name)) is not None:
        return Outcome.failed(redacted(error, prepared.secrets), headers=headers)
    if prepared.stream:
        raise UpstreamProtocolError(f"{name} was asked for a stream and answered with none.")
    if not isinstance(body, dict) or not wire.is_answer(body):
        raise UpstreamProtocolError(f"{name} answered with JSON that is no {wire.name} answer.")
    return Outcome(response.status, headers, body=raw, usage=wire.usage(body) or NO_USAGE)


def _usage_reader(call: Call, prepared: Prepared, kind: str) -> Callable[[bytes], Usage] | None:
    """Return what reads the usage of a body that may count some and need not: a transcription.

    What is only fetched (a batch, a response of the past) was counted when it was made.
    """
    if kind != "application/json" or call.method != "POST":
        return None
    return lambda raw: _usage_of(raw, prepared)


def _usage_of(raw: bytes, prepared: Prepared) -> Usage:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return NO_USAGE
    found = prepared.endpoint.format.usage(body) if isinstance(body, dict) else None
    return found or NO_USAGE


async def _error_answer(
    target: Target,
    prepared: Prepared,
    response: UpstreamResponse,
    settings: Settings,
    world: World,
) -> Outcome:
    raw = await read_whole(response, _MAX_ERROR_BYTES)
    wire, name = prepared.endpoint.format, target.provider.name
    error = wire.decode_error(response.status, response.headers, raw, name)
    return Outcome(
        status=response.status,
        headers=client_headers(response.headers, settings.expose_headers),
        error=redacted(error, prepared.secrets),
        retry_after_s=retry_after(response.headers, world.time()),
    )


async def read_whole(response: UpstreamResponse, cap: int) -> bytes:
    """Read a body to its end; raises `UpstreamTooLarge` past `cap` bytes."""
    parts: list[bytes] = []
    size = 0
    async for chunk in response.chunks():
        size += len(chunk)
        if size > cap:
            raise UpstreamTooLarge(f"The provider's answer is over {cap} bytes.")
        parts.append(chunk)
    return b"".join(parts)


def redacted(error: GatewayError, secrets: tuple[str, ...]) -> GatewayError:
    """Take our credentials out of a provider's words; some repeat the key they refuse."""
    if not isinstance(error, UpstreamError):
        return error
    for secret in secrets:
        if len(secret) < 6:
            continue
        error.message = error.message.replace(secret, "[redacted]")
        if error.extra and secret in str(error.extra):
            error.extra = {}
    return error
