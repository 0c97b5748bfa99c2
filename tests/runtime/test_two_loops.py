"""An async server's loop and the background one, both under load against one gateway."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from llmgateway import Gateway
from llmgateway.runtime import BackgroundLoop
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import HTTPResponse
from tests.http.loops import LoopThread
from tests.runtime.conftest import chat_request
from tests.runtime.test_streams import GOOD, soon
from tests.scripted import chat

EACH = 5_000
AT_ONCE = 8
STREAMED = 25
"""One in so many is a stream."""

_WHOLE = b"".join(piece for piece in chat().chunks if isinstance(piece, bytes))
_STREAM = b"".join(GOOD)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s"
JSON = _HEAD % (b"application/json", len(_WHOLE), _WHOLE)
EVENTS = _HEAD % (b"text/event-stream", len(_STREAM), _STREAM)


class Upstream(asyncio.Protocol):
    """Answers each request once its body is here, and keeps the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self.data += data
        if self.data.endswith(b"}"):
            streamed = b'"stream":true' in self.data
            self.data = b""
            self.transport.write(EVENTS if streamed else JSON)


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """The loop of an async server."""
    thread = LoopThread("served")
    yield thread
    thread.close()


@pytest.fixture
def upstream(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a provider that is quick."""
    thread = LoopThread("upstream")

    async def listen() -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)

    server = thread.run(listen())
    port: int = server.sockets[0].getsockname()[1]
    yield port
    thread.call(server.close)
    thread.close()


async def _asked(gateway: Gateway, streamed: bool) -> int:
    response: HTTPResponse = await gateway.handle(chat_request(stream=streamed))
    if not isinstance(response.body, bytes):
        assert b"".join([piece async for piece in response.body]) == _STREAM
    return response.status


async def _load(gateway: Gateway, statuses: Counter[int]) -> None:
    left = iter(range(EACH))

    async def caller() -> None:
        for number in left:
            statuses[await _asked(gateway, number % STREAMED == 0)] += 1

    await asyncio.gather(*[caller() for _ in range(AT_ONCE)])


def _call(loop: BackgroundLoop, gateway: Gateway, statuses: Counter[int]) -> None:
    for number in range(EACH // AT_ONCE):
        response = loop.handle(gateway, chat_request(stream=number % STREAMED == 0))
        if not isinstance(response.body, bytes):
            assert b"".join(response.body) == _STREAM
            response.body.close()
        statuses[response.status] += 1


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_two_loops_share_a_gateway(
    upstream: int, thread: LoopThread, caplog: pytest.LogCaptureFixture
) -> None:
    records = MemoryRecords(limit=3 * EACH)
    gateway = Gateway(
        {
            "access": "local",
            "allow_loopback_upstreams": True,
            "providers": {"openai": {"base_url": f"http://127.0.0.1:{upstream}/v1"}},
        },
        records=records,
    )
    loop = BackgroundLoop()
    loop.run(asyncio.sleep(0))
    loop.close()  # libuv keeps a pipe of the first loop's
    files, threads = _files(), threading.active_count()
    served: Counter[int] = Counter()
    own: list[Counter[int]] = [Counter() for _ in range(AT_ONCE)]
    callers = [threading.Thread(target=_call, args=(loop, gateway, counter)) for counter in own]
    for caller in callers:
        caller.start()
    thread.run(_load(gateway, served), timeout_s=60)
    for caller in callers:
        caller.join(60)
    thread.run(gateway.aclose())
    loop.close()

    assert {200: 2 * EACH} == sum(own, served)
    assert 2 * EACH == len({record.id for record in records.all()}) == len(records.all())
    json = [record for record in records.all() if not record.stream]
    assert 2 * (EACH - EACH // STREAMED) == len(json)
    assert {5} == {record.usage.total for record in json}
    assert 0 == gateway.recorder.dropped
    # No more than before: what tests before this one have left to the collector may be gone by now.
    assert soon(lambda: _files() <= files and threading.active_count() <= threads)
    assert [] == caplog.records
