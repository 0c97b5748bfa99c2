"""One event loop in a thread of its own for all threads of a process."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401  # for its hook, which then runs after ours
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from functools import cache
from types import FrameType
from typing import Any, TypeVar
from weakref import WeakSet

from llmgateway.gateway import Gateway
from llmgateway.redaction import redacting_logger
from llmgateway.runtime.base import LoopStopped, SyncResponse
from llmgateway.runtime.crossing import Crossing, Handling, Run
from llmgateway.runtime.threads import NewLoop, Threads, threads_of_process
from llmgateway.transport.forks import at_fork
from llmgateway.types.call import Principal
from llmgateway.types.http import HTTPRequest

__all__ = ["BackgroundLoop", "background_loop"]

T = TypeVar("T")

logger = redacting_logger(__name__)

FLUSH_S = 5.0
"""How long stopping waits for what is cancelled to end, and for the log store."""
_JOIN_S = 1.0
_PARK_S = 1.0
"""How long a fork waits for the loop to come to a place where it holds nothing."""


class BackgroundLoop:
    """An event loop in a thread, started at its first use. Safe from any thread.

    A process that is forked from one where it runs starts another at its own first use.
    """

    def __init__(self, new_loop: NewLoop | None = None) -> None:
        self._new_loop = new_loop
        self._lock = threading.Lock()
        self._lane: _Lane | None = None
        self._parked: Callable[[], None] | None = None
        self._is_over = False
        self._elsewhere: WeakSet[Gateway] = WeakSet()
        _watch_process(self)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result; not from the loop itself."""
        return self._cross(lambda lane: Run(lane, coroutine), coroutine.close)

    def handle(
        self, gateway: Gateway, request: HTTPRequest, principal: Principal | None = None
    ) -> SyncResponse:
        """Answer one request; see `Gateway.handle`."""
        return self._cross(lambda lane: Handling(lane, gateway, request, principal))

    def close(self, grace_s: float = 0.0) -> None:
        """Stop the loop: what runs may go on for `grace_s`, then it is cancelled and settled."""
        with self._lock:
            lane, self._lane = self._lane, None
        if lane is not None and lane.pid == os.getpid():
            lane.stop(grace_s)

    def end_on_sigterm(self, grace_s: float = 25.0) -> None:
        """Cut what still runs so long after a SIGTERM, while its record can still be stored.

        For servers that are killed themselves when their grace is over: gunicorn's workers are at
        the very moment at which they would end by themselves. Only ever called by the host, in the
        main thread of the process that serves; what handled the signal before still does.
        """
        before = signal.getsignal(signal.SIGTERM)

        def handle(number: int, frame: FrameType | None) -> None:
            lane = self._lane  # without the lock, which this very thread may hold
            if lane is not None:
                lane.post(lane.cut_after, grace_s)
            if callable(before):
                before(number, frame)
            elif before == signal.SIG_DFL:
                raise SystemExit(0)

        signal.signal(signal.SIGTERM, handle)

    def flush_at_end(self, gateway: Gateway) -> None:
        """Store what a gateway on another loop has left behind when the process ends.

        For hosts whose server stops its loop without a word to them.
        """
        self._elsewhere.add(gateway)

    def end(self) -> None:
        """Stop for good, because the process ends."""
        for gateway in list(self._elsewhere):
            if not gateway.recorder.is_empty():
                self._flush(gateway)
        self._is_over = True
        if self._lane is not None:
            self._lane.is_last = True
        self.close()

    def _flush(self, gateway: Gateway) -> None:
        try:
            self.run(asyncio.wait_for(gateway.recorder.flush(), FLUSH_S))
        except Exception:
            logger.exception("The log store did not take all records before the process ended.")

    def before_fork(self) -> None:
        """Have the loop stand still between two callbacks, where it holds no lock."""
        self._lock.acquire()
        if self._lane is not None and self._lane.pid == os.getpid():
            self._parked = self._lane.park()

    def after_fork(self) -> None:
        """Let the loop go on, in the process that has it."""
        parked, self._parked = self._parked, None
        if parked is not None:
            parked()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Leave the parent's loop alone: what it polls is shared with the parent."""
        self._lock = threading.Lock()
        self._parked = None
        if self._lane is not None:
            _parents.append(self._lane)
            self._lane = None

    def _cross(
        self, make: Callable[[_Lane], Crossing[T]], drop: Callable[[], None] | None = None
    ) -> T:
        crossing: Crossing[T] | None = None
        # A signal may interrupt any step: whose the work is by then shows in whether it was made.
        try:
            # Under the lock, so that nothing is handed to a loop that is just being stopped.
            with self._lock:
                crossing = make(self._running_lane())
                crossing.begin()
            crossing.wait()
        except BaseException:
            if crossing is not None:
                crossing.give_up()
            elif drop is not None:
                drop()
            raise
        return crossing.result()

    def _running_lane(self) -> _Lane:
        lane = self._lane
        if lane is None or lane.pid != os.getpid():
            if self._is_over:
                raise LoopStopped("The process is ending.")
            if lane is not None:
                _parents.append(lane)  # forked by what runs no hooks of Python's
            lane = self._lane = _Lane(threads_of_process(), self._new_loop)
        if asyncio._get_running_loop() is lane.loop:
            raise RuntimeError("This runs on the loop that it would wait for: await instead.")
        return lane


