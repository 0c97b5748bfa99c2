"""One request of the fake provider and its answer, over ASGI; the wire's faults are put in here."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from llmgateway.testing.answers import Answer, Stream
from llmgateway.testing.script import Script
from llmgateway.types.http import Headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]

KEPT_BODY_BYTES = 64 * 2**10
"""So much of a request's body stays in the log."""
_FAULT_AFTER = 2
"""Chunks of content before a stream breaks."""


class ClientGone(Exception):
    """The caller has closed the connection."""


@dataclass(slots=True, eq=False)
class Received:
    """A request as the fake provider's log keeps it."""

    method: str
    path: str
    query: str
    headers: Headers
    model: str | None = None
    body: bytes = b""
    """The first `KEPT_BODY_BYTES`."""
    body_bytes: int = 0
    """How long it was."""
    finished: threading.Event = field(default_factory=threading.Event)
    """Set when the exchange has ended, well or not; tests wait for it in other threads."""
    disconnected: threading.Event = field(default_factory=threading.Event)
    """Set when the caller was gone before the answer was complete."""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def body_sha256(self) -> str:
        """The digest of the whole body, in hex."""
        return self._digest.hexdigest()

    def add(self, data: bytes) -> None:
        """Take the next piece of the body."""
        self._digest.update(data)
        self.body += data[: max(0, KEPT_BODY_BYTES - len(self.body))]
        self.body_bytes += len(data)

    def json(self) -> Any:
        """Return the body as JSON."""
        return orjson.loads(self.body)


class Exchange:
    """Reads one request and writes its answer. Use it with `async with`."""

    def __init__(self, receive: Receive, send: Send, received: Received, sleep: Sleep) -> None:
        self.received = received
        self._receive, self._send, self._sleep = receive, send, sleep
        self._gone: asyncio.Task[None] | None = None
        self._complete = False

    async def __aenter__(self) -> Exchange:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._gone is not None:
            self._gone.cancel()
        self.received.finished.set()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the request's body as it arrives; raises `ClientGone`."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._lost()
            data = message.get("body", b"")
            self.received.add(data)
            yield data
            if not message.get("more_body", False):
                break
        # From here on nothing but the end of the connection can arrive.
        self._gone = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _lost(self) -> None:
        self.received.disconnected.set()
        raise ClientGone

    async def pause(self, seconds: float | None) -> None:
        """Wait, or wait for ever if None; raises `ClientGone` as soon as the caller is gone."""
        waits: set[asyncio.Future[Any]] = set() if self._gone is None else {self._gone}
        if seconds is not None:
            waits.add(asyncio.ensure_future(self._wait(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits - {self._gone}:
                wait.cancel()
        self._check()

    async def _wait(self, seconds: float) -> None:
        await self._sleep(seconds)

    def _check(self) -> None:
        if self._gone is not None and self._gone.done() and not self._complete:
            self._lost()

    async def answer(self, answer: Answer, script: Script) -> None:
        """Send a whole answer, or its first half if the script cuts it."""
        await self._begin(
            answer.status,
            [
                ("content-type", answer.content_type),
                ("content-length", str(len(answer.body))),
                *answer.headers,
            ],
        )
        if script.fault in ("cut", "stall"):
            await self._write(answer.body[: len(answer.body) // 2])
            await self._break(script)
        else:
            await self._write(answer.body, more=False)

    async def stream(self, stream: Stream, script: Script) -> None:
        """Send a stream, with the script's pace and faults."""
        await self._begin(200, [("content-type", "text/event-stream; charset=utf-8")])
        if script.fault == "early-error":
            await self._write(stream.error, more=False)
            return
        contents = 0
        for event in stream.events:
            if _breaks(script, contents, event.content):
                if script.fault == "stream-error":
                    await self._write(stream.error, more=False)
                else:
                    await self._write(event.raw[: len(event.raw) // 2])
                    await self._break(script)
                return
            if not (event.done and script.fault == "no-done"):
                await self._write(event.raw)
            contents += event.content
            if script.pace_s:
                await self.pause(script.pace_s)
        await self._write(b"", more=False)

    async def _break(self, script: Script) -> None:
        """Fall silent, or return without an end: then the server cuts the connection."""
        if script.fault == "stall":
            await self.pause(None)

    async def _begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        # Providers send an id of their own; the gateway passes it on.
        raw.append((b"x-request-id", f"fake-{self.received.body_sha256[:12]}".encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _write(self, data: bytes, *, more: bool = True) -> None:
        self._check()
        self._complete = not more
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _breaks(script: Script, contents: int, is_content: bool) -> bool:
    """Tell whether a stream breaks before its next event: in its middle, or where content ends."""
    if script.fault not in ("cut", "stall", "stream-error"):
        return False
    return contents >= _FAULT_AFTER or (contents > 0 and not is_content)
