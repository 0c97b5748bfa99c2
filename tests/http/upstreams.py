"""Providers on real sockets: the fake one, and one that sends exactly the bytes that it is told."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from llmgateway.testing import FakeProvider
from llmgateway.testing.fake import CALL_ID_HEADER
from tests.http.loops import SOON_S, LoopThread
from tests.http.servers import AppServer

HELD_UP_S = 0.3


class Gate:
    """Something that a script waits for until a test opens it."""

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self._event = asyncio.Event()

    def open(self) -> None:
        """Let the script go on."""
        self._thread.call(self._event.set)

    async def wait(self) -> None:
        """Wait for `open`."""
        await self._event.wait()


class Reset:
    """A step that cuts the connection with a TCP reset."""


class StayOpen:
    """A step that neither sends nor closes: it waits for the other side to go."""


class AtOnce:
    """A first step that does not wait for the body of the request."""


class Stamp:
    """A step that only notes the time."""


RESET = Reset()
STAMP = Stamp()
AT_ONCE = AtOnce()
STAY_OPEN = StayOpen()
Step = bytes | Gate | Reset | StayOpen | AtOnce | Stamp


@dataclass(eq=False)
class Peer:
    """One connection, as the provider sees it."""

    request: bytes = b""
    """The head, and of the body what has come."""
    asked: threading.Event = field(default_factory=threading.Event)
    """Set when the request is whole."""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the gateway has closed the connection."""
    stamped_at: float = 0.0
    """When the script came to its `STAMP`, in monotonic seconds."""
    held_up: threading.Event = field(default_factory=threading.Event)
    """Set when the gateway has taken nothing for a while."""
    sent: int = 0
    """Bytes that the socket has taken, less than 64 KiB of them perhaps still in this process."""

    @property
    def body(self) -> bytes:
        """The body of the request."""
        return self.request.partition(b"\r\n\r\n")[2]

    def header(self, name: str) -> str | None:
        """Return a field of the request."""
        found = re.search(rf"(?mi)^{name}:[ \t]*(.*?)\r$".encode(), self.request)
        return found[1].decode("latin-1") if found else None


class RawUpstream:
    """Answers each connection with the next script, then closes it."""

    def __init__(self, thread: LoopThread) -> None:
        self._thread = thread
        self._scripts: deque[Sequence[Step]] = deque()
        self._lost: list[asyncio.Task[None]] = []
        self.peers: list[Peer] = []
        self._arrived = threading.Condition()
        self._server = thread.run(self._listen())
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def base(self) -> str:
        """The base URL to name as a custom host."""
        return f"http://127.0.0.1:{self.port}/v1"

    def gate(self) -> Gate:
        """Return something for a script to wait for."""
        return Gate(self._thread)

    def answers(self, *scripts: Sequence[Step]) -> RawUpstream:
        """Answer the next connections with these scripts."""
        self._scripts.extend(scripts)
        return self

    def answers_at_once(self, data: bytes) -> None:
        """Answer the next connection once the head of its request has come."""
        self._scripts.append([AT_ONCE, data])

    def connected(self, number: int = 0) -> Peer:
        """Return a connection, whether its request has come or not."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.peers) > number, SOON_S)
        return self.peers[number]

    def peer(self, number: int = 0) -> Peer:
        """Return a connection, once its request has come."""
        peer = self.connected(number)
        assert peer.asked.wait(SOON_S)
        return peer

    def count(self, call_id: str) -> int:
        """Return how many requests came with this id."""
        return sum(peer.header(CALL_ID_HEADER) == call_id for peer in list(self.peers))

    def close(self) -> None:
        """Stop listening."""
        self._thread.run(self._close())

    async def _close(self) -> None:
        self._server.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20, backlog=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer()
        with self._arrived:
            self.peers.append(peer)
            self._arrived.notify_all()
        steps = self._scripts.popleft() if self._scripts else [answer({"error": "no script"}, 500)]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            peer.request = await reader.readuntil(b"\r\n\r\n")
            if AT_ONCE not in steps:
                await _read_body(reader, peer)
            peer.asked.set()
            watcher = asyncio.ensure_future(_watch(reader, peer))
            try:
                for step in steps:
                    await _play(step, writer, peer, watcher)
            finally:
                watcher.cancel()
        if not peer.asked.is_set():
            peer.gone.set()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _play(
    step: Step, writer: asyncio.StreamWriter, peer: Peer, watcher: asyncio.Future[None]
) -> None:
    match step:
        case bytes():
            writer.write(step)
            drained = asyncio.ensure_future(writer.drain())
            if not (await asyncio.wait({drained}, timeout=HELD_UP_S))[0]:
                peer.held_up.set()
            await drained
            peer.sent += len(step)
        case Gate():
            await step.wait()
        case Stamp():
            peer.stamped_at = time.monotonic()
        case StayOpen():
            await asyncio.wait([watcher])
        case Reset():
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def _watch(reader: asyncio.StreamReader, peer: Peer) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(2**16):
            pass
    peer.gone.set()


async def _read_body(reader: asyncio.StreamReader, peer: Peer) -> None:
    if "chunked" in (peer.header("transfer-encoding") or ""):
        while size := int(await reader.readuntil(), 16):
            peer.request += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        peer.request += await reader.readexactly(int(peer.header("content-length") or 0))


def head(status: int = 200, /, **fields: str) -> bytes:
    """Return a response head that ends the connection with the answer."""
    named = {"connection": "close", **{k.replace("_", "-"): v for k, v in fields.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1")


def answer(body: Any, status: int = 200, /, **fields: str) -> bytes:
    """Return a whole answer; what is not bytes goes as JSON."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    own = {"content-type": "application/json", "content-length": str(len(raw))}
    return head(status, **{**own, **{k.replace("_", "-"): v for k, v in fields.items()}}) + raw


