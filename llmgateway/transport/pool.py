"""Connections kept for reuse: bounded in number and in time, last in first out.

Knows nothing of HTTP or sockets. Bound to one event loop.
Neither a look-up nor a return walks through connections, and one that is in use stands in no
list, so a cancelled call can leave nothing behind but its own lease, which it closes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from llmgateway.transport.url import Origin


class Poolable(Protocol):
    """A connection, as far as the pool needs to know it."""

    def is_reusable(self) -> bool:
        """Tell whether the next exchange may use this idle connection."""
        ...

    def abort(self) -> None:
        """Close it at once; does not wait and may be called twice."""
        ...


C = TypeVar("C", bound=Poolable)


@dataclass(frozen=True, slots=True)
class PoolBounds:
    """How many connections may be open, and for how long unused."""

    per_origin: int = 1000
    """In use at once for one origin, so that one that hangs leaves room for the others."""
    total: int = 4000
    """In use at once, all origins together."""
    idle: int = 256
    """Kept open unused, all origins together; above it the oldest are closed."""
    idle_s: float = 4.0
    """How long unused. Under the 5 s after which common servers close theirs
    (https://nodejs.org/api/http.html#serverkeepalivetimeout), so that few calls meet a dead one."""


@dataclass(slots=True)
class _Lane(Generic[C]):
    """What the pool holds of one origin."""

    slots: asyncio.Semaphore
    users: int = 0
    """Calls that hold a slot or wait for one."""
    idle: deque[tuple[C, float]] = field(default_factory=deque)
    """With the loop time until which each may be reused; the last one in is at the right."""


class Pool(Generic[C]):
    """Hands out connections by origin and takes them back."""

    def __init__(self, bounds: PoolBounds) -> None:
        self._bounds = bounds
        self._slots = asyncio.Semaphore(bounds.total)
        self._lanes: dict[Origin, _Lane[C]] = {}
        self._idle: dict[C, Origin] = {}
        """Every idle connection, the longest idle first."""
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def lease(self, origin: Origin, connect: Callable[[], C]) -> Lease[C]:
        """Wait for a slot, then hand out the connection used last, else what `connect` makes.

        The caller bounds the wait, and closes the lease.
        """
        lane = self._lanes.get(origin)
        if lane is None:
            lane = self._lanes[origin] = _Lane(asyncio.Semaphore(self._bounds.per_origin))
        lane.users += 1
        try:
            await lane.slots.acquire()
            try:
                await self._slots.acquire()
            except BaseException:
                lane.slots.release()
                raise
        except BaseException:
            self._leave(origin, lane)
            raise
        while lane.idle:
            connection, until = lane.idle.pop()
            del self._idle[connection]
            if until > _now() and connection.is_reusable():
                return Lease(self, origin, connection, reused=True)
            connection.abort()
        return Lease(self, origin, connect(), reused=False)

    def close(self) -> None:
        """Close the idle connections now, those in use with their leases."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection, origin in list(self._idle.items()):
            self._discard(connection, origin)

    @property
    def idle(self) -> int:
        """How many connections are open and unused."""
        return len(self._idle)

    @property
    def in_use(self) -> int:
        """How many calls hold a slot or wait for one."""
        return sum(lane.users for lane in self._lanes.values())

    def _take_back(self, origin: Origin, connection: C, idle_s: float) -> None:
        lane = self._lanes[origin]
        lane.slots.release()
        self._slots.release()
        idle_s = min(idle_s, self._bounds.idle_s)
        if idle_s > 0 and self._bounds.idle > 0 and not self._closed:
            lane.idle.append((connection, _now() + idle_s))
            self._idle[connection] = origin
            if len(self._idle) > self._bounds.idle:
                self._discard(*next(iter(self._idle.items())))
            self._sweep_later()
        else:
            connection.abort()
        self._leave(origin, lane)

    def _leave(self, origin: Origin, lane: _Lane[C]) -> None:
        lane.users -= 1
        self._forget(origin, lane)

    def _forget(self, origin: Origin, lane: _Lane[C]) -> None:
        # Callers may name origins without end; only what is in use is remembered.
        if not lane.users and not lane.idle:
            del self._lanes[origin]

    def _discard(self, connection: C, origin: Origin) -> None:
        connection.abort()
        del self._idle[connection]
        lane = self._lanes[origin]
        lane.idle = deque(entry for entry in lane.idle if entry[0] is not connection)
        self._forget(origin, lane)

    def _sweep_later(self) -> None:
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(self._bounds.idle_s, self._sweep_now)

    def _sweep_now(self) -> None:
        """Close what has been idle for too long; runs while anything is idle."""
        self._sweep = None
        now = _now()
        for origin, lane in list(self._lanes.items()):
            for connection, until in list(lane.idle):
                if until <= now or not connection.is_reusable():
                    self._discard(connection, origin)
        if self._idle:
            self._sweep_later()


class Lease(Generic[C]):
    """One connection in use; closed exactly once, however the call ends."""

    __slots__ = ("_origin", "_pool", "connection", "reused")

    def __init__(self, pool: Pool[C], origin: Origin, connection: C, *, reused: bool) -> None:
        self._pool: Pool[C] | None = pool
        self._origin = origin
        self.connection = connection
        self.reused = reused

    def close(self, idle_s: float = 0.0) -> None:
        """Give the connection back to be reused within `idle_s`; with 0, cut it. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool._take_back(self._origin, self.connection, idle_s)


def _now() -> float:
    return asyncio.get_running_loop().time()
