"""The stream of bytes under httpcore: one connection that our own dialling made.

httpcore (the engine of httpx) reads and writes HTTP through a stream that it is handed. This one
never hands out a byte beyond the end of a message, so that stray bytes after an answer stay where
they can be seen: h11 would keep them and take them for the next caller's answer.
Runs on the loop's thread; nothing here waits but `start_tls`, `read` and `write`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, cast

import httpcore

from llmgateway.errors import UpstreamProtocolError, UpstreamTooLarge
from llmgateway.transport.ending import has_close_notify

HIGH_WATER_BYTES = 64 * 1024
"""Reading stops above this; the loop may have read up to 256 KiB at once by then."""
MAX_HEAD_BYTES = 64 * 1024
"""Status line and header fields; interim answers (1xx) have as much each."""
MAX_INTERIM_HEADS = 16
MAX_CHUNK_LINE_BYTES = 4096
"""A chunk's size with its extensions, or one trailer."""
MAX_CHUNKS_AT_ONCE = 64
"""Handed out by one read, so that tiny chunks do not hold the loop."""

Bound = Callable[[], AbstractAsyncContextManager[object]]

_HEAD_END = re.compile(rb"\n\r?\n")
_FINAL_STATUS = re.compile(rb"HTTP/1\.. [2-9]")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}(?=[;\s])")


class Stream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One TCP or TLS connection: reads on demand, writes with back-pressure, closes at once."""

    def __init__(self) -> None:
        self.received = 0
        """Bytes that have arrived since the connection was made."""
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._paused_reading = False
        self._paused_writing = False
        self._eof = False
        """A clean end: whatever is read until here is whole."""
        self._closing = False
        self._lost = False
        self._fault: Exception | None = None
        self._framing: _Framing = _Heads()
        self._bound: Bound = nullcontext
        self._ran_on = False
        """Whether the last read found its data without waiting."""

    # What the exchange says of the message to come

    def expect_head(self) -> None:
        """Hand out heads, one at a time, until told more; the exchange bounds the time."""
        self._framing = _Heads()
        self._bound = nullcontext

    def expect_body(self, length: int | None, *, chunked: bool, bound: Bound) -> None:
        """Hand out a body of `length` bytes, or chunks, or all until the connection ends.

        `bound` limits each wait for more of it: a timer per wait, none for what has come already.
        """
        self._framing = _Chunks() if chunked else _Length(length)
        self._bound = bound

    def ended_cleanly(self) -> bool:
        """Tell whether the message ended where it said, with nothing after it."""
        return self._framing.ended and not self.get_extra_info("is_readable")

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport: called once, before anything else."""
        # uvloop's transports are no subclasses of asyncio's, so nothing can be asserted here.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Buffer what came; stop reading above the high-water mark."""
        self.received += len(data)
        self._buffer += data
        if len(self._buffer) >= HIGH_WATER_BYTES and not self._paused_reading:
            self._paused_reading = True
            self._transport_now().pause_reading()
        _wake(self._reader)
        if self._answers_early():
            _wake(self._writer)

    def eof_received(self) -> None:
        """Note the end; the loop closes the connection."""
        self._closing = True
        tls = self._transport_now().get_extra_info("ssl_object")
        self._eof = tls is None or has_close_notify(tls)
        _wake(self._reader)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note why nothing more will come or go."""
        self._closing = self._lost = True
        self._fault = exc
        _wake(self._reader)
        _wake(self._writer)

    def pause_writing(self) -> None:
        """Let `write` wait: the peer is slower than we are."""
        self._paused_writing = True

    def resume_writing(self) -> None:
        """Let `write` go on."""
        self._paused_writing = False
        _wake(self._writer)

    # httpcore.AsyncNetworkStream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, at most to the end of the message; b"" at a clean end.

        Raises `httpcore.ReadError` if the connection broke, `TimeoutError` from its bound.
        """
        if self._ran_on:
            # A provider that is faster than we are must not keep the other calls waiting.
            await asyncio.sleep(0)
        self._ran_on = True
        while True:
            size = self._framing.grant(self._buffer, max_bytes)
            if size:
                return self._take(size)
            if self._lost or self._eof:
                if self._buffer:  # the beginning of something: h11 says of what
                    return self._take(min(len(self._buffer), max_bytes))
                if self._eof:
                    return b""
                raise httpcore.ReadError from self._fault
            self._ran_on = False
            self._resume_reading()
            self._reader = asyncio.get_running_loop().create_future()
            try:
                async with self._bound():
                    await self._reader
            finally:
                self._reader = None

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send `buffer`; waits up to `timeout` seconds while the peer takes nothing.

        Raises `httpcore.WriteTimeout`, or `httpcore.WriteError` if the connection broke or the
        answer is there already: httpcore then reads that and closes the connection.
        """
        self._check_writable()
        if not buffer:
            return
        self._transport_now().write(buffer)
        while self._paused_writing:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._writer
            except TimeoutError as exc:
                raise httpcore.WriteTimeout from exc
            finally:
                self._writer = None
            self._check_writable()

    async def aclose(self) -> None:
        """Close at once; never waits."""
        self.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Turn the connection into TLS for `server_hostname`; raises `ssl.SSLError`, `OSError`.

        Over a connection that is TLS already, TLS is put within it.
        """
        if self._buffer:
            # Anyone on the way may have sent it; read after the handshake it would pass for an
            # answer that TLS vouches for. Later bytes go to the handshake, which they break.
            self.abort()
            raise ssl.SSLError("plain text before the TLS handshake")
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport_now(), self, ssl_context, server_hostname=server_hostname
            )
        except BaseException:
            self.abort()
            raise
        if transport is None or self._lost:
            self.abort()
            raise ConnectionResetError("closed during the TLS handshake")
        self._transport = transport
        return self

    def get_extra_info(self, info: str) -> Any:
        """Answer httpcore's questions; "is_readable" of an idle connection means: not reusable."""
        if info == "is_readable":
            return bool(self._buffer) or self._closing
        return self._transport_now().get_extra_info(info)

    def abort(self) -> None:
        """Close at once; what was not sent yet is dropped. Idempotent."""
        if self._transport is not None:
            self._transport.abort()

    # Inside

    def _transport_now(self) -> asyncio.Transport:
        assert self._transport is not None, "connection_made comes first"
        return self._transport

    def _take(self, size: int) -> bytes:
        with memoryview(self._buffer) as view:
            data = bytes(view[:size])
        del self._buffer[:size]
        if len(self._buffer) < HIGH_WATER_BYTES:
            self._resume_reading()
        return data

    def _resume_reading(self) -> None:
        if self._paused_reading and not self._closing:
            self._paused_reading = False
            self._transport_now().resume_reading()

    def _check_writable(self) -> None:
        if self._closing:
            raise httpcore.WriteError from self._fault
        if self._answers_early():
            raise httpcore.WriteError

    def _answers_early(self) -> bool:
        """Tell whether a final answer came before the request was wholly sent: a 413, say."""
        return _FINAL_STATUS.match(self._buffer) is not None


