"""Deadlines of one event loop, kept in buckets: one timer for all of them, not one each.

A request moves its deadline several times, a stream at every read. So moving one later costs an
assignment: the bucket it stands in is looked at when it is due, and the entry goes on to the
bucket of its new time.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any

from llmgateway.transport.perloop import PerLoop

TICK_S = 0.05
"""Deadlines are kept to this: never early, and late by one tick at most (a busy loop apart)."""

NEVER = float("inf")

_ROUNDING_S = 1e-6


class Deadline:
    """One deadline: moved as often as need be, cancelled once it no longer matters."""

    __slots__ = ("_bucket", "_call", "_wheel", "when")

    def __init__(self, wheel: Wheel, call: Callable[[], None]) -> None:
        self._wheel = wheel
        self._call = call
        self._bucket: int | None = None
        self.when = NEVER
        """In loop time. `NEVER` may be assigned, and so may a later time than one that is set."""

    def move(self, when: float) -> None:
        """Set the loop time at which the callback runs; `NEVER` for not at all."""
        self.when = when
        if when != NEVER and (self._bucket is None or when <= (self._bucket - 1) * TICK_S):
            self._wheel._place(self)

    def cancel(self) -> None:
        """Forget it. Idempotent; `move` sets it up again."""
        self.when = NEVER
        self._wheel._remove(self)


class Wheel:
    """The deadlines of one event loop. Its one timer runs while there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, set[Deadline]] = {}
        self._due: list[int] = []
        """The buckets' numbers, as a heap; a number times the tick is when the bucket is due."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_for = 0

    def deadline(self, call: Callable[[], None]) -> Deadline:
        """Return a deadline that is not set yet; `call` runs on the loop and must not raise."""
        return Deadline(self, call)

    def __len__(self) -> int:
        """How many deadlines are set."""
        return sum(map(len, self._buckets.values()))

    def _place(self, deadline: Deadline) -> None:
        self._remove(deadline)
        number = int(deadline.when / TICK_S) + 1
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = set()
            heapq.heappush(self._due, number)
            self._arm()
        bucket.add(deadline)
        deadline._bucket = number

    def _remove(self, deadline: Deadline) -> None:
        # An emptied bucket stays until it is due: it holds nothing, and most are filled again.
        if deadline._bucket is not None:
            # A bucket whose turn it is just now is no longer there.
            self._buckets.get(deadline._bucket, _GONE).discard(deadline)
            deadline._bucket = None

    def _arm(self) -> None:
        number = self._due[0]
        if self._timer is not None:
            if self._timer_for <= number:
                return
            self._timer.cancel()
        self._timer_for = number
        self._timer = self._loop.call_at(number * TICK_S, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._due and self._due[0] * TICK_S <= now:
            for deadline in self._buckets.pop(heapq.heappop(self._due)):
                deadline._bucket = None
                if deadline.when <= now + _ROUNDING_S:
                    deadline.when = NEVER
                    deadline._call()
                elif deadline.when != NEVER:
                    self._place(deadline)
        if self._due:
            self._arm()


class TaskLimit:
    """How long a task may wait, time and again: `asyncio.timeout` on the wheel.

    `with limit.within(seconds): await ...` raises `TimeoutError`. For many waits in a row, which
    costs less: `with limit:`, and in it `start(seconds)` and `stop()` around each. One wait at a
    time; `close` it in the end.
    """

    __slots__ = ("_cancelling", "_deadline", "_expired", "_loop", "_task")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = _current_task(self._loop)
        self._deadline = wheel_of(self._loop).deadline(self._expire)
        self._expired = False
        self._cancelling = 0

    def within(self, seconds: float) -> TaskLimit:
        """Return the context that must be left within so many seconds."""
        self._deadline.move(self._loop.time() + seconds)
        return self

    def start(self, seconds: float) -> None:
        """Limit a wait."""
        self._deadline.move(self._loop.time() + seconds)

    def stop(self) -> None:
        """Note that the wait is over."""
        self._deadline.when = NEVER

    def __enter__(self) -> None:
        self._task = _current_task(self._loop)
        self._cancelling = self._task.cancelling()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._deadline.move(NEVER)
        if self._expired:
            self._expired = False
            # As asyncio's own: who else cancels the task meanwhile is not to be overheard.
            if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError

    def close(self) -> None:
        """Leave the wheel."""
        self._deadline.cancel()

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()


def _current_task(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any]:
    task = asyncio.current_task(loop)
    assert task is not None, "only a task can wait"
    return task


_GONE: set[Deadline] = set()
_wheels = PerLoop(Wheel)

wheel_of = _wheels.get
"""Returns the wheel of a loop; everyone on it shares one."""
