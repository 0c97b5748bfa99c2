"""Streams on their way to a thread: bounded, cut where they broke, cancelled when let go."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from llmgateway import Gateway
from llmgateway.errors import StreamAborted, TransportError
from llmgateway.runtime import BackgroundLoop, SyncByteStream
from llmgateway.runtime.stream import MAX_BYTES, MAX_PIECES
from llmgateway.stores import MemoryRecords
from tests.http.loops import SOON_S
from tests.runtime.conftest import chat_request
from tests.scripted import Scripted, ScriptedTransport, delta, events, stream

GOOD = events(delta(), delta("Hello"), delta(finish="stop"))
START = events(delta(), delta("Hello"), done=False)


def opened(
    loop: BackgroundLoop, gateway: Gateway, transport: ScriptedTransport, script: Scripted
) -> SyncByteStream:
    """Ask for a stream and return it."""
    transport.steps = [script]
    response = loop.handle(gateway, chat_request(stream=True))
    assert 200 == response.status
    assert not isinstance(response.body, bytes)
    return response.body


def statuses(loop: BackgroundLoop, gateway: Gateway, records: MemoryRecords) -> list[int]:
    """Return the statuses that were recorded."""
    loop.run(gateway.recorder.flush())
    return [record.status for record in records.all()]


def soon(what: Callable[[], bool]) -> bool:
    """Wait for something that a loop does on its own."""
    until = time.monotonic() + SOON_S
    changed = threading.Event()
    while not what() and time.monotonic() < until:
        changed.wait(0.01)
    return what()


class Endless:
    """A provider that sends for ever, and counts what is taken of it."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from START
        while True:
            self.taken += 1
            yield self.piece


def endless(text: str) -> tuple[Endless, Scripted]:
    """Return such a provider, and its script."""
    source = Endless(events(delta(text), done=False)[0])
    script = stream()
    script.chunks = source  # type: ignore[assignment]  # it is iterated and nothing else
    return source, script


def test_a_stream_comes_whole(
    loop: BackgroundLoop,
    gateway: Gateway,
    transport: ScriptedTransport,
    records: MemoryRecords,
) -> None:
    body = opened(loop, gateway, transport, stream(*GOOD))

    assert b"".join(GOOD) == b"".join(body)
    body.close()
    assert [200] == statuses(loop, gateway, records)
    assert [] == list(body)


@pytest.mark.parametrize(("text", "most"), [("x", 2 * MAX_PIECES), ("x" * MAX_BYTES, 4)])
def test_a_reader_that_waits_holds_the_provider_back(
    loop: BackgroundLoop, gateway: Gateway, transport: ScriptedTransport, text: str, most: int
) -> None:
    """What is ahead of the reader is bounded by number and by size."""
    source, script = endless(text)
    body = opened(loop, gateway, transport, script)
    taken = 0
    for _ in range(20):
        taken += next(body).count(b"\n\n")

        assert source.taken - taken <= most
    body.close()


def test_a_reader_that_stalls_is_given_up(
    loop: BackgroundLoop, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    # Of its own: a busy machine lets the readers of other tests stall for as long.
    settings = {"access": "local", "limits": {"stalled_reader_s": 0.05}}
    gateway = Gateway(settings, transport=lambda: transport, records=records)
    _, script = endless("x")
    body = opened(loop, gateway, transport, script)

    assert soon(lambda: script.closed)
    with pytest.raises(StreamAborted):
        for _ in body:
            pass
    assert [499] == statuses(loop, gateway, records)


def test_a_stream_that_is_closed_early_is_cancelled(
    loop: BackgroundLoop,
    gateway: Gateway,
    transport: ScriptedTransport,
    records: MemoryRecords,
) -> None:
    _, script = endless("x")
    body = opened(loop, gateway, transport, script)
    next(body)
    body.close()

    assert script.closed
    assert [499] == statuses(loop, gateway, records)
    assert [] == list(body)
    body.close()


def test_a_stream_that_nobody_holds_is_cancelled(
    loop: BackgroundLoop, gateway: Gateway, transport: ScriptedTransport
) -> None:
    _, script = endless("x")
    body = opened(loop, gateway, transport, script)
    del body
    gc.collect()

    assert soon(lambda: script.closed)


def test_a_stream_that_breaks_raises(
    loop: BackgroundLoop,
    gateway: Gateway,
    transport: ScriptedTransport,
    records: MemoryRecords,
) -> None:
    body = opened(loop, gateway, transport, stream(*START, TransportError("gone")))

    with pytest.raises(StreamAborted):
        for _ in body:
            pass
    assert 1 == len(statuses(loop, gateway, records))


def test_stopping_the_loop_breaks_its_streams_and_keeps_their_records(
    loop: BackgroundLoop,
    gateway: Gateway,
    transport: ScriptedTransport,
    records: MemoryRecords,
) -> None:
    _, script = endless("x" * MAX_BYTES)
    body = opened(loop, gateway, transport, script)
    loop.close()

    assert [499] == [record.status for record in records.all()]
    with pytest.raises(StreamAborted):
        for _ in body:
            pass
    body.close()
