"""The one way to the database: never on a loop's thread, within bounds of number and time.

Each unit of work has a connection for as long as it takes, and a moment longer in case there is
more: nothing is held while a stream runs. Work that is given up goes on in its thread until the
database lets go of it; so keys and records have threads of their own, and a locked log keeps nobody
from being let in. A database that went silent may never let go: connections have time limits where
their driver has some, and as many threads again may take the place of those that hang. The server
does not hear of that: what it has begun for such a connection it must end itself, see
`own_transaction`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from _queue import (
    Empty,
    SimpleQueue,
)  # gevent replaces the names in `queue`; these threads are real
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connections, reset_queries, transaction

from llmgateway.runtime.threads import threads_of_process
from llmgateway.transport.forks import at_fork

__all__ = ["Database", "DatabaseBusy", "DatabaseThreads", "InlineDatabase", "own_transaction"]

T = TypeVar("T")
_KEPT_S = 0.25
"""How long a connection waits for more work: records come in batches every 50 ms. To make one can
take longer than to write what it is made for."""
_MAX_AGE_S = 60
"""How old a connection gets."""

_Work = tuple[Future[T], Callable[[], T]]


class DatabaseBusy(Exception):
    """All threads are at work, and as many wait as may; the work was not begun."""


class Database(Protocol):
    """Runs work that needs the ORM."""

    async def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """Return what `work` does.

        Raises `TimeoutError` after `timeout_s`, though the work may go on, and `DatabaseBusy`.
        """
        ...


class InlineDatabase:
    """In the thread that waits for the loop, so that a test's transaction holds."""

    async def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """Run it where `async_to_sync` was called; what blocks there cannot be given up."""
        result: T = await sync_to_async(work, thread_sensitive=True)()
        return result


class DatabaseThreads:
    """A few threads, started when there is work. Safe from any loop, and after a fork.

    Not an executor of the standard library: the interpreter waits for those at its end, and a
    database that never answers would keep the process from ending.
    """

    def __init__(
        self, name: str, threads: int, max_waiting: int = 1000, limit_s: float | None = None
    ) -> None:
        """Take `limit_s` as the time that a connection may take to be made, and to answer."""
        self._name = f"llmgateway-{name}"
        self._max_threads = threads
        self._max_pending = threads + max_waiting
        self._limit_s = limit_s
        self._start_anew()
        _all.add(self)

    def _start_anew(self) -> None:
        """Begin without threads: those of the process that forked are not here."""
        self._lock = threading.Lock()
        self._work: SimpleQueue[_Work[Any]] = SimpleQueue()
        self._threads = 0
        self._pending = 0
        self._hanging: set[Future[Any]] = set()
        """Work that was given up, and holds a thread."""

    async def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """Run it in one of the threads."""
        future: Future[T] = Future()
        with self._lock:
            if self._pending >= self._max_pending:
                raise DatabaseBusy
            self._pending += 1
        try:
            self._start_if_wanted()
        except DatabaseBusy:
            with self._lock:
                self._pending -= 1
            raise
        self._work.put((future, work))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            self._give_up(future)
            raise

    def _give_up(self, future: Future[Any]) -> None:
        with self._lock:
            if future.cancel() or future.done():
                return
            self._hanging.add(future)
        with contextlib.suppress(DatabaseBusy):
            self._start_if_wanted()

    def _start_if_wanted(self) -> None:
        """Start a thread if there is work for one more; one for each that hangs, within bounds."""
        with self._lock:
            most = self._max_threads + min(len(self._hanging), self._max_threads)
            if self._threads >= min(self._pending, most):
                return
            self._threads += 1
        try:
            threads_of_process().start(self._serve, self._name)
        except RuntimeError as error:  # the system has no more of them, or the server forbids them
            with self._lock:
                self._threads -= 1
            raise DatabaseBusy(str(error)) from error

    def _serve(self) -> None:
        is_wanted = True
        kept_s: float | None = None
        while is_wanted:
            try:
                future, work = self._work.get(timeout=kept_s)
            except Empty:
                connections.close_all()
                kept_s = None
                continue
            kept_s = _KEPT_S
            if future.set_running_or_notify_cancel():
                try:
                    result = _unit(work, self._limit_s)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            with self._lock:
                self._pending -= 1
                self._hanging.discard(future)
                is_wanted = self._threads <= self._max_threads + len(self._hanging)
                self._threads -= not is_wanted
            del future, work  # not kept until the next one comes
        connections.close_all()


_all: WeakSet[DatabaseThreads] = WeakSet()


def _forget_threads() -> None:
    for threads in list(_all):
        threads._start_anew()


at_fork(after_in_child=_forget_threads)


_MYSQL = {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1}
_LIBPQ = {
    "connect_timeout": 1, "keepalives_idle": 1, "keepalives_interval": 1, "tcp_user_timeout": 1000,
}  # fmt: skip
_LIMITS: Mapping[str, Mapping[str, int]] = {
    "psycopg": _LIBPQ, "psycopg2": _LIBPQ, "MySQLdb": _MYSQL, "pymysql": _MYSQL,
}  # fmt: skip
"""What drivers call their time limits, and how many of their units a second has."""


def _unit(work: Callable[[], T], limit_s: float | None) -> T:
    # Django does this around each request; these threads see none.
    reset_queries()
    close_old_connections()
    _own_connections(limit_s)
    try:
        return work()
    finally:
        close_old_connections()


def _own_connections(limit_s: float | None) -> None:
    """Have this thread's connections last, and give up in time, unless the project sets that."""
    for alias in connections:
        connection = connections[alias]
        project = connection.settings_dict
        if _is_own(connection):
            continue  # they do already
        units = _LIMITS.get(connection.Database.__name__, {}) if limit_s is not None else {}
        limits = {name: unit * math.ceil(limit_s or 0) for name, unit in units.items()}
        own = {**project, "OPTIONS": {**limits, **project["OPTIONS"]}}
        if project["CONN_MAX_AGE"] == 0 and not project["OPTIONS"].get("pool"):
            own |= {"CONN_MAX_AGE": _MAX_AGE_S, "CONN_HEALTH_CHECKS": True}
        connection.settings_dict = own


def _is_own(connection: Any) -> bool:
    """Tell whether this is a connection of one of these threads, and so nobody else's."""
    return connection.settings_dict is not connections.settings[connection.alias]


_SILENT: Mapping[str, str] = {
    # For this transaction: the session may be a pooler's, and others' next.
    "postgresql": "SET LOCAL idle_in_transaction_session_timeout = '{}s'",
    "mysql": "SET SESSION wait_timeout = {}",
}
"""What each server calls the time that it waits for a client's next statement."""


@contextlib.contextmanager
def own_transaction(using: str, silent_s: float) -> Iterator[Any]:
    """Have a transaction that the server rolls back when it hears nothing for so long.

    Otherwise it keeps one whose connection went silent, for hours, and with it the locks that the
    next try waits for. Yields a cursor. A connection of the project's is used as it is.
    """
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if _is_own(connection) and (statement := _SILENT.get(connection.vendor)) is not None:
            cursor.execute(statement.format(math.ceil(silent_s)))
        yield cursor
