"""What goes out over an `H1Connection`: heads encoded once, bodies at the other side's pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

from llmgateway.transport.h1_connection import H1Connection
from llmgateway.transport.message import (
    BODILESS,
    Body,
    announced_length,
    checked_fields,
    checked_method,
)
from llmgateway.transport.url import Origin, split_url
from llmgateway.types.http import RawHeaders
from llmgateway.types.upstream import UpstreamRequest

JOINED_BYTES = 64 * 1024
"""A body up to this goes out in one piece with its head: copying it costs less than a packet."""
MAX_KEPT_HEADS = 512
MAX_KEPT_HEAD_BYTES = 8 * 1024

_Key = tuple[str, str, RawHeaders]


class Heads:
    """Request heads, checked and encoded, but for what depends on the single request.

    Keeps those used last, and so the credentials that went out with them.
    """

    __slots__ = ("_older", "_recent")

    def __init__(self) -> None:
        # Two halves in place of a list in order of use: once the newer one is full, the older goes.
        self._recent: dict[_Key, tuple[Origin, bytes]] = {}
        self._older: dict[_Key, tuple[Origin, bytes]] = {}

    def encode(self, request: UpstreamRequest) -> tuple[Origin, bytes]:
        """Return where a request goes, and its whole head as it is sent.

        Raises what `message.compose` raises, whose words it says.
        """
        key = (request.method, request.url, request.headers)
        kept = self._recent.get(key)
        if kept is None:
            kept = self._older.get(key) or _encode(*key)
            self._keep(key, kept)
        origin, head = kept
        if request.varying:
            head += _lines(request.varying)
        body = request.body
        if not isinstance(body, bytes):
            length = announced_length(request.headers)
            if length is None:
                return origin, head + b"Transfer-Encoding: chunked\r\n\r\n"
            return origin, b"%bContent-Length: %d\r\n\r\n" % (head, length)
        if body or request.method not in BODILESS:
            return origin, b"%bContent-Length: %d\r\n\r\n" % (head, len(body))
        return origin, head + b"\r\n"

    def _keep(self, key: _Key, kept: tuple[Origin, bytes]) -> None:
        if len(kept[1]) > MAX_KEPT_HEAD_BYTES:
            return
        if len(self._recent) >= MAX_KEPT_HEADS // 2:
            self._older, self._recent = self._recent, {}
        self._recent[key] = kept


def _encode(method: str, url: str, headers: RawHeaders) -> tuple[Origin, bytes]:
    origin, target = split_url(url)
    start = b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (
        checked_method(method),
        target.encode("ascii"),
        origin.authority.encode("ascii"),
    )
    return origin, b"%b%bAccept-Encoding: identity\r\n" % (start, _lines(headers))


def _lines(headers: RawHeaders) -> bytes:
    return b"".join([b"%b: %b\r\n" % field for field in checked_fields(headers)])


def write_at_once(
    connection: H1Connection, body: bytes | AsyncIterator[bytes], head: bytes
) -> bool:
    """Send a request whose body is small; False, and nothing done, if it is not."""
    if not isinstance(body, bytes) or len(body) > JOINED_BYTES:
        return False
    connection.write(head + body)
    connection.is_sent = True
    return not connection.paused_writing


async def write_request(connection: H1Connection, request: UpstreamRequest, head: bytes) -> None:
    """Send a request; returns early once its answer or the connection's end is there.

    Raises what the body's iterator raises, and `InvalidRequest` if that is longer or shorter than
    its Content-Length: then the connection must be closed.
    """
    body, idle_s = request.body, request.timeouts.idle_s
    if isinstance(body, bytes):
        connection.write(head)
        connection.write(body)
        connection.is_sent = True
        await connection.drain(idle_s)
    else:
        connection.write(head)
        await _write_chunks(connection, body, announced_length(request.headers), idle_s)


async def _write_chunks(
    connection: H1Connection, chunks: AsyncIterator[bytes], length: int | None, idle_s: float
) -> None:
    body = Body(chunks, length)
    waiting = _Waiting()
    connection.interrupt = waiting.end
    try:
        while not connection.is_over():
            connection.limit_sending()
            chunk: bytes | None = None
            with waiting:
                chunk = await anext(body, None)
            if connection.is_over():
                return
            if chunk is None:
                if length is None:
                    connection.write(b"0\r\n\r\n")
                connection.is_sent = True
            elif chunk:
                if length is None:
                    chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
                connection.write(chunk)
            if connection.paused_writing:
                await connection.drain(idle_s)
            if connection.is_sent:
                return
    finally:
        connection.interrupt = None


class _Waiting:
    """A wait of the task that made it which others may end: entered, it is left at once then.

    As `asyncio.timeout` does it; what is waited for is cancelled.
    """

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "sent by a task"
        self._task = task
        self._entered = self._ended = False
        self._cancelling = 0

    def end(self) -> None:
        """End the wait, if there is one."""
        if self._entered and not self._ended:
            self._ended = True
            self._task.cancel()

    def __enter__(self) -> None:
        self._entered = True
        self._cancelling = self._task.cancelling()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._entered = False
        # Who else cancels the task meanwhile is not to be overheard.
        return (
            self._ended
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        )
