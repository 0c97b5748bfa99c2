"""What must not leave anything behind, nor take the loop along."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from llmgateway import Gateway
from llmgateway.runtime import BackgroundLoop
from llmgateway.runtime.crossing import Run
from llmgateway.runtime.threads import NativeThreads, Threads, Waiter
from llmgateway.stores import MemoryRecords
from tests.runtime.conftest import chat_request
from tests.scripted import ScriptedTransport, chat

SOON_S = 10


class _Interrupted(BaseException):
    pass


class _InterruptedWaiter:
    """Has its caller interrupted at once, as a signal or a greenlet's timeout may."""

    def wait(self, timeout_s: float | None = None) -> None:
        raise _Interrupted

    def wake(self) -> None:
        """Nobody waits."""


class _Interrupting(NativeThreads):
    def waiter(self) -> Waiter:
        return _InterruptedWaiter()


class _Lane:
    """A lane of the test's own loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.threads: Threads = _Interrupting()
        self.tasks: set[asyncio.Task[None]] = set()

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        self.loop.call_soon_threadsafe(callback, *args)

    def meet(self, gateway: object) -> None:
        raise NotImplementedError


async def test_work_that_is_cancelled_before_its_first_step_leaves_nothing() -> None:
    """Both reach the loop in the same turn: its start, and that nobody waits any more."""
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    lane = _Lane(asyncio.get_running_loop())
    crossing = Run(lane, work())
    crossing.begin()
    with pytest.raises(_Interrupted):
        crossing.wait()
    crossing.give_up()
    for _ in range(5):
        await asyncio.sleep(0)

    assert ["work"] == ended
    assert set() == lane.tasks


@pytest.mark.parametrize("is_handed_over", [False, True])
def test_a_thread_that_is_interrupted_while_it_hands_work_over_has_it_cancelled(
    loop: BackgroundLoop, monkeypatch: pytest.MonkeyPatch, is_handed_over: bool
) -> None:
    """A signal may come at any step: the loop may run the work already, or never hear of it."""
    begun, ended = threading.Event(), threading.Event()
    begin, told = Run.begin, list[type[BaseException]]()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            told.append(type(error))
            raise
        finally:
            ended.set()

    def interrupted(run: Run[None]) -> None:
        if is_handed_over:
            begin(run)
            assert begun.wait(SOON_S)
        raise _Interrupted

    coroutine = work()
    with monkeypatch.context() as patched, pytest.raises(_Interrupted):
        patched.setattr(Run, "begin", interrupted)
        loop.run(coroutine)
    assert is_handed_over == ended.wait(SOON_S if is_handed_over else 0)
    loop.close()

    assert ([asyncio.CancelledError] if is_handed_over else []) == told
    assert inspect.CORO_CLOSED == inspect.getcoroutinestate(coroutine)


@pytest.mark.parametrize("new_loop", [None, asyncio.new_event_loop])
def test_code_that_exits_on_the_loop_does_not_end_it(
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """All other threads of the process would wait for ever."""
    loop = BackgroundLoop(new_loop)
    waiting = threading.Event()
    go_on = asyncio.Event()
    results: list[str] = []

    async def waits() -> str:
        waiting.set()
        await go_on.wait()
        return "whole"

    async def exits() -> None:
        raise SystemExit(3)

    async def lets_another_exit() -> None:
        task = asyncio.get_running_loop().create_task(exits())
        await asyncio.wait([task])
        task.exception()

    thread = threading.Thread(target=lambda: results.append(loop.run(waits())), daemon=True)
    thread.start()
    assert waiting.wait(SOON_S)
    loop.run(lets_another_exit())
    loop.run(_set(go_on))
    thread.join(SOON_S)
    loop.close()

    assert ["whole"] == results
    assert "SystemExit" in caplog.text


async def _set(event: asyncio.Event) -> None:
    event.set()


class _Unclosable(ScriptedTransport):
    async def aclose(self) -> None:
        raise OSError("of a host's own transport")


def test_a_gateway_that_cannot_be_closed_costs_the_others_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop, records = BackgroundLoop(), MemoryRecords()
    for transport in (_Unclosable(chat()), _Unclosable(chat())):
        made = Gateway({"access": "local"}, transport=partial(_same, transport), records=records)
        assert 200 == loop.handle(made, chat_request()).status
    thread = loop.run(_its_thread())

    loop.close()
    thread.join(SOON_S)

    assert not thread.is_alive()
    assert [200, 200] == [record.status for record in records.all()]
    assert 2 == sum("could not be closed" in message for message in caplog.messages)


async def _its_thread() -> threading.Thread:
    return threading.current_thread()


def _same(transport: ScriptedTransport) -> ScriptedTransport:
    return transport