@cache
def background_loop() -> BackgroundLoop:
    """Return the process's one."""
    return BackgroundLoop()


class _Lane:
    """A running loop, its thread, and what is on it."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, threads: Threads, new_loop: NewLoop | None) -> None:
        self.pid = os.getpid()
        self.threads = threads
        self.tasks: set[asyncio.Task[None]] = set()
        self._gateways: WeakSet[Gateway] = WeakSet()
        self._latest: Gateway | None = None
        self._new_loop = new_loop or threads.new_loop
        self._failure: BaseException | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._is_stopped = False
        self.is_last = False
        """Set where the process ends after it: threads are joined by Python then."""
        self._ended = threads.waiter()
        self._ready = threads.lock()
        self._ready.acquire()
        threads.start(self._main, "llmgateway")
        self._ready.acquire()
        if self._failure is not None:
            raise LoopStopped("The background loop did not start.") from self._failure

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """Call something on the loop, unless it is closed."""
        try:
            self.loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            pass  # closed: whatever it was about has ended

    def meet(self, gateway: Gateway) -> None:
        """Note a gateway that runs here, to be closed with the loop."""
        if gateway is not self._latest:
            self._gateways.add(gateway)
            self._latest = gateway

    def cut_after(self, grace_s: float) -> None:
        """Cancel in a while what then still runs; on the loop, which goes on."""
        self.loop.call_later(grace_s, lambda: [task.cancel() for task in list(self.tasks)])

    def stop(self, grace_s: float) -> None:
        """End the loop and wait for its thread, within bounds."""
        self.post(self._begin_stop, grace_s)
        if asyncio._get_running_loop() is not self.loop:
            self._ended.wait(grace_s + 2 * FLUSH_S + _JOIN_S)

    def park(self) -> Callable[[], None] | None:
        """Hold the loop up until the function that is returned is called."""
        if asyncio._get_running_loop() is self.loop:
            return None
        parked, go_on = self.threads.lock(), self.threads.lock()
        parked.acquire()
        go_on.acquire()

        def stand_still() -> None:
            parked.release()
            go_on.acquire()

        self.post(stand_still)
        parked.acquire(timeout=_PARK_S)
        return go_on.release

    def _begin_stop(self, grace_s: float) -> None:
        self._stopping = self.loop.create_task(self._stop(grace_s))

    def _main(self) -> None:
        try:
            self.loop = self._new_loop()
        except BaseException as error:
            self._failure = error
            self._ready.release()
            return
        self.loop.call_soon(self._ready.release)
        try:
            self._run()
            self.loop.run_until_complete(self._clean_up())
        finally:
            self.loop.close()
            self._ended.wake()

    def _run(self) -> None:
        """Run until `_stop` says so: a `SystemExit` of some task's is not the end of all others."""
        while not self._is_stopped:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                logger.exception("Code on the background loop tried to end its thread.")

    async def _stop(self, grace_s: float) -> None:
        # What was handed over just before has begun after two turns, and can be told its end.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if grace_s > 0 and self.tasks:
            await asyncio.wait(self.tasks, timeout=grace_s)
        await _cancelled(self.tasks)
        try:
            async with asyncio.timeout(FLUSH_S):
                await asyncio.gather(*map(_closed, list(self._gateways)))
        except TimeoutError:
            logger.error("The log store did not take all records before the process ended.")
        finally:
            self._is_stopped = True
            self.loop.stop()

    async def _clean_up(self) -> None:
        """Do as `asyncio.Runner` does at its end."""
        await _cancelled(asyncio.all_tasks() - {asyncio.current_task()})
        await self.loop.shutdown_asyncgens()
        if not self.is_last:
            await self.loop.shutdown_default_executor()


async def _closed(gateway: Gateway) -> None:
    try:
        await gateway.aclose()
    except Exception:
        logger.exception("A gateway could not be closed; what it holds ends with the process.")


async def _cancelled(tasks: set[Any]) -> None:
    for task in list(tasks):
        task.cancel()
    if tasks:
        await asyncio.wait(set(tasks), timeout=FLUSH_S)


# ---- the process: its forks and its end

_loops: WeakSet[BackgroundLoop] = WeakSet()
_parents: list[_Lane] = []
"""Loops of the process that this one was forked from. Kept, since letting go of them would take
their sockets out of a poll that the parent still uses."""
_forking: list[BackgroundLoop] = []


def _watch_process(loop: BackgroundLoop) -> None:
    if not _loops:
        _register()
    _loops.add(loop)


@cache
def _register() -> None:
    at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
    # Called in reverse order and before threads are joined: requests can still end, and stores
    # still have their executors. The public `atexit` comes after all that; it is for where the
    # other is missing.
    getattr(threading, "_register_atexit", atexit.register)(_end_all)
    atexit.register(_end_all)


def _before_fork() -> None:
    for loop in list(_loops):
        loop.before_fork()
        _forking.append(loop)


def _after_fork() -> None:
    while _forking:
        _forking.pop().after_fork()


def _after_fork_in_child() -> None:
    while _forking:
        _forking.pop().after_fork_in_child()


def _end_all() -> None:
    for loop in list(_loops):
        loop.end()
