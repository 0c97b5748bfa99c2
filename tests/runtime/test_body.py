"""Bodies that are read by blocking: in the caller's thread, piece by piece, as they are wanted."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from llmgateway import Gateway
from llmgateway.errors import ClientDisconnected
from llmgateway.runtime import BackgroundLoop, BlockingBody, InlineLoop, Runtime
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from tests.runtime.conftest import chat_request
from tests.scripted import ScriptedTransport, chat


@pytest.fixture(params=["background", "inline"])
def runtime(request: pytest.FixtureRequest, loop: BackgroundLoop) -> Runtime:
    """Both runtimes."""
    return loop if request.param == "background" else InlineLoop()


class Source:
    """Gives pieces, and notes who asked."""

    def __init__(self, *pieces: bytes | BaseException) -> None:
        self.pieces = list(pieces)
        self.readers: set[int] = set()

    def read(self) -> bytes:
        """Return the next piece."""
        self.readers.add(threading.get_ident())
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, BaseException):
            raise piece
        return piece


def cut_up(body: bytes | object, size: int = 7) -> Source:
    """Return a body in small pieces."""
    assert isinstance(body, bytes)
    return Source(*[body[at : at + size] for at in range(0, len(body), size)])


def test_a_body_comes_in_pieces(
    runtime: Runtime, gateway: Gateway, transport: ScriptedTransport
) -> None:
    transport.steps = [chat()]
    request = chat_request()
    source = cut_up(request.body)

    response = runtime.handle(gateway, replace(request, body=BlockingBody(source.read)))

    assert 200 == response.status
    assert [request.body] == transport.bodies
    assert not source.pieces


def test_it_is_read_in_the_thread_that_waits(
    loop: BackgroundLoop, gateway: Gateway, transport: ScriptedTransport
) -> None:
    transport.steps = [chat()]
    request = chat_request()
    source = cut_up(request.body)
    loop.handle(gateway, replace(request, body=BlockingBody(source.read)))

    assert {threading.get_ident()} == source.readers


def test_a_body_that_is_refused_is_not_read(runtime: Runtime, gateway: Gateway) -> None:
    source = Source(b"{}")
    headers = Headers.of(host="localhost", content_length=str(2**40))
    request = HTTPRequest("POST", "/v1/chat/completions", "", headers, BlockingBody(source.read))

    assert 413 == runtime.handle(gateway, request).status
    assert not source.readers


def test_a_body_that_breaks_off_is_recorded(
    loop: BackgroundLoop, gateway: Gateway, records: MemoryRecords
) -> None:
    source = Source(b'{"model"', ClientDisconnected("gone"))
    request = replace(chat_request(), body=BlockingBody(source.read))

    assert 499 == loop.handle(gateway, request).status
    loop.close()
    assert [499] == [record.status for record in records.all()]


def test_an_interrupt_while_reading_cancels_the_request(
    loop: BackgroundLoop, gateway: Gateway, records: MemoryRecords
) -> None:
    source = Source(b'{"model"', KeyboardInterrupt())
    request = replace(chat_request(), body=BlockingBody(source.read))

    with pytest.raises(KeyboardInterrupt):
        loop.handle(gateway, request)
    loop.close()
    assert [499] == [record.status for record in records.all()]


def test_an_answer_interrupts_a_read_that_nobody_waits_for(loop: BackgroundLoop) -> None:
    """The client dribbles; its time is over while the thread waits for more of it."""
    gateway = Gateway({"access": "local", "limits": {"body_s": 0.05}})
    interrupted = threading.Event()

    def read() -> bytes:
        assert interrupted.wait(10)
        return b"too late"

    body = BlockingBody(read, interrupted.set)

    assert 408 == loop.handle(gateway, replace(chat_request(), body=body)).status


async def test_only_a_runtime_reads_it() -> None:
    with pytest.raises(RuntimeError, match="by a runtime only"):
        await anext(BlockingBody(lambda: b""))
