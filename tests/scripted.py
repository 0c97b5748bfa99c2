"""A transport that answers from a script, for tests of everything above the network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import orjson

from llmgateway.engine.world import World
from llmgateway.errors import TransportError, UpstreamProtocolError
from llmgateway.transport.base import Transport, read_whole
from llmgateway.types.http import Headers
from llmgateway.types.upstream import UpstreamRequest


@dataclass
class Scripted:
    """One scripted response. A chunk may be an error, raised in its place, or an event to await."""

    status: int = 200
    chunks: Sequence[bytes | TransportError | asyncio.Event] = ()
    head: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    closed: bool = False
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def headers(self) -> Headers:
        return Headers((k.encode(), v.encode()) for k, v in self.head.items())

    async def chunks_(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if self.closed:
                raise _closed()
            if isinstance(chunk, asyncio.Event):
                await self._wait(chunk)
            elif isinstance(chunk, TransportError):
                raise chunk
            else:
                yield chunk

    async def _wait(self, event: asyncio.Event) -> None:
        """Wait for an event, or for the closing of the response."""
        waits = [asyncio.ensure_future(it.wait()) for it in (event, self.closing)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self.closed:
            raise _closed()


def _closed() -> TransportError:
    return UpstreamProtocolError("The response was closed before its end was read.")


class _Response:
    def __init__(self, script: Scripted) -> None:
        self.script = script
        self.status = script.status
        self.headers = script.headers

    def chunks(self) -> AsyncIterator[bytes]:
        return self.script.chunks_()

    async def read(self, max_bytes: int) -> bytes:
        return await read_whole(self.chunks(), max_bytes)

    async def aclose(self) -> None:
        self.script.closed = True
        self.script.closing.set()


class ScriptedTransport:
    """Answers each request with the next step; keeps what was sent."""

    def __init__(self, *steps: Scripted | TransportError | Callable[[UpstreamRequest], Scripted]):
        self.steps = list(steps)
        self.requests: list[UpstreamRequest] = []
        self.bodies: list[bytes] = []

    async def send(self, request: UpstreamRequest) -> _Response:
        self.requests.append(request)
        if isinstance(request.body, bytes):
            self.bodies.append(request.body)
        else:
            self.bodies.append(b"".join([piece async for piece in request.body]))
        step = self.steps.pop(0)
        if isinstance(step, TransportError):
            raise step
        return _Response(step if isinstance(step, Scripted) else step(request))

    async def aclose(self) -> None:
        pass


@dataclass
class Clock:
    """A clock that moves only when something sleeps; it keeps every sleep."""

    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


class Draws:
    """Gives the same number at each draw."""

    def __init__(self, number: float = 0.0) -> None:
        self.number = number

    def random(self) -> float:
        return self.number


def world(transport: Transport, clock: Clock | None = None, draw: float = 0.0) -> World:
    """Return a world whose time stands still between sleeps."""
    clock = clock or Clock()
    return World(
        transport=lambda: transport,
        monotonic=clock.read,
        time=clock.read,
        sleep=clock.sleep,
        random=Draws(draw),
    )


def chat(text: str = "Hello", **members: object) -> Scripted:
    """Return a whole chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    body = {"id": "c1", "object": "chat.completion", "choices": [choice], "usage": usage}
    return Scripted(chunks=[orjson.dumps({**body, **members})])


def failure(status: int, message: str = "no", **head: str) -> Scripted:
    """Return a provider's error answer."""
    body = orjson.dumps({"error": {"message": message, "type": "t", "code": "c", "param": None}})
    fields = {name.replace("_", "-"): value for name, value in head.items()}
    return Scripted(status, [body], {"content-type": "application/json", **fields})


def events(*payloads: object, done: bool = True) -> list[bytes]:
    """Return server-sent events, each in a chunk of its own."""
    lines = [b"data: " + orjson.dumps(payload) + b"\n\n" for payload in payloads]
    return [*lines, b"data: [DONE]\n\n"] if done else lines


def stream(*chunks: bytes | TransportError | asyncio.Event) -> Scripted:
    """Return a streamed answer."""
    return Scripted(200, chunks, {"content-type": "text/event-stream"})


def delta(text: str | None = None, finish: str | None = None, index: int = 0) -> dict[str, object]:
    """Return a chat chunk."""
    piece = {"role": "assistant"} if text is None and finish is None else {}
    if text is not None:
        piece = {"content": text}
    return {"choices": [{"index": index, "delta": piece, "finish_reason": finish}]}
