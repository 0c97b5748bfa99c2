"""The threads that the ORM is used in."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from pytest_django import DjangoDbBlocker

from llmgateway_django import database
from llmgateway_django.database import DatabaseBusy, DatabaseThreads, InlineDatabase


async def test_work_is_done_in_a_thread_of_its_own() -> None:
    threads = DatabaseThreads("test", threads=1)

    first = await threads.run(threading.get_ident, 10)

    assert first == await threads.run(threading.get_ident, 10)
    assert first != threading.get_ident()


async def test_what_work_raises_is_raised() -> None:
    threads = DatabaseThreads("test", threads=1)

    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0, 10)
    assert 1 == await threads.run(lambda: 1, 10)


async def test_no_more_threads_than_asked_for_are_started() -> None:
    threads = DatabaseThreads("test", threads=3)

    async def ident() -> int:
        return await threads.run(threading.get_ident, 10)

    assert 3 >= len(set(await asyncio.gather(*(ident() for _ in range(100)))))


async def hang(threads: DatabaseThreads, ended: threading.Event) -> None:
    """Have work given up that holds a thread: what had not begun in time is just taken back."""
    hanging = len(threads._hanging)
    while hanging == len(threads._hanging):
        await threads.run(lambda: None, 10)  # a thread is free
        with pytest.raises(TimeoutError):
            await threads.run(ended.wait, 0.01)


async def test_work_that_hangs_is_given_up_and_holds_only_its_thread() -> None:
    threads = DatabaseThreads("test", threads=2)
    ended = threading.Event()

    await hang(threads, ended)

    assert 1 == await threads.run(lambda: 1, 10)
    ended.set()


async def test_threads_that_hang_are_replaced_within_bounds() -> None:
    threads = DatabaseThreads("test", threads=2)
    ended = threading.Event()

    for _ in range(4):
        assert 1 == await threads.run(lambda: 1, 10)
        await hang(threads, ended)

    with pytest.raises(TimeoutError):
        await threads.run(lambda: 1, 0.01)
    ended.set()
    assert 1 == await threads.run(lambda: 1, 10)


async def test_what_waits_behind_work_that_hangs_is_done_by_another_thread() -> None:
    threads = DatabaseThreads("test", threads=1)
    ended = threading.Event()
    hanging = asyncio.create_task(threads.run(ended.wait, 0.01))
    await asyncio.sleep(0)

    assert 1 == await threads.run(lambda: 1, 10)

    with pytest.raises(TimeoutError):
        await hanging
    ended.set()


async def test_those_that_hung_are_too_many_when_they_come_back() -> None:
    threads = DatabaseThreads("test", threads=1)
    ended = threading.Event()
    await hang(threads, ended)
    await threads.run(lambda: 1, 10)
    ended.set()

    async def meet() -> int:
        """Have all threads that there are take work at once; returns how many did."""
        met = threading.Barrier(2)

        def wait() -> bool:
            try:
                met.wait(0.1)
            except threading.BrokenBarrierError:
                return False
            return True

        return sum(await asyncio.gather(*(threads.run(wait, 10) for _ in range(2))))

    assert 0 == await meet()


async def test_work_that_ends_in_a_time_out_of_its_own_does_not_hang() -> None:
    threads = DatabaseThreads("test", threads=1)

    def fail() -> None:
        raise TimeoutError

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await threads.run(fail, 10)
    assert not threads._hanging


LIMITS = {
    "psycopg": {
        "connect_timeout": 2, "keepalives_idle": 2, "keepalives_interval": 2,
        "tcp_user_timeout": 2000,
    },
    "pymysql": {"connect_timeout": 2, "read_timeout": 2, "write_timeout": 2},
    "sqlite3.dbapi2": {},
}  # fmt: skip


def own_settings() -> dict[str, Any]:
    """Return what this thread's connection is made with."""
    found: dict[str, Any] = connections["default"].settings_dict
    return found


