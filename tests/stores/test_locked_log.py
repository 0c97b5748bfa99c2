"""The log table is locked: callers are let in, and no row is lost or counted twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from django.db import connections, transaction

from llmgateway_django.models import UsageRollup
from llmgateway_django.stores import DjangoRecords
from llmgateway_django.stores import records as store_module
from tests.stores.shelves import DjangoKeyShelf, DjangoRecordShelf, in_thread
from tests.stores.test_contract import a_record

_LOCK = {
    "sqlite": "DELETE FROM llmgateway_requestlog WHERE 1 = 0",  # locks all writers out
    "postgresql": "LOCK TABLE llmgateway_requestlog IN ACCESS EXCLUSIVE MODE",
    "mariadb": "LOCK TABLES llmgateway_requestlog WRITE",
}


def lock(alias: str, locked: threading.Event, release: threading.Event) -> Callable[[], None]:
    """Return what holds the table until `release`."""

    def hold() -> None:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute(_LOCK[alias])
            locked.set()
            release.wait(30)
            if alias == "mariadb":
                cursor.execute("UNLOCK TABLES")

    return hold


async def test_a_locked_log_loses_nothing_and_keeps_nobody_out(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual_s = store_module.APPEND_S
    monkeypatch.setattr(store_module, "APPEND_S", 0.1)
    digest, key = await DjangoKeyShelf().make("a")
    records = [a_record(number) for number in range(300)]
    locked, release = threading.Event(), threading.Event()
    holding = asyncio.create_task(in_thread(lock(database, locked, release)))
    await asyncio.to_thread(locked.wait, 10)
    tried = asyncio.Event()

    async def pause(seconds: float) -> None:
        tried.set()
        await asyncio.sleep(0)

    appending = asyncio.create_task(DjangoRecords(sleep=pause).append(records))
    try:
        await asyncio.wait_for(tried.wait(), 10)
        assert [key] == await DjangoKeyShelf().store.find([digest])
        assert not appending.done()
    finally:
        # What was given up may be done by now: one by one takes longer on a busy machine.
        monkeypatch.setattr(store_module, "APPEND_S", usual_s)
        release.set()
    await holding
    await appending
    await _all_threads_are_free()

    assert await DjangoRecordShelf().holds(records)
    (row,) = await in_thread(lambda: list(UsageRollup.objects.all()))
    assert 300 == row.requests


async def _all_threads_are_free() -> None:
    """Wait for the tries that were given up: they end all the same, and may write until then.

    Others have taken their threads' place, so those that take new work tell nothing of them.
    """
    async with asyncio.timeout(30):
        while store_module._threads._hanging:
            await in_thread(lambda: None)
