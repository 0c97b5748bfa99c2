"""The loop in its thread: work crosses, failures come back, callers may be interrupted."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import pytest

from llmgateway import Gateway
from llmgateway.runtime import BackgroundLoop, LoopStopped, background_loop
from llmgateway.runtime.threads import threads_of_process
from llmgateway.stores import MemoryRecords
from llmgateway.types.record import Record
from tests.http.loops import SOON_S
from tests.runtime.conftest import chat_request
from tests.scripted import ScriptedTransport, chat


async def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_a_coroutine_gives_its_result(loop: BackgroundLoop) -> None:
    assert loop.run(_loop()) is loop.run(_loop())


def test_what_a_coroutine_raises_is_raised(loop: BackgroundLoop) -> None:
    async def fails() -> None:
        raise LookupError("nothing")

    with pytest.raises(LookupError, match="nothing"):
        loop.run(fails())


def test_context_variables_go_along(loop: BackgroundLoop) -> None:
    variable: ContextVar[str] = ContextVar("variable")
    variable.set("here")

    async def reads() -> str:
        return variable.get()

    assert "here" == loop.run(reads())


def test_a_request_is_answered(
    loop: BackgroundLoop, gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    transport.steps = [chat()]

    assert 200 == loop.handle(gateway, chat_request()).status
    loop.close()
    assert [200] == [record.status for record in records.all()]


def test_the_loop_does_not_wait_for_itself(loop: BackgroundLoop) -> None:
    async def waits() -> None:
        loop.run(_loop())

    with pytest.raises(RuntimeError, match="await instead"):
        loop.run(waits())


def test_one_loop_waits_for_another(loop: BackgroundLoop) -> None:
    other = BackgroundLoop()

    async def waits() -> bool:
        return other.run(_loop()) is asyncio.get_running_loop()

    assert not loop.run(waits())
    other.close()


def test_many_threads_that_come_first_at_once_share_one_loop(loop: BackgroundLoop) -> None:
    barrier = threading.Barrier(16)
    found: list[object] = []

    def first() -> None:
        barrier.wait(SOON_S)
        found.append(loop.run(_loop()))

    threads = [threading.Thread(target=first) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)

    assert 16 == len(found)
    assert 1 == len(set(map(id, found)))


def test_a_stopped_loop_starts_again_at_the_next_use(loop: BackgroundLoop) -> None:
    first = loop.run(_loop())
    loop.close()

    assert first.is_closed()
    assert first is not loop.run(_loop())


def test_what_is_cancelled_by_the_stop_is_told_so(loop: BackgroundLoop) -> None:
    async def stops_its_loop() -> None:
        loop.close()
        await asyncio.Event().wait()

    with pytest.raises(LoopStopped):
        loop.run(stops_its_loop())


def test_what_runs_may_end_within_the_grace(loop: BackgroundLoop) -> None:
    async def stops_its_loop() -> str:
        loop.close(grace_s=SOON_S)
        for _ in range(10):
            await asyncio.sleep(0)
        return "done"

    assert "done" == loop.run(stops_its_loop())


class _Interrupted(Exception):
    pass


@contextmanager
def alarm() -> Iterator[None]:
    """Have SIGALRM raise in the main thread."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        raise _Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_interrupted_caller_cancels_its_work(loop: BackgroundLoop) -> None:
    cancelled = threading.Event()
    caller = threading.get_ident()

    async def waits() -> None:
        try:
            # One that comes just before the wait begins is looked at only after the next.
            while True:
                signal.pthread_kill(caller, signal.SIGALRM)
                await asyncio.sleep(0.01)
        finally:
            cancelled.set()

    with alarm(), pytest.raises(_Interrupted):
        loop.run(waits())
    assert cancelled.wait(SOON_S)
    assert loop.run(_loop()).is_running()


def test_there_is_one_loop_for_the_process() -> None:
    assert background_loop() is background_loop()


@pytest.mark.parametrize(
    ("options", "works"),
    [({}, False), ({"threads": b"4"}, True), ({b"enable-threads": True}, True), (None, True)],
)
def test_uwsgi_must_allow_threads(
    monkeypatch: pytest.MonkeyPatch, options: Any, works: bool
) -> None:
    uwsgi = ModuleType("uwsgi")
    if options is not None:
        uwsgi.__dict__["opt"] = options
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)

    if works:
        assert threads_of_process() is not None
    else:
        with pytest.raises(RuntimeError, match="--enable-threads"):
            BackgroundLoop().run(_loop())


def test_eventlet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    patcher = ModuleType("eventlet.patcher")
    patcher.__dict__["is_monkey_patched"] = lambda module: True
    monkeypatch.setitem(sys.modules, "eventlet.patcher", patcher)

    with pytest.raises(RuntimeError, match="eventlet"):
        threads_of_process()


def test_a_loop_that_cannot_be_made_is_told() -> None:
    def broken() -> asyncio.AbstractEventLoop:
        raise OSError("no file is left")

    with pytest.raises(LoopStopped) as failure:
        BackgroundLoop(broken).run(_loop())
    assert isinstance(failure.value.__cause__, OSError)


def test_the_end_of_the_process_stores_what_is_queued() -> None:
    """Neither `close` nor a flush is called; the process just ends."""
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", AT_THE_END],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ("stored 20, streams cut 1\n", "", 0) == (run.stdout, run.stderr, run.returncode)


AT_THE_END = """
import threading
from llmgateway import Gateway
from llmgateway.errors import StreamAborted
from llmgateway.runtime import background_loop
from tests.runtime.conftest import chat_request
from tests.runtime.test_streams import endless
from tests.scripted import ScriptedTransport, chat

stored, cut = [], []

class Records:
    async def append(self, batch):
        stored.extend(batch)
        if len(stored) == 20:
            reader.join(10)
            print(f"stored {len(stored)}, streams cut {len(cut)}")

transport = ScriptedTransport(*[chat() for _ in range(19)], endless("x")[1])
gateway = Gateway({"access": "local"}, transport=lambda: transport, records=Records())
for _ in range(19):
    assert background_loop().handle(gateway, chat_request()).status == 200
body = background_loop().handle(gateway, chat_request(stream=True)).body
started = threading.Event()

def read():
    try:
        for piece in body:
            started.set()
    except StreamAborted:
        cut.append(1)

reader = threading.Thread(target=read)
reader.start()
started.wait()
"""


def test_what_a_gateway_on_another_loop_has_left_behind_is_stored_at_the_end() -> None:
    loop, served, stored = BackgroundLoop(), asyncio.new_event_loop(), list[Record]()

    class Slow:
        async def append(self, batch: Sequence[Record]) -> None:
            if asyncio.get_running_loop() is served:
                await asyncio.Event().wait()
            stored.extend(batch)

    transport = ScriptedTransport(chat())
    settings = {
        "access": "open",
        "default_provider": "openai",
        "providers": {"openai": {"api_key": "k"}},
    }
    gateway = Gateway(settings, records=Slow(), transport=lambda: transport)
    loop.flush_at_end(gateway)
    served.run_until_complete(gateway.handle(chat_request()))
    served.run_until_complete(asyncio.sleep(0))
    for task in asyncio.all_tasks(served):
        task.cancel()
    served.run_until_complete(asyncio.sleep(0))
    served.close()

    loop.end()

    assert 1 == len(stored)
