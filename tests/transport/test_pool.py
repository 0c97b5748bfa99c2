"""Connections kept for reuse, bounded in number and time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from llmgateway.errors import UpstreamUnreachable
from llmgateway.transport.pool import Lease, Pool, PoolBounds
from llmgateway.transport.url import Origin

A = Origin("https", "a.example", 443)
B = Origin("https", "b.example", 443)


class Line:
    """A connection of the pool's, without a network."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.reusable = True
        self.closed = asyncio.Event()

    @property
    def aborted(self) -> bool:
        return self.closed.is_set()

    def is_reusable(self) -> bool:
        return self.reusable and not self.aborted

    def abort(self) -> None:
        self.closed.set()


async def lease(pool: Pool[Line], origin: Origin = A) -> Lease[Line]:
    return await asyncio.wait_for(pool.lease(origin, Line), 1)


def waiting(pool: Pool[Line], origin: Origin = A) -> asyncio.Task[Lease[Line]]:
    return asyncio.create_task(pool.lease(origin, Line))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def new() -> Callable[..., Pool[Line]]:
    def make(
        per_origin: int = 10, total: int = 10, idle: int = 10, idle_s: float = 60
    ) -> Pool[Line]:
        return Pool(PoolBounds(per_origin, total, idle, idle_s))

    return make


Make = Callable[..., Pool[Line]]


async def test_the_last_connection_given_back_is_the_first_handed_out(new: Make) -> None:
    pool = new()
    first, second = await lease(pool), await lease(pool)
    first.close(60)
    second.close(60)

    again = await lease(pool)

    assert second.connection is again.connection
    assert again.reused
    assert not first.reused
    pool.close()


async def test_connections_belong_to_their_origin(new: Make) -> None:
    pool = new()
    for origin in (A, B, Origin("http", "a.example", 443), Origin("https", "a.example", 8443)):
        (await lease(pool, origin)).close(60)

    assert 4 == pool.idle
    assert (await lease(pool, B)).reused
    assert not (await lease(pool, Origin("https", "c.example", 443))).reused
    pool.close()


async def test_a_connection_that_is_cut_is_closed_and_not_kept(new: Make) -> None:
    pool = new()
    held = await lease(pool)

    held.close()

    assert held.connection.aborted
    assert (0, 0) == (pool.idle, pool.in_use)


async def test_a_lease_is_closed_once(new: Make) -> None:
    pool = new(per_origin=1)
    held = await lease(pool)
    held.close(60)
    held.close()
    held.close(60)

    assert 1 == pool.idle
    assert not held.connection.aborted
    again = await lease(pool)
    task = waiting(pool)
    await settle()
    assert not task.done(), "a lease closed twice must not make a second slot"
    again.close()
    (await task).close()
    pool.close()


async def test_a_connection_that_died_idle_is_not_handed_out(new: Make) -> None:
    pool = new()
    dead, alive = await lease(pool), await lease(pool)
    alive.close(60)
    dead.close(60)
    dead.connection.reusable = False

    assert alive.connection is (await lease(pool)).connection
    assert dead.connection.aborted
    assert 0 == pool.idle


async def test_a_connection_is_not_used_after_its_time(new: Make) -> None:
    pool = new()
    held = await lease(pool)
    held.close(0.001)
    await asyncio.sleep(0.005)

    assert not (await lease(pool)).reused
    assert held.connection.aborted
    pool.close()


async def test_idle_connections_are_closed_after_their_time_without_any_call(new: Make) -> None:
    pool = new(idle_s=0.01)
    old = await lease(pool)
    old.close(60)

    await asyncio.wait_for(old.connection.closed.wait(), 5)
    assert 0 == pool.idle


