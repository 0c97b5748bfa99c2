"""Threads, locks and waiting as this process has them: native, or under gevent.

The loop's thread must be a real one. gevent replaces what Python offers, so there the originals
are looked up, and callers wait as greenlets: others of their thread run on. gevent is never
imported here, only found where a host has loaded it and patched with it.
"""

from __future__ import annotations

import _thread
import asyncio
import selectors
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from llmgateway.transport.dial import look_up

try:  # an extra; it resolves names and polls in C, and so without what gevent has replaced
    import uvloop
except ImportError:
    _HAS_UVLOOP = False
else:
    _HAS_UVLOOP = True

__all__ = ["Threads", "Waiter", "threads_of_process"]

NewLoop = Callable[[], asyncio.AbstractEventLoop]

_MAX_HELPERS = 32
"""How many real threads a loop under gevent uses for what blocks."""


class Waiter(Protocol):
    """Lets one thread wait until another wakes it. A wake may come first; two count as one."""

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait to be woken, or for so long."""
        ...

    def wake(self) -> None:
        """End the wait, from any thread."""
        ...


class Threads(Protocol):
    """What a process has for a loop in a thread of its own."""

    def lock(self) -> _thread.LockType:
        """Return a lock that holds up whole threads."""
        ...

    def waiter(self) -> Waiter:
        """Return a waiter for the calling thread or greenlet."""
        ...

    def start(self, main: Callable[[], None], name: str) -> None:
        """Run a function in a new thread, which does not keep the process alive."""
        ...

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop for such a thread; called in it."""
        ...


class NativeThreads:
    """Python as it is."""

    def lock(self) -> _thread.LockType:
        """Return a plain lock."""
        return _thread.allocate_lock()

    def waiter(self) -> Waiter:
        """Return a lock to wait on."""
        return _LockWaiter(_thread.allocate_lock())

    def start(self, main: Callable[[], None], name: str) -> None:
        """Start a daemon thread."""
        threading.Thread(target=main, name=name, daemon=True).start()

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return uvloop's where it is installed."""
        return _UVLoop(look_up) if _HAS_UVLOOP else asyncio.new_event_loop()


class _LockWaiter:
    """Waits on a lock: the cheapest there is, and a signal interrupts it."""

    __slots__ = ("_lock",)

    def __init__(self, lock: _thread.LockType) -> None:
        self._lock = lock
        lock.acquire()

    def wait(self, timeout_s: float | None = None) -> None:
        self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s)

    def wake(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:
            pass  # a wake that nobody has waited for yet


class GeventThreads:
    """Under gevent's patches: a real thread for the loop, greenlets that wait."""

    def __init__(self, monkey: Any, hub: Any) -> None:
        self._original: Callable[[str, str], Any] = monkey.get_original
        self._hub = hub

    def lock(self) -> _thread.LockType:
        """Return a lock as Python has it."""
        lock: _thread.LockType = self._original("_thread", "allocate_lock")()
        return lock

    def waiter(self) -> Waiter:
        """Return a waiter that lets other greenlets run."""
        return _GreenletWaiter(self._hub, self.lock())

    def start(self, main: Callable[[], None], name: str) -> None:
        """Start a real thread; its name is for native ones only."""
        self._original("_thread", "start_new_thread")(main, ())

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return a loop that polls, looks names up and blocks without gevent."""
        if _HAS_UVLOOP:
            return _GeventUVLoop(self)
        selector: selectors.BaseSelector = self._original("selectors", "DefaultSelector")()
        return _SelectorLoop(self, selector)

    def original(self, module: str, name: str) -> Any:
        """Return what gevent has replaced."""
        return self._original(module, name)


class _GreenletWaiter:
    """Wakes a greenlet from another thread, by the one thing of gevent's loop that may: `async`."""

    __slots__ = ("_hub", "_lock", "_watcher", "_woken")

    def __init__(self, hub: Any, lock: _thread.LockType) -> None:
        self._hub = hub
        self._lock = lock
        self._watcher: Any = None
        self._woken = False

    def wait(self, timeout_s: float | None = None) -> None:
        hub = self._hub.get_hub()
        waiter = self._hub.Waiter(hub)
        watcher = hub.loop.async_()
        timer = None if timeout_s is None else hub.loop.timer(timeout_s)
        watcher.start(waiter.switch, None)
        with self._lock:
            self._watcher = watcher
        try:
            # Started first and looked at then: a wake in between is not lost.
            if not self._woken:
                if timer is not None:
                    timer.start(waiter.switch, None)
                waiter.get()
        finally:
            with self._lock:
                self._watcher = None
            for each in (watcher, timer):
                if each is not None:
                    each.stop()
                    each.close()
        self._woken = False

    def wake(self) -> None:
        with self._lock:
            self._woken = True
            if self._watcher is not None:
                self._watcher.send()


class _Helpers:
    """Runs what blocks in real threads, a bounded number of them, for a loop under gevent."""

    def __init__(self, threads: GeventThreads) -> None:
        self._threads = threads
        self._waiting: deque[Callable[[], None]] = deque()
        self._busy = 0

    def submit(
        self, loop: asyncio.AbstractEventLoop, call: Callable[[], Any]
    ) -> asyncio.Future[Any]:
        """Call a function in a thread; on the loop."""
        future = loop.create_future()

        def main() -> None:
            result: Any = None
            failure: BaseException | None = None
            try:
                result = call()
            except BaseException as error:
                failure = error
            try:
                loop.call_soon_threadsafe(self._done, future, result, failure)
            except RuntimeError:
                pass  # the loop is closed; nobody waits any more

        if self._busy < _MAX_HELPERS:
            self._busy += 1
            self._threads.start(main, "llmgateway-helper")
        else:
            self._waiting.append(main)
        return future

    def _done(
        self, future: asyncio.Future[Any], result: Any, failure: BaseException | None
    ) -> None:
        if self._waiting:
            self._threads.start(self._waiting.popleft(), "llmgateway-helper")
        else:
            self._busy -= 1
        if future.done():
            return
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)


