"""`request_finished`: what receivers get, where they run, and what they cannot hold up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client

from llmgateway.stores import MemoryRecords
from llmgateway.types.record import Record
from llmgateway_django.database import DatabaseThreads
from llmgateway_django.models import RequestLog
from llmgateway_django.signals import request_finished
from llmgateway_django.stores import TellingRecords, log_id, telling
from tests.django.conftest import BEARER, BODY, CHAT
from tests.stores.test_contract import a_record

JSON = "application/json"


@contextmanager
def receiving(receiver: Callable[..., None]) -> Iterator[None]:
    """Have a receiver connected."""
    request_finished.connect(receiver)
    try:
        yield
    finally:
        request_finished.disconnect(receiver)


@pytest.mark.django_db
@pytest.mark.usefixtures("inline")
@pytest.mark.parametrize("stream", [False, True])
def test_a_receiver_gets_the_record_when_the_row_is_there(client: Client, stream: bool) -> None:
    told: list[tuple[Record, Any]] = []

    def receive(*, record: Record, **_: Any) -> None:
        told.append((record, RequestLog.objects.get(pk=log_id(record))))

    with receiving(receive):
        answer = client.post(CHAT, {**BODY, "stream": stream}, content_type=JSON, headers=BEARER)
        answer.getvalue() if stream else answer.content
    ((record, row),) = told
    assert (200, "openai", "gpt-4o-mini", stream) == (
        record.status,
        record.provider,
        record.model,
        record.stream,
    )
    assert row.trace_id == record.trace_id


@pytest.mark.django_db
@pytest.mark.usefixtures("inline")
def test_what_a_receiver_raises_harms_nobody(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def fail(**_: Any) -> None:
        raise ZeroDivisionError

    def receive(*, record: Record, **_: Any) -> None:
        told.append(record.id)

    with receiving(fail), receiving(receive):
        assert 200 == client.post(CHAT, BODY, content_type=JSON, headers=BEARER).status_code
    assert 1 == len(told) == RequestLog.objects.count()
    assert "ZeroDivisionError" in caplog.text


async def test_receivers_run_in_a_thread_of_their_own_in_order() -> None:
    told: list[tuple[str, str]] = []

    def receive(*, record: Record, **_: Any) -> None:
        told.append((record.id, threading.current_thread().name))

    batch = [a_record(number) for number in range(20)]
    with receiving(receive):
        await TellingRecords(MemoryRecords()).append(batch)
    assert [(record.id, "llmgateway-receivers") for record in batch] == told


async def test_they_are_told_of_what_could_not_be_stored() -> None:
    told: list[str] = []

    def receive(*, record: Record, **_: Any) -> None:
        told.append(record.id)

    with receiving(receive), pytest.raises(OSError):
        await TellingRecords(_Full()).append([a_record(1)])
    assert [a_record(1).id] == told


async def test_they_are_told_once_of_what_another_loop_stores() -> None:
    told: list[str] = []

    def receive(*, record: Record, **_: Any) -> None:
        told.append(record.id)

    with receiving(receive):
        hanging = asyncio.create_task(TellingRecords(_Hanging()).append([a_record(1)]))
        await asyncio.sleep(0)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        await TellingRecords(MemoryRecords()).append([a_record(1)])
    assert [a_record(1).id] == told


async def test_a_receiver_that_hangs_does_not_hold_up_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(telling, "RECEIVERS_S", 0.01)
    release, store = threading.Event(), MemoryRecords()

    def hang(**_: Any) -> None:
        release.wait(20)

    with receiving(hang):
        records = TellingRecords(store, DatabaseThreads("test-receivers", threads=1))
        try:
            for number in range(3):
                await records.append([a_record(number)])
            assert 3 == len(store.all())
            assert 1 == caplog.text.count("Receivers of request_finished take too long")
        finally:
            release.set()


async def test_no_thread_is_asked_where_nobody_listens() -> None:
    class Never:
        async def run(self, work: Any, timeout_s: float) -> Any:
            raise AssertionError

    await TellingRecords(MemoryRecords(), Never()).append([a_record(1)])


class _Full:
    async def append(self, batch: Sequence[Record]) -> None:
        raise OSError("no room")


class _Hanging:
    async def append(self, batch: Sequence[Record]) -> None:
        await asyncio.Event().wait()