def chunk(data: bytes) -> bytes:
    """Return a chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


STREAM_HEAD = head(content_type="text/event-stream", transfer_encoding="chunked")
LAST = b"0\r\n\r\n"


def event(payload: Any) -> bytes:
    """Return a server-sent event."""
    return b"data: " + orjson.dumps(payload) + b"\n\n"


def delta(text: str | None = None, finish: str | None = None) -> bytes:
    """Return a chat chunk as an event."""
    piece = {"role": "assistant"} if text is None else {"content": text}
    choice = {"index": 0, "delta": {} if finish else piece, "finish_reason": finish}
    return event({"id": "c1", "object": "chat.completion.chunk", "choices": [choice]})


DONE = b"data: [DONE]\n\n"
ROLE = delta()
CONTENT = delta("Hello")
FINISH = delta(finish="stop")

COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


class FakeUpstream:
    """The fake provider on a socket, and all raw ones of one test."""

    def __init__(self) -> None:
        self.thread = LoopThread("upstream")
        self.fake = FakeProvider(kept_requests=50_000)
        self._server = AppServer(self.fake, self.thread)
        self.raws: list[RawUpstream] = []
        self.more_ids: Callable[[], Iterable[str | None]] = tuple
        """Returns the call ids that a provider of a test's own has seen."""

    @property
    def base(self) -> str:
        """The base URL of the fake provider."""
        return f"http://127.0.0.1:{self._server.port}/v1"

    def raw(self) -> RawUpstream:
        """Return a raw upstream; it lasts as long as the test."""
        self.raws.append(RawUpstream(self.thread))
        return self.raws[-1]

    def begin_test(self) -> None:
        """Forget what came before."""
        self.fake.requests.clear()
        for raw in self.raws:
            raw.close()
        self.raws.clear()

    def counts(self) -> Counter[str]:
        """Return how many requests came with each call id."""
        ids = [received.headers.get(CALL_ID_HEADER) for received in list(self.fake.requests)]
        ids += [peer.header(CALL_ID_HEADER) for raw in self.raws for peer in list(raw.peers)]
        return Counter(id_ for id_ in (*ids, *self.more_ids()) if id_)

    def close(self) -> None:
        """Stop everything."""
        self.begin_test()
        self._server.stop()
        self.thread.close()
