"""The recorder's bounds, and two event loops that use it at once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from llmgateway import Gateway
from llmgateway.engine.recorder import Recorder
from llmgateway.types.record import Record
from tests.http.loops import SOON_S


class Store:
    """A store that lasts in its first write, for ever if `opened` is never set."""

    def __init__(self) -> None:
        self.stored: list[Record] = []
        self.begun = threading.Event()
        self.opened = asyncio.Event()
        self.failure: Exception | None = None

    async def append(self, batch: Sequence[Record]) -> None:
        """Keep them."""
        if self.failure is not None:
            raise self.failure
        if not self.begun.is_set():
            self.begun.set()
            await self.opened.wait()
        self.stored.extend(batch)

    @property
    def ids(self) -> list[str]:
        """The ids of what is stored, in order."""
        return [record.id for record in self.stored]


@pytest.fixture
def store() -> Store:
    """The store of the test."""
    return Store()


def recorder_of(store: Store, **limits: Any) -> Recorder:
    """Return the recorder of a gateway with these limits."""
    return Gateway({"access": "local", "limits": limits}, records=store).recorder


def record(name: str, **changes: Any) -> Record:
    """Return a record by its id."""
    values: dict[str, Any] = {
        "id": name,
        "trace_id": name,
        "started_at": 0.0,
        "duration_ms": 1.0,
        "method": "POST",
        "path": "/v1/chat/completions",
        **dict.fromkeys(("endpoint", "error", "principal", "workspace"), None),
        **dict.fromkeys(("target", "provider", "model", "first_byte_ms"), None),
        "status": 200,
        "stream": False,
    }
    return Record(**{**values, **changes})


async def taken(recorder: Recorder, store: Store, *names: str) -> None:
    """Let these records be taken, and the store take them in hand."""
    for name in names:
        recorder.take(record(name))
    await asyncio.sleep(0)
    assert store.begun.is_set()


# ---- two loops


def test_a_flush_on_one_loop_while_another_writes(store: Store) -> None:
    recorder = recorder_of(store)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    loop.call_soon_threadsafe(recorder.take, record("theirs"))
    assert store.begun.wait(SOON_S)

    async def here() -> None:
        recorder.take(record("ours"))
        await asyncio.wait_for(recorder.flush(), SOON_S)

    asyncio.run(here())
    assert ["ours"] == store.ids
    loop.call_soon_threadsafe(store.opened.set)
    asyncio.run_coroutine_threadsafe(recorder.flush(), loop).result(SOON_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(SOON_S)
    loop.close()

    assert ["ours", "theirs"] == store.ids
    assert 0 == recorder.dropped


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_a_closed_loop_had_in_hand_is_stored_by_the_next(store: Store) -> None:
    recorder = recorder_of(store)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(taken(recorder, store, "1", "2"))
    loop.close()

    async def later() -> None:
        recorder.take(record("3"))
        await asyncio.wait_for(recorder.flush(), SOON_S)

    asyncio.run(later())
    assert ["1", "2", "3"] == store.ids


def test_what_a_cancelled_writer_had_in_hand_is_stored_by_the_next(store: Store) -> None:
    recorder = recorder_of(store)
    asyncio.run(taken(recorder, store, "1", "2"))
    asyncio.run(recorder.flush())

    assert ["1", "2"] == store.ids
    assert 0 == recorder.dropped


def test_many_threads_lose_nothing(store: Store) -> None:
    recorder = recorder_of(store)
    store.begun.set()

    async def some(of: int) -> None:
        for number in range(300):
            recorder.take(record(f"{of}-{number}"))
            if number % 7 == 0:
                await asyncio.sleep(0)
        await recorder.flush()

    threads = [threading.Thread(target=lambda of=of: asyncio.run(some(of))) for of in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)

    assert {f"{of}-{number}" for of in range(8) for number in range(300)} == set(store.ids)
    assert 2400 == len(store.ids)


def test_a_record_from_outside_of_any_loop_waits_for_one(store: Store) -> None:
    recorder = recorder_of(store)
    store.begun.set()
    recorder.take(record("1"))
    asyncio.run(recorder.flush())

    assert ["1"] == store.ids


# ---- bounds


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        pytest.param({"max_queued_records": 3}, 3, id="records"),
        pytest.param({"max_queued_record_bytes": 50_000}, 4, id="bytes"),
        pytest.param({}, 9, id="neither"),
    ],
)
async def test_what_is_over_a_bound_is_dropped_and_counted(
    store: Store, limits: dict[str, int], kept: int
) -> None:
    recorder = recorder_of(store, **limits)
    store.begun.set()
    for name in range(9):
        recorder.take(record(str(name), metadata={"_user": "x" * 10_000}))
    await recorder.flush()

    assert [str(name) for name in range(kept)] == store.ids
    assert 9 - kept == recorder.dropped


async def test_what_is_stored_or_refused_makes_room(store: Store) -> None:
    recorder = recorder_of(store, max_queued_record_bytes=50_000)
    store.begun.set()
    store.failure = ValueError("full")
    for name in range(9):
        recorder.take(record(str(name), path="/" * 30_000))
        await recorder.flush()
        store.failure = None

    assert [str(name) for name in range(1, 9)] == store.ids
    assert 1 == recorder.dropped


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
async def test_a_fork_leaves_the_queue_to_the_parent(store: Store) -> None:
    recorder = recorder_of(store)
    recorder.take(record("parent's"))
    assert recorder._lock.acquire()  # as another thread might at that moment
    child = os.fork()
    if child == 0:
        os._exit(0 if recorder.is_empty() and recorder._lock.acquire(timeout=0) else 1)
    recorder._lock.release()

    _, ended = await asyncio.to_thread(os.waitpid, child, 0)
    assert 0 == os.waitstatus_to_exitcode(ended)
    store.opened.set()
    await recorder.flush()
    assert ["parent's"] == store.ids