@pytest.mark.parametrize("driver", LIMITS)
async def test_connections_have_the_time_limits_that_their_driver_knows(
    monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    class Driver:
        __name__ = driver

    monkeypatch.setattr(type(connections["default"]), "Database", Driver())
    threads = DatabaseThreads("test", threads=1, limit_s=1.5)

    own = await threads.run(own_settings, 10)

    assert LIMITS[driver] == own["OPTIONS"]
    assert {} == own_settings()["OPTIONS"]


@pytest.mark.parametrize(("project", "kept"), [
    ({}, (database._MAX_AGE_S, True)),
    ({"CONN_MAX_AGE": None}, (None, False)),
    ({"CONN_MAX_AGE": 5}, (5, False)),
    ({"OPTIONS": {"pool": True}}, (0, False)),
])  # fmt: skip
async def test_connections_last_as_the_project_has_it_or_for_a_while(
    monkeypatch: pytest.MonkeyPatch, project: dict[str, Any], kept: tuple[int, bool]
) -> None:
    for name, value in project.items():
        monkeypatch.setitem(connections.settings["default"], name, value)

    own = await DatabaseThreads("test", threads=1).run(own_settings, 10)

    assert kept == (own["CONN_MAX_AGE"], own["CONN_HEALTH_CHECKS"])


async def test_a_connection_waits_for_more_work_but_not_for_long(
    monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> None:
    monkeypatch.setattr(database, "_KEPT_S", 60.0)
    closed = threading.Event()
    threads = DatabaseThreads("test", threads=1)

    def connect() -> object:
        connection = connections["default"]
        connection.ensure_connection()
        monkeypatch.setattr(connection, "close", closed.set)
        return connection.connection

    def connected() -> object:
        return connections["default"].connection

    with django_db_blocker.unblock():
        first = await threads.run(connect, 10)

        assert first is await threads.run(connected, 10)
        assert not closed.is_set()

        monkeypatch.setattr(database, "_KEPT_S", 0.01)
        await threads.run(connected, 10)
        assert await asyncio.to_thread(closed.wait, 10)


async def test_work_that_was_given_up_before_it_began_is_not_done() -> None:
    threads = DatabaseThreads("test", threads=1)
    begun, ended = threading.Event(), threading.Event()
    done: list[int] = []

    def hang() -> None:
        begun.set()
        ended.wait()

    first = asyncio.create_task(threads.run(hang, 10))
    await asyncio.to_thread(begun.wait)
    with pytest.raises(TimeoutError):
        await threads.run(lambda: done.append(1), 0.01)
    ended.set()
    await first
    await threads.run(lambda: done.append(2), 10)

    assert [2] == done


async def test_so_much_may_wait_and_no_more() -> None:
    threads = DatabaseThreads("test", threads=1, max_waiting=1)
    ended = threading.Event()
    waiting = [asyncio.create_task(threads.run(ended.wait, 10)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(DatabaseBusy):
        await threads.run(lambda: 1, 10)

    ended.set()
    await asyncio.gather(*waiting)
    assert 1 == await threads.run(lambda: 1, 10)


async def test_threads_serve_several_loops() -> None:
    threads = DatabaseThreads("test", threads=2)

    def elsewhere() -> int:
        return asyncio.run(threads.run(threading.get_ident, 10))

    others = await asyncio.gather(*(asyncio.to_thread(elsewhere) for _ in range(5)))

    assert 2 >= len({*others, await threads.run(threading.get_ident, 10)})


async def test_results_are_not_kept() -> None:
    class Result:
        pass

    threads = DatabaseThreads("test", threads=1)
    kept = weakref.ref(await threads.run(Result, 10))
    await threads.run(lambda: None, 10)
    gc.collect()

    assert kept() is None


# Python 3.12 and newer warn of what this is about: a process with threads that forks.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
async def test_a_forked_child_starts_threads_of_its_own() -> None:
    threads = DatabaseThreads("test", threads=1)
    await threads.run(lambda: 1, 10)

    child = await asyncio.to_thread(_fork, threads)

    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert 0 == os.waitstatus_to_exitcode(status)


def _fork(threads: DatabaseThreads) -> int:
    child = os.fork()
    if child == 0:
        try:
            os._exit(asyncio.run(threads.run(lambda: 0, 10)))
        finally:
            os._exit(1)
    return child


async def test_inline_work_is_done_where_the_loop_was_entered() -> None:
    def enter() -> bool:
        here = threading.get_ident()
        return here == async_to_sync(InlineDatabase().run)(threading.get_ident, 10)

    assert await asyncio.to_thread(enter)


async def test_a_thread_that_cannot_start_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = DatabaseThreads("test", threads=1)

    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(database, "threads_of_process", refuse)
        for _ in range(2):
            with pytest.raises(DatabaseBusy, match="can't start"):
                await threads.run(lambda: 1, 10)

    assert 1 == await threads.run(lambda: 1, 10)