async def test_the_sweep_goes_on_while_anything_is_idle(new: Make) -> None:
    pool = new(idle_s=0.02)
    first, second = await lease(pool), await lease(pool, B)
    first.close(0.001)
    await asyncio.sleep(0.01)
    second.close(60)  # is due after the first sweep

    await asyncio.wait_for(first.connection.closed.wait(), 5)
    await asyncio.wait_for(second.connection.closed.wait(), 5)
    assert 0 == pool.idle


async def test_the_longest_idle_goes_when_too_many_are(new: Make) -> None:
    pool = new(idle=2)
    held = [await lease(pool, origin) for origin in (A, B, A)]
    for one in held:
        one.close(60)

    assert [True, False, False] == [one.connection.aborted for one in held]
    assert 2 == pool.idle
    pool.close()


async def test_one_origin_waits_for_its_own_slots_only(new: Make) -> None:
    pool = new(per_origin=1)
    held = await lease(pool, A)
    task = waiting(pool, A)
    other = await lease(pool, B)
    await settle()

    assert not task.done()
    held.close(60)
    got = await asyncio.wait_for(task, 1)
    assert got.connection is held.connection
    got.close()
    other.close()


async def test_all_origins_together_are_bounded(new: Make) -> None:
    pool = new(per_origin=2, total=2)
    held = [await lease(pool, A), await lease(pool, B)]
    task = waiting(pool, A)
    await settle()

    assert not task.done()
    held[1].close()
    (await asyncio.wait_for(task, 1)).close()
    held[0].close()
    assert 0 == pool.in_use


@pytest.mark.parametrize(("per_origin", "total"), [(1, 10), (10, 1)])
async def test_one_who_gives_up_waiting_takes_no_slot(
    new: Make, per_origin: int, total: int
) -> None:
    pool = new(per_origin=per_origin, total=total)
    for _ in range(50):
        held = await lease(pool)
        tasks = [waiting(pool) for _ in range(3)]
        await settle()
        tasks[0].cancel()
        held.close(60)
        tasks[1].cancel()
        await asyncio.wait(tasks)
        assert not tasks[2].cancelled()
        tasks[2].result().close()

    assert 0 == pool.in_use
    (await lease(pool)).close()
    pool.close()


async def test_one_who_gives_up_just_before_a_slot_is_free_is_passed_over(new: Make) -> None:
    pool = new(per_origin=1)
    held = await lease(pool)
    quitter, next_one = waiting(pool), waiting(pool)
    await settle()
    quitter.cancel()
    held.close(60)  # before the quitter's task has run

    (await asyncio.wait_for(next_one, 1)).close()
    with pytest.raises(asyncio.CancelledError):
        await quitter
    assert 0 == pool.in_use
    pool.close()


async def test_one_who_gives_up_just_after_a_slot_was_given_hands_it_on(new: Make) -> None:
    pool = new(per_origin=1)
    held = await lease(pool)
    quitter, next_one = waiting(pool), waiting(pool)
    await settle()
    held.close(60)
    quitter.cancel()

    (await asyncio.wait_for(next_one, 1)).close()
    with pytest.raises(asyncio.CancelledError):
        await quitter
    assert 0 == pool.in_use
    pool.close()


@pytest.mark.parametrize(("per_origin", "total"), [(1, 10), (10, 1)])
async def test_a_full_line_turns_the_next_one_away_at_once(per_origin: int, total: int) -> None:
    pool: Pool[Line] = Pool(PoolBounds(per_origin, total, waiting=2))
    held = await lease(pool)
    tasks = [waiting(pool) for _ in range(2)]
    await settle()

    with pytest.raises(UpstreamUnreachable, match="max_connections_per_origin"):
        await pool.lease(A, Line)

    held.close()
    for task in tasks:
        (await asyncio.wait_for(task, 1)).close()
    assert 0 == pool.in_use
    assert not pool._lanes


