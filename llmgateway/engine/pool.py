"""A bounded pool of threads for checks that block: a user's sync functions.

Its threads do not keep the process alive. One whose check hangs is given up when nobody waits for
it any more, and another takes its place, within bounds. Where all are busy and the queue is full,
the next one is told so at once. Under gevent these are real threads as well: the loop that waits
for them runs in one, where greenlets never would.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar
from weakref import WeakSet

from llmgateway.redaction import redacting_logger
from llmgateway.transport.forks import at_fork

logger = redacting_logger(__name__)

T = TypeVar("T")

_LOST_PER_THREAD = 4
"""How many hanging threads there may be for each one of the pool."""


class PoolFull(Exception):
    """Every thread is busy, and as many as may wait are waiting."""


class _Job:
    """What one thread does; its fields change under the pool's lock only."""

    __slots__ = ("is_given_up", "is_lost", "is_over", "is_running", "run")

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.is_running = False
        self.is_over = False
        self.is_given_up = False
        """Nobody waits for it any more."""
        self.is_lost = False
        """Its thread has been replaced."""


class Pool:
    """Threads that are started when they are needed. Safe from any thread and any loop."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._most = threads
        self._waiting = waiting
        self.reset()
        _pools.add(self)

    def reset(self) -> None:
        """Begin anew, in a process that was forked: its parent's threads are not here."""
        self._lock = _native("_thread", "allocate_lock")()
        self._jobs: Any = _native("queue", "SimpleQueue")()
        self._started = 0
        self._under_way = 0
        self._lost = 0

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
                tell(done.set_exception, _raisable(error))
            else:
                tell(done.set_result, answer)

        def tell(told: Callable[[Any], None], what: Any) -> None:
            try:
                loop.call_soon_threadsafe(lambda: None if done.done() else told(what))
            except RuntimeError:
                pass  # the loop has ended; nobody waits any more

        submitted = self._submit(work)
        try:
            return await done
        except asyncio.CancelledError:
            self._give_up(submitted)
            raise

    def _submit(self, work: Callable[[], None]) -> _Job:
        job = _Job(work)
        with self._lock:
            if self._under_way >= self._most + self._waiting:
                raise PoolFull
            self._under_way += 1
            is_new = self._wants_thread()
        self._jobs.put(job)
        if is_new:
            self._start()
        return job

    def _wants_thread(self) -> bool:
        """Tell whether to start one, and count it as started; under the lock."""
        is_new = self._started < min(self._most, self._under_way)
        self._started += is_new
        return is_new

    def _start(self) -> None:
        try:
            if "gevent.monkey" in sys.modules:
                _native("_thread", "start_new_thread")(self._serve, ())
            else:
                threading.Thread(target=self._serve, name="llmgateway-check", daemon=True).start()
        except RuntimeError:  # no more threads: what waits, waits for one that there is
            with self._lock:
                self._started -= 1
            logger.exception("A thread for guardrail checks could not be started.")

    def _serve(self) -> None:
        jobs, lock = self._jobs, self._lock
        while True:
            job: _Job = jobs.get()
            with lock:
                job.is_running = not job.is_given_up
            if job.is_running:
                job.run()
            with lock:
                job.is_over = True
                if job.is_lost:
                    self._lost -= 1
                    return
                self._under_way -= 1
            del job

    def _give_up(self, job: _Job) -> None:
        """Leave a job that nobody waits for: one that waits is skipped, one that runs replaced."""
        with self._lock:
            if job.is_over:
                return
            job.is_given_up = True
            if not job.is_running or self._lost >= self._most * _LOST_PER_THREAD:
                return
            job.is_lost = True
            self._lost += 1
            self._started -= 1
            self._under_way -= 1
            is_new = self._wants_thread()
        logger.warning("Nobody waits any more for a guardrail's check; its thread is replaced.")
        if is_new:
            self._start()


def _raisable(error: BaseException) -> BaseException:
    """Return an error that a future takes: some mean something else to whoever awaits them."""
    is_plain = isinstance(error, Exception) and not isinstance(error, StopIteration)
    return error if is_plain else RuntimeError(f"The check raised {type(error).__name__}.")


def _native(module: str, name: str) -> Any:
    """Return what Python offers for real threads, also where gevent has replaced it."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None:
        return getattr(import_module(module), name)
    return monkey.get_original(module, name)


_pools: WeakSet[Pool] = WeakSet()


def _reset_all() -> None:
    for pool in list(_pools):
        pool.reset()


at_fork(after_in_child=_reset_all)
