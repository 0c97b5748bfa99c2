"""A provider on loopback that sends the bytes it is told to, and counts what it sees."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from llmgateway.transport.base import Transport
from llmgateway.types.http import RawHeaders
from llmgateway.types.upstream import Timeouts, UpstreamRequest, UpstreamResponse

PATIENCE_S = 5.0
"""How long a test waits for what must happen."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

_LENGTH = re.compile(rb"(?im)^content-length: *(\d+)\r$")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding: *chunked\r$")


class Peer:
    """One accepted connection, as the script sees it."""

    def __init__(
        self, provider: Provider, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = provider.accepted
        self._provider = provider
        self._reader = reader
        self._writer = writer

    @property
    def alpn(self) -> str | None:
        """The protocol that TLS agreed on."""
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return tls.selected_alpn_protocol()

    @property
    def certificate(self) -> dict[str, Any]:
        """What the other side's certificate says; empty if it showed none."""
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        return tls.getpeercert() or {}

    async def head(self) -> bytes:
        """Read one request's head."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """Read one whole request; return its head and body as they came."""
        head = await self.head()
        body = b""
        if match := _LENGTH.search(head):
            body = await self._reader.readexactly(int(match[1]))
        elif _CHUNKED.search(head):
            body = await self._reader.readuntil(b"0\r\n\r\n")
        self._provider.requests.append(head + body)
        await self._provider.changed()
        return head + body

    async def take(self, size: int | None = None) -> bytes:
        """Read so many bytes, or what has come."""
        return await (self._reader.read(65536) if size is None else self._reader.readexactly(size))

    async def send(self, *pieces: bytes) -> None:
        """Send bytes, each piece on its own."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def pour(self, piece: bytes) -> None:
        """Send a piece over and over until the other side closes."""
        with suppress(ConnectionError):
            while True:
                await self.send(piece)
                self._provider.poured += len(piece)

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        with suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on in TLS."""
        await self._writer.start_tls(context)

    def reset(self) -> None:
        """Break the connection off: the other side gets a reset."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def cut(self) -> None:
        """Close the TCP connection without a word from TLS."""
        raw = self._writer.get_extra_info("socket")
        with socket.socket(fileno=socket.dup(raw.fileno())) as copy:
            copy.shutdown(socket.SHUT_WR)


Script = Callable[[Peer], Awaitable[None]]


class Provider:
    """The listening side; each connection follows the script, then is closed."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.accepted = 0
        self.open = 0
        self.poured = 0
        self._script = script
        self._tls = tls
        self._change = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, ssl=self._tls, backlog=1024
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """The same for one that speaks TLS."""
        return f"https://127.0.0.1:{self.port}"

    async def until(self, condition: Callable[[Provider], bool]) -> None:
        """Wait until something is so; fails after `PATIENCE_S`."""
        async with asyncio.timeout(PATIENCE_S), self._change:
            await self._change.wait_for(lambda: condition(self))

    async def changed(self) -> None:
        """Let `until` look again."""
        async with self._change:
            self._change.notify_all()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A plain function, so that the tasks are ours to end.
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        await self.changed()
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._script(Peer(self, reader, writer))
        finally:
            self.open -= 1
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()
            await self.changed()


def answer(*pieces: bytes) -> Script:
    """A script: read one request, send the pieces, close."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)

    return script


def answer_each(*pieces: bytes) -> Script:
    """A script: answer each request of the connection so, until the other side closes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*pieces)

    return script


def answer_and_wait(*pieces: bytes) -> Script:
    """A script: read one request, send the pieces, then nothing until the other side closes."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)
        await peer.gone()

    return script


async def turns(number: int = 10) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    """A request body in pieces."""
    for chunk in chunks:
        yield chunk


def ask(
    url: str,
    method: str = "POST",
    headers: RawHeaders = (),
    body: bytes | AsyncIterator[bytes] = b"",
    **more: Any,
) -> UpstreamRequest:
    """A request to send; `more` are its other fields, or limits of time that end in `_s`."""
    limits = {name: more.pop(name) for name in list(more) if name.endswith("_s")}
    return UpstreamRequest(method, url, headers, body, timeouts=Timeouts(**limits), **more)


async def read(response: UpstreamResponse) -> bytes:
    """Read a response to its end and close it."""
    try:
        return b"".join([chunk async for chunk in response.chunks()])
    finally:
        await response.aclose()


async def fetch(transport: Transport, request: UpstreamRequest) -> tuple[int, bytes]:
    """Send, read and close: the status and the body."""
    response = await transport.send(request)
    return response.status, await read(response)