async def test_what_can_be_had_without_waiting_is_had_at_once(new: Make) -> None:
    pool = new(per_origin=1, total=2)
    assert pool.try_lease(A) is None
    held = await lease(pool)
    held.close(60)

    again = pool.try_lease(A)

    assert again is not None
    assert (held.connection, True) == (again.connection, again.reused)
    assert pool.try_lease(A) is None, "it is in use"
    again.connection.reusable = False
    again.close(60)
    assert pool.try_lease(A) is None, "it died"
    assert (0, 0) == (pool.idle, pool.in_use)
    assert not pool._lanes
    pool.close()


async def test_an_idle_connection_is_not_had_while_all_slots_are_taken(new: Make) -> None:
    pool = new(total=1)
    (await lease(pool, A)).close(60)
    other = await lease(pool, B)

    assert pool.try_lease(A) is None
    other.close()
    again = pool.try_lease(A)
    assert again is not None
    again.close()
    pool.close()


async def test_origins_that_nobody_uses_are_forgotten(new: Make) -> None:
    pool = new()
    for number in range(100):
        (await lease(pool, Origin("https", f"{number}.example", 443))).close()

    assert not pool._lanes


async def test_a_closed_pool_keeps_nothing(new: Make) -> None:
    """What is in use stays open: its answer may still be read."""
    pool = new()
    idle, used = await lease(pool), await lease(pool)
    idle.close(60)

    pool.close()
    pool.close()

    assert (True, False) == (idle.connection.aborted, used.connection.aborted)
    used.close(60)
    assert used.connection.closed.is_set()
    assert (0, 0) == (pool.idle, pool.in_use)


async def test_who_waits_is_served_first_come_first_served_and_before_newcomers(new: Make) -> None:
    """A slot given back belongs to who has waited longest, even before that one has run."""
    pool = new(per_origin=2)
    held = [await lease(pool), await lease(pool)]
    served: list[int] = []

    async def call(number: int) -> None:
        got = await pool.lease(A, Line)
        served.append(number)
        got.close(60)

    tasks = [asyncio.create_task(call(number)) for number in range(3)]
    await settle()
    held[0].close(60)
    assert 1 == pool.idle, "the connection of the first that waits"
    assert pool.try_lease(A) is None, "a newcomer takes nothing from it"
    late = asyncio.create_task(call(3))
    await asyncio.wait([*tasks, late], timeout=1)

    assert [0, 1, 2, 3] == served
    held[1].close(60)
    assert 0 == pool.in_use
    pool.close()


@pytest.mark.parametrize("seed", range(20))
async def test_a_crowd_is_served_in_its_order_whoever_gives_up(new: Make, seed: int) -> None:
    """Slots are given back, calls come and are cancelled in any order; none is passed or lost."""
    rng = random.Random(seed)
    pool = new(per_origin=3)
    waited: list[int] = []
    held: list[Lease[Line]] = []
    tasks: list[asyncio.Task[None]] = []

    async def call(number: int) -> None:
        lane = pool._lanes.get(A)
        has_to_wait = lane is not None and lane.slots.free == 0
        got = pool.try_lease(A)
        assert not (got and has_to_wait)
        got = got or await pool.lease(A, Line)
        held.append(got)
        if has_to_wait:
            waited.append(number)

    for _ in range(300):
        match rng.randrange(6):
            case 0 | 1 | 2:
                tasks.append(asyncio.create_task(call(len(tasks))))
            case 3 | 4 if held:
                held.pop(rng.randrange(len(held))).close(rng.choice((0, 60)))
            case _ if tasks:
                rng.choice(tasks).cancel()
        for _ in range(rng.randrange(3)):
            await asyncio.sleep(0)
    while not all(task.done() for task in tasks):
        await settle()
        while held:
            held.pop().close(60)
    while held:
        held.pop().close(60)

    assert sorted(waited) == waited
    assert len(waited) > 20
    assert all(task.cancelled() or task.exception() is None for task in tasks)
    assert 0 == pool.in_use
    assert 3 == pool._lanes[A].slots.free
    pool.close()