class _Framing:
    """How much of what has come belongs to the message that is being read."""

    ended = False
    """True once the whole message was handed out."""

    def grant(self, buffer: bytearray, max_bytes: int) -> int:
        """Return how many bytes go out now; the caller takes just as many."""
        raise NotImplementedError


class _Heads(_Framing):
    """One head after the other, each whole, so that no byte of a body goes out with it."""

    def __init__(self) -> None:
        self._searched = 0
        self._left = 0
        self._heads = 0

    def grant(self, buffer: bytearray, max_bytes: int) -> int:
        if not self._left:
            match = _HEAD_END.search(buffer, max(0, self._searched - 2))
            self._searched = 0 if match else len(buffer)
            self._left = match.end() if match else 0
            self._heads += bool(match)
            if max(self._searched, self._left) > MAX_HEAD_BYTES:
                raise UpstreamTooLarge(
                    f"The provider's response head is larger than {MAX_HEAD_BYTES} bytes."
                )
            if self._heads > 1 + MAX_INTERIM_HEADS:
                raise UpstreamProtocolError(
                    f"The provider sent more than {MAX_INTERIM_HEADS} interim responses (1xx)."
                )
        size = min(self._left, max_bytes)
        self._left -= size
        return size


class _Length(_Framing):
    """As many bytes as were announced; with None, all until the connection ends."""

    def __init__(self, length: int | None) -> None:
        self._left = length
        self.ended = length == 0

    def grant(self, buffer: bytearray, max_bytes: int) -> int:
        size = min(len(buffer), max_bytes)
        if self._left is not None:
            size = min(size, self._left)
            self._left -= size
            self.ended = not self._left
        return size


class _Chunks(_Framing):
    """Chunks up to the last one and its trailers; what they hold is h11's to judge.

    Source: RFC 9112, section 7.1.
    """

    def __init__(self) -> None:
        self._left = 0
        """Of the chunk that is being read, its line end included."""
        self._in_trailers = False

    def grant(self, buffer: bytearray, max_bytes: int) -> int:
        at, end = 0, min(len(buffer), max_bytes)
        lines = 0
        while at < end and not self.ended and lines < MAX_CHUNKS_AT_ONCE:
            if self._left:
                step = min(self._left, end - at)
                self._left -= step
                at += step
                continue
            newline = buffer.find(b"\n", at, at + MAX_CHUNK_LINE_BYTES)
            if newline < 0 and len(buffer) - at >= MAX_CHUNK_LINE_BYTES:
                raise UpstreamProtocolError(
                    "The provider's response has a chunk or trailer line longer than"
                    f" {MAX_CHUNK_LINE_BYTES} bytes."
                )
            if not at <= newline < end:
                break
            self._read_line(bytes(buffer[at : newline + 1]))
            at = newline + 1
            lines += 1
        return at

    def _read_line(self, line: bytes) -> None:
        if self._in_trailers:
            self.ended = not line.strip(b"\r\n")
            return
        match = _CHUNK_SIZE.match(line)
        if match is None:
            raise UpstreamProtocolError("The provider's response has a broken chunk.")
        size = int(match[0], 16)
        self._left = size + len(b"\r\n") if size else 0
        self._in_trailers = not size


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
