"""The timer wheel: never early, never forgotten, and one timer for all."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.transport.wheel import NEVER, TICK_S, Deadline, TaskLimit, Wheel, wheel_of


class Clock:
    """A loop's clock and its timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when, call):  # type: ignore[no-untyped-def]
        timer = Timer(when, call)
        self.timers.append(timer)
        return timer

    def pass_time(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while due := [t for t in self.timers if not t.cancelled and t.when <= end]:
            timer = min(due, key=lambda it: it.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.when)
            timer.call()
        self.now = end


class Timer:
    """What `call_at` returns."""

    def __init__(self, when, call) -> None:  # type: ignore[no-untyped-def]
        self.when = when
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wheel(clock: Clock) -> Wheel:
    return Wheel(clock)  # type: ignore[arg-type]  # a clock is all that it needs of a loop


def test_a_deadline_comes_once_and_not_early(clock: Clock, wheel: Wheel) -> None:
    came: list[float] = []
    wheel.deadline(lambda: came.append(clock.now)).move(1010.0)

    clock.pass_time(9.99)
    assert [] == came
    clock.pass_time(60)

    assert 1 == len(came)
    assert 1010.0 <= came[0] <= 1010.0 + TICK_S + 1e-6


def test_moving_one_later_costs_no_timer(clock: Clock, wheel: Wheel) -> None:
    came: list[float] = []
    deadline = wheel.deadline(lambda: came.append(clock.now))
    deadline.move(1010.0)
    for _ in range(100):
        clock.pass_time(1)
        deadline.move(clock.now + 10)

    assert [] == came
    assert len(clock.timers) == 1
    clock.pass_time(11)
    assert 1 == len(came)


def test_moving_one_earlier_counts(clock: Clock, wheel: Wheel) -> None:
    came: list[float] = []
    deadline = wheel.deadline(lambda: came.append(clock.now))
    deadline.move(1600.0)
    deadline.move(1001.0)

    clock.pass_time(2)

    assert 1 == len(came)
    assert 0 == len(wheel)


def test_a_cancelled_one_does_not_come_and_leaves_nothing(clock: Clock, wheel: Wheel) -> None:
    came: list[float] = []
    deadlines = [wheel.deadline(lambda: came.append(clock.now)) for _ in range(1000)]
    for deadline in deadlines:
        deadline.move(1600.0)
    for deadline in deadlines:
        deadline.cancel()
        deadline.cancel()

    assert 0 == len(wheel)
    clock.pass_time(3600)
    assert [] == came
    assert not [timer for timer in clock.timers if not timer.cancelled]


def test_one_that_is_cancelled_by_its_neighbour_does_not_come(clock: Clock, wheel: Wheel) -> None:
    deadlines: list[Deadline] = []
    came: list[int] = []

    def come(number: int) -> None:
        came.append(number)
        deadlines[1 - number].cancel()

    deadlines = [wheel.deadline(partial(come, number)) for number in range(2)]
    for deadline in deadlines:
        deadline.move(1010.0)

    clock.pass_time(20)

    assert 1 == len(came)


def test_one_may_be_set_anew_by_its_own_callback(clock: Clock, wheel: Wheel) -> None:
    came: list[float] = []

    def again() -> None:
        came.append(clock.now)
        if len(came) < 3:
            deadline.move(clock.now + 1)

    deadline = wheel.deadline(again)
    deadline.move(1001.0)
    clock.pass_time(20)

    assert 3 == len(came)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from("mmmcp"), st.floats(0, 5)),
        max_size=60,
    )
)
def test_the_wheel_keeps_what_a_simple_list_would(
    steps: list[tuple[int, str, float]],
) -> None:
    clock = Clock()
    wheel = Wheel(clock)  # type: ignore[arg-type]
    came: list[int] = []
    wanted = dict.fromkeys(range(5), NEVER)
    expected: list[int] = []
    deadlines = [wheel.deadline(partial(came.append, number)) for number in range(5)]
    for number, step, value in steps:
        if step == "m":
            deadlines[number].move(clock.now + value)
            wanted[number] = clock.now + value
        elif step == "c":
            deadlines[number].cancel()
            wanted[number] = NEVER
        else:
            clock.pass_time(value + 2 * TICK_S)
            late = [it for it, when in wanted.items() if when <= clock.now - 2 * TICK_S]
            assert set(late) <= set(came[len(expected) :])
            for it in came[len(expected) :]:
                assert wanted[it] <= clock.now
                wanted[it] = NEVER
            expected = list(came)
    assert sum(when is not NEVER for when in wanted.values()) == len(wheel)


async def test_a_loop_has_one_wheel_that_works_on_it() -> None:
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    wheel_of(loop).deadline(came.set).move(loop.time() + 0.01)

    await asyncio.wait_for(came.wait(), 5)

    assert wheel_of(loop) is wheel_of(loop)


async def test_a_limit_ends_the_wait_of_its_task_and_can_be_used_again() -> None:
    limit = TaskLimit()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            with limit.within(0.01):
                await asyncio.Event().wait()
    with limit.within(60):
        await asyncio.sleep(0)
    limit.close()

    task = asyncio.current_task()
    assert task is not None
    assert 0 == task.cancelling()
    assert 0 == len(wheel_of(asyncio.get_running_loop()))


async def test_a_limit_bounds_each_of_many_waits_and_nothing_between_them() -> None:
    limit = TaskLimit()
    waits = 0
    with pytest.raises(TimeoutError):
        with limit:
            for seconds in (60, 60, 0.01):
                limit.start(seconds)
                await (asyncio.Event().wait() if seconds < 1 else asyncio.sleep(0))
                limit.stop()
                waits += 1
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    with limit:
        limit.start(0.01)
        limit.stop()
        wheel_of(loop).deadline(came.set).move(loop.time() + 0.02)
        await came.wait()
    limit.close()

    task = asyncio.current_task()
    assert task is not None
    assert (2, 0) == (waits, task.cancelling())


async def test_a_limit_does_not_overhear_who_else_cancels() -> None:
    limit = TaskLimit()

    async def wait() -> None:
        try:
            with limit.within(0.01):
                try:
                    await asyncio.Event().wait()
                finally:
                    task.cancel()
        finally:
            limit.close()

    task = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await task
