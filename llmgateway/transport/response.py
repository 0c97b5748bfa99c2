"""A response as the engine reads it: its head judged, its body decoded under a cap."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple, cast

import httpcore

from llmgateway.errors import UpstreamProtocolError, UpstreamTooLarge
from llmgateway.transport.base import read_whole
from llmgateway.transport.decoding import Decoder, Identity, decoder_for
from llmgateway.transport.exchange import Exchange
from llmgateway.transport.limits import Phase
from llmgateway.types.http import Headers

MAX_FIELDS = 256
"""Header fields of a response; providers send about 30."""

_VERSIONS = frozenset({b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2"})
"""The last is `http2`'s word, which no head over HTTP/1.1 can say."""
_BODILESS = frozenset({204, 304})
_OF_THE_CODED_BODY = frozenset({b"content-encoding", b"content-length"})
_KEEP_ALIVE = re.compile(r"timeout=([0-9]{1,6})", re.IGNORECASE)


class Framing(NamedTuple):
    """Where a response's body ends."""

    length: int | None
    """None: not announced, so it ends with its last chunk or with the connection."""
    chunked: bool


def framing_of(answer: httpcore.Response, headers: Headers, *, is_head: bool) -> Framing:
    """Judge what h11 lets through, and return where the body ends.

    Raises `UpstreamProtocolError` for a head that two parsers may read in two ways,
    `UpstreamTooLarge` for too many fields. Source: RFC 9112, section 6.3.
    """
    version = answer.extensions["http_version"]
    if version not in _VERSIONS or not 200 <= answer.status <= 599:
        raise UpstreamProtocolError(
            "The provider's response has a status or an HTTP version that the gateway does not"
            " take; it asks for HTTP/1.1 and no upgrade."
        )
    if len(headers) > MAX_FIELDS:
        raise UpstreamTooLarge(f"The provider's response has more than {MAX_FIELDS} headers.")
    codings = headers.get_all("transfer-encoding")
    length = headers.get("content-length")
    chunked = [coding.lower() for coding in codings] == ["chunked"]
    if codings and (not chunked or version == b"HTTP/1.0" or length is not None):
        raise UpstreamProtocolError(
            "The provider's response says in two ways, or in an unknown one, where its body ends."
        )
    if is_head or answer.status in _BODILESS:
        return Framing(0, chunked=False)
    return Framing(None if length is None else int(length), chunked)


class Response:
    """See `types.upstream.UpstreamResponse`. Read by one task at a time."""

    __slots__ = (
        "_answer",
        "_complete",
        "_count",
        "_decoder",
        "_exchange",
        "_max_bytes",
        "_open",
        "_parts",
        "_reading",
        "_status",
        "headers",
    )

    def __init__(self, exchange: Exchange, answer: httpcore.Response) -> None:
        headers = Headers(answer.headers)
        framing = framing_of(answer, headers, is_head=exchange.message.method == b"HEAD")
        decoder = decoder_for(headers.get_all("content-encoding"))
        if not isinstance(decoder, Identity):
            headers = Headers(field for field in headers if field[0] not in _OF_THE_CODED_BODY)
        max_bytes = exchange.max_body_bytes
        if max_bytes is not None and (framing.length or 0) > max_bytes:
            raise _too_large(max_bytes)
        exchange.http.expect_body(
            framing.length,
            chunked=framing.chunked,
            bound=lambda: exchange.watch.bound(Phase.BODY),
        )
        self.headers = headers
        self._status = answer.status
        self._answer = answer
        # httpcore's stream is an async generator, typed as less than that.
        self._parts = cast("AsyncGenerator[bytes, None]", aiter(_stream_of(answer)))
        self._decoder: Decoder = decoder
        self._exchange = exchange
        self._max_bytes = max_bytes
        self._count = 0
        self._open = True
        self._complete = False
        self._reading = False

    @property
    def status(self) -> int:
        """The status code, 200 to 599."""
        return self._status

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body as it arrives; raises a `TransportError` if it is cut."""
        return self

    async def read(self, max_bytes: int) -> bytes:
        """Return the whole decoded body."""
        return await read_whole(self, max_bytes)

    def __aiter__(self) -> Response:
        return self

    async def __anext__(self) -> bytes:
        self._reading = True
        try:
            return await self._next()
        except StopAsyncIteration:
            raise
        except BaseException as exc:
            self._open = False
            error = self._exchange.fail(exc)
            if error is exc:
                raise
            raise error from exc
        finally:
            self._reading = False

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else cut it. Idempotent."""
        if not self._open:
            return
        self._open = False
        self._exchange.close()
        if not self._reading:
            await self._parts.aclose()

    async def _next(self) -> bytes:
        fed = False
        while not self._complete:
            data = self._decoder.read()
            if data:
                self._count += len(data)
                if self._max_bytes is not None and self._count > self._max_bytes:
                    raise _too_large(self._max_bytes)
                if not fed:
                    # Unfolding waits for nothing, so it must make room for other calls itself.
                    await asyncio.sleep(0)
                return data
            part = await self._read()
            if part is None:
                self._decoder.close()
                self._complete = True
            else:
                self._decoder.feed(part)
                fed = True
        raise StopAsyncIteration

    async def _read(self) -> bytes | None:
        """Return what has come of the body; None at its end, with the connection given back."""
        if not self._open:
            # Not the end: what was closed half-way must not look like a whole body.
            raise UpstreamProtocolError("The response was closed before its end was read.")
        part = await anext(self._parts, None)
        if part is None:
            await self._answer.aclose()
            self._open = False
            self._exchange.close(self._idle_s())
        return part

    def _idle_s(self) -> float:
        """Return how long the connection may be used again; 0 if it may not."""
        exchange = self._exchange
        if not exchange.http.ended_cleanly():
            return 0.0
        hint = _KEEP_ALIVE.search(self.headers.get("keep-alive") or "")
        # A second less, so that the provider does not close it while our request is on its way.
        return float(hint[1]) - 1.0 if hint else float("inf")


def _stream_of(answer: httpcore.Response) -> AsyncIterator[bytes]:
    return cast("AsyncIterator[bytes]", answer.stream)


def _too_large(max_bytes: int) -> UpstreamTooLarge:
    return UpstreamTooLarge(
        f"The provider's response is larger than {max_bytes} bytes; ask for less, or raise the"
        " limit `max_response_bytes`."
    )
