"""Connections kept for reuse: bounded in number and in time, last in first out.

Knows nothing of HTTP or sockets. Bound to one event loop.
Neither a look-up nor a return walks through connections, and one that is in use stands in no
list, so a cancelled call can leave nothing behind but its own lease, which it closes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from llmgateway.errors import UpstreamUnreachable
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
    waiting: int = 1000
    """Calls that may wait for a connection to one origin, and as many for all origins together."""


class _Slots:
    """So many may be taken at once; who comes when none is free waits in line."""

    __slots__ = ("_line", "free")

    def __init__(self, number: int) -> None:
        self.free = number
        self._line: deque[asyncio.Future[None]] = deque()

    def try_take(self) -> bool:
        """Take one if one is free; whoever waits has been given theirs before."""
        if self.free <= 0:
            return False
        self.free -= 1
        return True

    def is_full(self, waiting: int) -> bool:
        """Tell whether so many wait that no one else may."""
        return self.free <= 0 and len(self._line) >= waiting

    async def take(self) -> None:
        """Wait for one."""
        if self.try_take():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.give_back()  # it was given just when the caller gave up
            else:
                with suppress(ValueError):  # it may have been passed over already
                    self._line.remove(turn)
            raise

    def give_back(self) -> None:
        """Hand one on to who has waited longest, if anyone does."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class _Lane(Generic[C]):
    """What the pool holds of one origin."""

    __slots__ = ("idle", "origin", "slots", "users")

    def __init__(self, origin: Origin, slots: _Slots) -> None:
        self.origin = origin
        self.slots = slots
        self.users = 0
        """Calls that hold a slot or wait for one."""
        self.idle: deque[tuple[C, float]] = deque()
        """With the loop time until which each may be reused; the last one in is at the right."""


class Pool(Generic[C]):
    """Hands out connections by origin and takes them back."""

    def __init__(self, bounds: PoolBounds) -> None:
        self._bounds = bounds
        self._slots = _Slots(bounds.total)
        self._lanes: dict[Origin, _Lane[C]] = {}
        self._idle: dict[C, _Lane[C]] = {}
        """Every idle connection, the longest idle first."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """Known once it is needed."""
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    def try_lease(self, origin: Origin) -> Lease[C] | None:
        """Hand out the connection used last if there is one and no need to wait; else None."""
        lane = self._lanes.get(origin)
        if lane is None or not lane.idle or lane.slots.free <= 0 or self._slots.free <= 0:
            return None
        connection = self._pick(lane)
        if connection is None:
            self._forget(lane)
            return None
        lane.slots.free -= 1
        self._slots.free -= 1
        lane.users += 1
        return Lease(self, lane, connection, reused=True)

    async def lease(self, origin: Origin, connect: Callable[[], C]) -> Lease[C]:
        """Wait for a slot, then hand out the connection used last, else what `connect` makes.

        The caller bounds the wait, and closes the lease. Raises `UpstreamUnreachable` at once if
        too many wait already.
        """
        lane = self._lanes.get(origin)
        if lane is None:
            lane = self._lanes[origin] = _Lane(origin, _Slots(self._bounds.per_origin))
        waiting = self._bounds.waiting
        if lane.slots.is_full(waiting) or self._slots.is_full(waiting):
            self._forget(lane)
            raise UpstreamUnreachable(
                f"All connections to {origin.authority} are in use, and {waiting} calls wait for"
                " one already; try again later, or raise the limit `max_connections_per_origin`."
            )
        lane.users += 1
        try:
            await lane.slots.take()
            try:
                await self._slots.take()
            except BaseException:
                lane.slots.give_back()
                raise
        except BaseException:
            self._leave(lane)
            raise
        connection = self._pick(lane)
        if connection is not None:
            return Lease(self, lane, connection, reused=True)
        return Lease(self, lane, connect(), reused=False)

    def close(self) -> None:
        """Close the idle connections now, those in use with their leases."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        while self._idle:
            self._discard_oldest()

    @property
    def idle(self) -> int:
        """How many connections are open and unused."""
        return len(self._idle)

    @property
    def in_use(self) -> int:
        """How many calls hold a slot or wait for one."""
        return sum(lane.users for lane in self._lanes.values())

    def _pick(self, lane: _Lane[C]) -> C | None:
        """Take out the connection used last that may be used again, if there is one."""
        while lane.idle:
            connection, until = lane.idle.pop()
            del self._idle[connection]
            if until > _now() and connection.is_reusable():
                return connection
            connection.abort()
        return None

    def _take_back(self, lane: _Lane[C], connection: C, idle_s: float) -> None:
        lane.users -= 1
        lane.slots.give_back()
        self._slots.give_back()
        bounds = self._bounds
        if idle_s > 0 and bounds.idle > 0 and not self._closed:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            until = self._loop.time() + (idle_s if idle_s < bounds.idle_s else bounds.idle_s)
            lane.idle.append((connection, until))
            self._idle[connection] = lane
            if len(self._idle) > bounds.idle:
                self._discard_oldest()
            if self._sweep is None:
                self._sweep_later()
        else:
            connection.abort()
            self._forget(lane)

    def _leave(self, lane: _Lane[C]) -> None:
        lane.users -= 1
        self._forget(lane)

    def _forget(self, lane: _Lane[C]) -> None:
        # Callers may name origins without end; only what is in use is remembered.
        if not lane.users and not lane.idle:
            self._lanes.pop(lane.origin, None)

    def _discard_oldest(self) -> None:
        connection, lane = next(iter(self._idle.items()))
        # The oldest of all is the oldest of its origin.
        lane.idle.popleft()
        del self._idle[connection]
        connection.abort()
        self._forget(lane)

    def _sweep_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(self._bounds.idle_s, self._sweep_now)

    def _sweep_now(self) -> None:
        """Close what has been idle for too long; runs while anything is idle."""
        self._sweep = None
        now = _now()
        for lane in list(self._lanes.values()):
            kept: deque[tuple[C, float]] = deque()
            for connection, until in lane.idle:
                if until > now and connection.is_reusable():
                    kept.append((connection, until))
                else:
                    del self._idle[connection]
                    connection.abort()
            lane.idle = kept
            self._forget(lane)
        if self._idle:
            self._sweep_later()


class Lease(Generic[C]):
    """One connection in use; closed exactly once, however the call ends."""

    __slots__ = ("_lane", "_pool", "connection", "reused")

    def __init__(self, pool: Pool[C], lane: _Lane[C], connection: C, *, reused: bool) -> None:
        self._pool: Pool[C] | None = pool
        self._lane = lane
        self.connection = connection
        self.reused = reused

    def close(self, idle_s: float = 0.0) -> None:
        """Give the connection back to be reused within `idle_s`; with 0, cut it. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool._take_back(self._lane, self.connection, idle_s)


def _now() -> float:
    return asyncio.get_running_loop().time()
