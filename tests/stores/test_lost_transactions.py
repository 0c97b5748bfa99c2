"""A connection goes silent in the middle of a transaction: what it had locked is soon free.

The server hears nothing and is told nothing, as behind a firewall that has forgotten the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.conf import settings as project
from django.db import connections, transaction
from django.db.models import QuerySet
from django.test import override_settings

from llmgateway.errors import StoreUnavailable
from llmgateway_django.database import DatabaseThreads, own_transaction
from llmgateway_django.models import UsageRollup
from llmgateway_django.stores import DjangoKeyStore, DjangoRecords
from llmgateway_django.stores import keys as keys_module
from llmgateway_django.stores import records as records_module
from llmgateway_django.stores import warm as warm_module
from tests.stores.shelves import DjangoKeyShelf, DjangoRecordShelf, in_thread
from tests.stores.test_contract import a_record

# SQLite has no connections: a process that ends lets go of the file.
pytestmark = pytest.mark.parametrize(
    "place", ["postgresql", "mariadb"], indirect=True, scope="package"
)

LIMIT_S = 2.0
RECOVERED_WITHIN_S = 30.0


@contextlib.contextmanager
def lost(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> Iterator[threading.Event]:
    """Have the first thread that does this do no more, until the context ends."""
    done: Callable[..., Any] = getattr(place, name)
    is_lost, end = threading.Event(), threading.Event()

    def do(*args: Any, **kwargs: Any) -> Any:
        result = done(*args, **kwargs)
        if not is_lost.is_set():
            is_lost.set()
            end.wait(60)
        return result

    monkeypatch.setattr(place, name, do)
    try:
        yield is_lost
    finally:
        end.set()


async def is_over(threads: DatabaseThreads) -> None:
    """Wait for the tries that were given up, which may write until then."""
    async with asyncio.timeout(RECOVERED_WITHIN_S):
        while threads._hanging:
            await in_thread(lambda: None)


async def test_rows_wait_for_no_transaction_that_nobody_will_end(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "APPEND_S", LIMIT_S)
    threads = DatabaseThreads("test-log", threads=2, limit_s=LIMIT_S)
    records = [a_record(number) for number in range(3)]

    with lost(monkeypatch, records_module, "add_up") as is_lost:
        await DjangoRecords(threads, keep_trying_s=RECOVERED_WITHIN_S).append(records)
        assert is_lost.is_set()
        assert await DjangoRecordShelf().holds(records)
        (row,) = await in_thread(lambda: list(UsageRollup.objects.all()))
        assert 3 == row.requests
    await is_over(threads)

    (row,) = await in_thread(lambda: list(UsageRollup.objects.all()))
    assert 3 == row.requests


async def test_a_key_waits_for_no_transaction_that_nobody_will_end(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "LOOKUP_S", LIMIT_S)
    monkeypatch.setattr(warm_module, "LOOKUP_S", LIMIT_S)
    digest, key = await DjangoKeyShelf().make("a")
    threads = DatabaseThreads("test-keys", threads=4, limit_s=LIMIT_S)
    store = DjangoKeyStore(threads)

    async def is_found() -> bool:
        with contextlib.suppress(StoreUnavailable):
            return [key] == await store.find([digest])
        return False

    with (
        override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[project.SECRET_KEY]),
        lost(monkeypatch, QuerySet, "update") as is_lost,
    ):
        assert not await is_found()
        async with asyncio.timeout(RECOVERED_WITHIN_S):
            while not await is_found():
                pass
        assert is_lost.is_set()
    await is_over(threads)


SHOW = {
    "postgresql": "SHOW idle_in_transaction_session_timeout",
    "mariadb": "SELECT concat(@@SESSION.wait_timeout, 's')",
}


def limits_of(database: str) -> list[str]:
    """Return how long the server waits for this thread: before, in and after a transaction."""
    found = []
    with connections[database].cursor() as cursor:

        def look() -> None:
            cursor.execute(SHOW[database])
            found.extend(cursor.fetchone())

        look()
        with own_transaction(database, LIMIT_S):
            look()
        look()
    return found


async def test_the_limit_ends_with_the_transaction_where_sessions_may_be_shared(
    database: str,
) -> None:
    before, within, after = await in_thread(partial(limits_of, database))

    assert "2s" == within != before
    assert {"postgresql": before, "mariadb": within}[database] == after


def test_a_connection_of_the_project_s_is_used_as_it_is(database: str) -> None:
    with transaction.atomic(using=database):
        assert 1 == len(set(limits_of(database)))
