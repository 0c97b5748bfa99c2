"""A bounded pool of threads for checks that block: a user's sync functions.

Its threads do not keep the process alive, so a check that hangs costs a thread and no more. Where
all are busy and the queue is full, the next one is told so at once.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakSet

from llmgateway.transport.forks import at_fork

T = TypeVar("T")


class PoolFull(Exception):
    """Every thread is busy, and as many as may wait are waiting."""


class Pool:
    """Threads that are started when they are needed. Safe from any thread and any loop."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._most = threads
        self._waiting = waiting
        self.reset()
        _pools.add(self)

    def reset(self) -> None:
        """Begin anew, in a process that was forked: its parent's threads are not here."""
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._started = 0
        self._under_way = 0

    async def run(self, job: Callable[[], T]) -> T:
        """Return what a function returns, run in one of the threads in the caller's context.

        Raises what it raises, or `PoolFull`. A caller that is cancelled leaves it running.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                answer: Any = context.run(job)
            except BaseException as error:
                tell(done.set_exception, error)
            else:
                tell(done.set_result, answer)

        def tell(told: Callable[[Any], None], what: Any) -> None:
            try:
                loop.call_soon_threadsafe(lambda: None if done.done() else told(what))
            except RuntimeError:
                pass  # the loop has ended; nobody waits any more

        self._submit(work)
        return await done

    def _submit(self, work: Callable[[], None]) -> None:
        with self._lock:
            if self._under_way >= self._most + self._waiting:
                raise PoolFull
            self._under_way += 1
            is_new = self._started < min(self._most, self._under_way)
            self._started += is_new
        self._jobs.put(work)
        if is_new:
            threading.Thread(target=self._serve, name="llmgateway-check", daemon=True).start()

    def _serve(self) -> None:
        jobs, lock = self._jobs, self._lock
        while True:
            job = jobs.get()
            job()
            del job
            with lock:
                self._under_way -= 1


_pools: WeakSet[Pool] = WeakSet()


def _reset_all() -> None:
    for pool in list(_pools):
        pool.reset()


at_fork(after_in_child=_reset_all)