class _SelectorLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop with the original look-up of names and real threads for what blocks."""

    def __init__(self, threads: GeventThreads, selector: selectors.BaseSelector) -> None:
        super().__init__(selector)
        self._helpers = _Helpers(threads)
        self._getaddrinfo = threads.original("socket", "getaddrinfo")
        self._getnameinfo = threads.original("socket", "getnameinfo")

    # The types of asyncio's own cannot be repeated before Python 3.12's generics.
    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Run in a thread that gevent has no hand in, unless an executor is named."""
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        return self._helpers.submit(self, lambda: func(*args))

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        """Look a name up; gevent's own waits for a hub that does not run in this thread."""
        order = [how.get(name, 0) for name in ("family", "type", "proto", "flags")]
        return await self._helpers.submit(self, lambda: self._getaddrinfo(host, port, *order))

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        """Look an address up, likewise."""
        return await self._helpers.submit(self, lambda: self._getnameinfo(sockaddr, flags))


if _HAS_UVLOOP:

    class _UVLoop(uvloop.Loop):
        """uvloop, with names looked up in Python's threads.

        libuv counts the look-ups that run in its own, of which it allows two at once. A process
        that is forked meanwhile keeps the count without the threads, and may look up no name ever
        again (seen 2026-11 with libuv 1.52).
        """

        def __init__(self, getaddrinfo: Callable[..., Any]) -> None:
            super().__init__()
            self._getaddrinfo = getaddrinfo

        async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
            """Look a name up."""
            order = [how.get(name, 0) for name in ("family", "type", "proto", "flags")]
            return await self.run_in_executor(None, self._getaddrinfo, host, port, *order)

    class _GeventUVLoop(_UVLoop):
        """uvloop, which polls in C, with real threads for what blocks."""

        def __init__(self, threads: GeventThreads) -> None:
            super().__init__(threads.original("socket", "getaddrinfo"))
            self._helpers = _Helpers(threads)

        def run_in_executor(  # type: ignore[override]
            self, executor: Any, func: Any, *args: Any
        ) -> Any:
            """Run in a thread that gevent has no hand in, unless an executor is named."""
            if executor is not None:
                return super().run_in_executor(executor, func, *args)
            return self._helpers.submit(self, lambda: func(*args))


def threads_of_process() -> Threads:
    """Return what this process has. Raises `RuntimeError` where threads do not run."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is not None and not _has_threads(uwsgi):
        raise RuntimeError(
            "uWSGI runs without threads, but llmgateway needs one of its own: start it with "
            "--enable-threads (or --threads N)."
        )
    patcher: Any = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        raise RuntimeError("llmgateway does not run under eventlet: use gevent or threads.")
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is not None and any(map(monkey.is_module_patched, ("threading", "socket"))):
        return GeventThreads(monkey, sys.modules["gevent.hub"])
    return NativeThreads()


def _has_threads(uwsgi: Any) -> bool:
    options = getattr(uwsgi, "opt", None)
    if not isinstance(options, dict):
        return True
    names = {name.decode() if isinstance(name, bytes) else name for name in options}
    return bool(names & {"enable-threads", "threads"})
