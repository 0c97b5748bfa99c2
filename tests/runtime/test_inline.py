"""Each request within its call: for tests, and so tested by what tests need."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async

from llmgateway import Gateway
from llmgateway.errors import StreamAborted, TransportError
from llmgateway.runtime import InlineLoop
from llmgateway.stores import MemoryRecords
from tests.runtime.conftest import chat_request
from tests.runtime.test_streams import GOOD, START, endless
from tests.scripted import ScriptedTransport, chat, stream


def test_the_record_is_there_when_the_answer_is(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    transport.steps = [chat(), chat()]

    assert 200 == InlineLoop().handle(gateway, chat_request()).status
    assert 200 == InlineLoop().handle(gateway, chat_request()).status
    assert [200, 200] == [record.status for record in records.all()]


def test_a_stream_is_there_whole(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    transport.steps = [stream(*GOOD)]
    body = InlineLoop().handle(gateway, chat_request(stream=True)).body

    assert [200] == [record.status for record in records.all()]
    assert not isinstance(body, bytes)
    assert b"".join(GOOD) == b"".join(body)


def test_a_stream_that_broke_raises_at_its_end(
    gateway: Gateway, transport: ScriptedTransport
) -> None:
    transport.steps = [stream(*START, TransportError("gone"))]
    body = InlineLoop().handle(gateway, chat_request(stream=True)).body

    assert not isinstance(body, bytes)
    assert b"".join(START) in next(body) + next(body)
    with pytest.raises(StreamAborted):
        for _ in body:
            pass
    body.close()
    assert [] == list(body)


def test_a_stream_without_end_is_bounded(gateway: Gateway, transport: ScriptedTransport) -> None:
    _, script = endless("x" * 1000)
    transport.steps = [script]

    with pytest.raises(RuntimeError, match="too long for an InlineLoop"):
        InlineLoop(max_bytes=10_000).handle(gateway, chat_request(stream=True))
    assert script.closed


def test_blocking_work_runs_in_the_callers_thread() -> None:
    async def works() -> int:
        return await sync_to_async(threading.get_ident)()

    assert threading.get_ident() == InlineLoop().run(works())


async def test_it_is_not_for_a_thread_with_a_loop() -> None:
    async def nothing() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="async event loop"):
        InlineLoop().run(nothing())
