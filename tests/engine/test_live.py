"""Streams of a revoked key: ended soon, told why, and nothing left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.engine.live import CHECK_EVERY_S
from llmgateway.errors import StoreUnavailable, StreamAborted
from llmgateway.settings import client_key_digest
from llmgateway.stores import MemoryRecords, StoredKey
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.record import Record
from tests.scripted import Scripted, ScriptedTransport, delta, events, stream

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

KEY = "a-client-key-of-this-test"
OTHER = "another-client-key-of-this-test"
BEGUN = events(delta(), delta("Hello"), done=False)
ENDED = events(delta(finish="stop"))


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still, and leaps to the next timer when there is nothing to do.

    So no test depends on how long anything takes here, be it on the loop or in its threads.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._in_threads = 0
        self._really_select = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._select  # type: ignore[attr-defined]

    def _select(self, timeout: float | None) -> Any:
        if timeout and self._in_threads:
            timeout = None  # until one of them calls
        elif timeout:
            self._now += timeout
            timeout = 0
        return self._really_select(timeout)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run it in a thread; until that has ended there is something to do."""
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._left_thread)
        return future

    def _left_thread(self, future: object) -> None:
        self._in_threads -= 1

    async def shutdown_default_executor(self, *timeout: float) -> None:
        """Wait for the threads likewise."""
        self._in_threads += 1
        await super().shutdown_default_executor(*timeout)

    def time(self) -> float:
        """Return the time that has passed for those on the loop."""
        return self._now


class Keys:
    """A store that a test revokes keys in; implements `KeyStore`."""

    def __init__(self) -> None:
        self.in_force = {client_key_digest(key) for key in (KEY, OTHER)}
        self.asked: list[list[str]] = []
        self.is_away: set[str] = set()
        self.fault: Exception | None = None
        self.hangs: asyncio.Event | None = None
        """Set when it is asked, and then it never answers."""

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Raise for keys that are out of reach, though not if another one is found."""
        self.asked.append(list(digests))
        if self.hangs is not None:
            self.hangs.set()
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
        found = [
            StoredKey(f"key:{digest[-4:]}", digest)
            for digest in digests
            if digest in self.in_force - self.is_away
        ]
        if not found and self.is_away & set(digests):
            raise StoreUnavailable("away")
        return found

    def revoke(self, key: str = KEY) -> None:
        self.in_force.discard(client_key_digest(key))


class Stage:
    """A gateway on a loop whose time leaps."""

    def __init__(self, *steps: Scripted) -> None:
        self.keys = Keys()
        self.records = MemoryRecords()
        self.transport = ScriptedTransport(*steps)
        self.gateway = Gateway(
            {"default_provider": "openai", "providers": {"openai": {"api_key": "sk-stored"}}},
            keys=self.keys,
            records=self.records,
            transport=lambda: self.transport,
        )

    def run(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a test, and see that it leaves neither a task nor a timer."""

        async def whole() -> None:
            await test()
            await self.gateway.aclose()
            for _ in range(5):  # generators that were left are closed by the collector's hook
                await asyncio.sleep(0)
            loop: Any = asyncio.get_running_loop()
            assert {asyncio.current_task()} == asyncio.all_tasks()
            timers = [timer for timer in loop._scheduled if not timer.cancelled()]
            # The wheel keeps one until it is due, though nothing is on it.
            assert [] == [timer for timer in timers if "Wheel" not in repr(timer)]

        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            runner.run(whole())

    async def open(self, key: str = KEY, path: str = "/v1/chat/completions", **more: Any) -> Any:
        """Ask for a stream and return its body."""
        body = {"model": "m", "messages": [], "stream": True, **more}
        headers = Headers.of(content_type="application/json", authorization=f"Bearer {key}")
        answer = await self.gateway.handle(
            HTTPRequest("POST", path, "", headers, orjson.dumps(body))
        )
        assert (200, False) == (answer.status, isinstance(answer.body, bytes))
        return answer.body

    def record(self) -> Record:
        """Return the only record."""
        (record,) = self.records.all()
        return record


async def told(body: Any) -> bytes:
    """Read a body that breaks off."""
    pieces = []
    with pytest.raises(StreamAborted):
        async for piece in body:
            pieces.append(piece)
    await body.aclose()
    return b"".join(pieces)


async def timed(what: Awaitable[Any]) -> float:
    """Return how long it took by the loop's clock."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    await what
    return loop.time() - started


def silent() -> Scripted:
    """Return a stream that says nothing after its first words."""
    return stream(*BEGUN, asyncio.Event())


def test_a_silent_stream_ends_with_an_error_event() -> None:
    stage = Stage(script := silent())

    async def test() -> None:
        body = await stage.open()
        first = await anext(body)
        stage.keys.revoke()
        last: list[bytes] = []
        took = await timed(_into(last, body))

        assert took <= CHECK_EVERY_S + 0.1
        assert script.closed
        assert b"Hello" in first
        error = orjson.loads(last[0].strip().removeprefix(b"data: "))["error"]
        assert ("The API key was revoked.", "invalid_api_key") == (error["message"], error["code"])
        assert b"[DONE]" not in last[0]

    stage.run(test)

    assert (200, "invalid_api_key") == (stage.record().status, stage.record().error)


async def _into(found: list[bytes], body: Any) -> None:
    found.append(await told(body))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/chat/completions", b'data: {"error":{'),
        ("/v1/messages", b'event: error\ndata: {"type":"error","error":{"type":"auth'),
        ("/v1/responses", b"event: error\n"),
    ],
)
def test_the_error_has_the_door_s_own_format(path: str, expected: bytes) -> None:
    stage = Stage(silent())

    async def test() -> None:
        body = await stage.open(path=path, max_tokens=9, input="Hi")
        stage.keys.revoke()

        assert expected in await told(body)

    stage.run(test)


def test_what_was_not_read_before_is_not_handed_out_after() -> None:
    stage = Stage(stream(*BEGUN, *ENDED))

    async def test() -> None:
        body = await stage.open()
        stage.keys.revoke()
        await asyncio.sleep(CHECK_EVERY_S + 0.1)
        found = await told(body)

        assert b"Hello" not in found
        assert b"revoked" in found

    stage.run(test)


def test_a_stream_that_is_whole_already_ends_well() -> None:
    gate = asyncio.Event()
    stage = Stage(stream(*BEGUN, *ENDED, gate))

    async def test() -> None:
        body = await stage.open()
        found = [await anext(body), await anext(body), await anext(body)]
        stage.keys.revoke()
        found += [piece async for piece in body]

        assert b"".join(found).endswith(b"data: [DONE]\n\n")
        assert b"revoked" not in b"".join(found)

    stage.run(test)

    assert stage.record().error is None


def test_bytes_that_are_no_events_are_cut() -> None:
    head = {"content-type": "audio/mpeg"}
    stage = Stage(Scripted(200, [b"sound", asyncio.Event()], head))

    async def test() -> None:
        body = await stage.open(path="/v1/audio/speech", input="Hi", voice="v")
        assert b"sound" == await anext(body)
        stage.keys.revoke()

        assert b"" == await told(body)

    stage.run(test)

    assert (200, "invalid_api_key") == (stage.record().status, stage.record().error)


def test_other_keys_streams_go_on() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    stage = Stage(*[stream(*BEGUN, gate, *ENDED) for gate in gates])

    async def test() -> None:
        mine, also_mine, other = [await stage.open(key) for key in (KEY, KEY, OTHER)]
        stage.keys.asked.clear()
        await asyncio.sleep(3 * CHECK_EVERY_S + 0.1)
        both = [client_key_digest(KEY), client_key_digest(OTHER)]
        assert [both] * 3 == stage.keys.asked

        stage.keys.revoke()
        for body in (mine, also_mine):
            assert b"revoked" in await told(body)
        for gate in gates:
            gate.set()
        assert b"".join([piece async for piece in other]).endswith(b"data: [DONE]\n\n")

    stage.run(test)


@pytest.mark.parametrize("away", [[KEY], [KEY, OTHER]])
def test_a_store_that_is_away_ends_nothing(away: list[str]) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    stage = Stage(*[stream(*BEGUN, gate, *ENDED) for gate in gates])

    async def test() -> None:
        bodies = [await stage.open(key) for key in (KEY, OTHER)]
        stage.keys.is_away = {client_key_digest(key) for key in away}
        await asyncio.sleep(3 * CHECK_EVERY_S)
        for gate, body in zip(gates, bodies, strict=True):
            gate.set()
            assert b"".join([piece async for piece in body]).endswith(b"data: [DONE]\n\n")

    stage.run(test)


def test_a_store_s_own_fault_does_not_end_the_rounds(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(silent())

    async def test() -> None:
        body = await stage.open()
        stage.keys.fault = RuntimeError("a bug")
        await asyncio.sleep(CHECK_EVERY_S + 0.1)
        stage.keys.fault = None
        stage.keys.revoke()

        assert b"revoked" in await told(body)

    with caplog.at_level(logging.ERROR, "llmgateway.engine.live"):
        stage.run(test)

    assert ["llmgateway.engine.live"] == [record.name for record in caplog.records]


def test_nothing_is_asked_while_no_stream_is_open() -> None:
    stage = Stage(stream(*BEGUN, *ENDED), silent())

    async def test() -> None:
        async for _ in await stage.open():
            pass
        left = await stage.open()
        await left.aclose()
        stage.keys.asked.clear()
        await asyncio.sleep(5 * CHECK_EVERY_S)

        assert [] == stage.keys.asked

    stage.run(test)


def test_a_question_is_dropped_with_the_last_stream() -> None:
    stage = Stage(silent())

    async def test() -> None:
        body = await stage.open()
        asked = asyncio.Event()
        stage.keys.hangs = asked
        await asked.wait()
        await body.aclose()

    stage.run(test)


def test_a_key_revoked_before_the_first_content_ends_the_stream_at_once() -> None:
    """A model may think for long before it says anything."""
    gate = asyncio.Event()
    stage = Stage(stream(gate, *BEGUN, asyncio.Event()))

    async def test() -> None:
        asyncio.get_running_loop().call_later(20, gate.set)
        stage_time = asyncio.get_running_loop().time
        object.__setattr__(stage.gateway._app.engine.world, "monotonic", stage_time)
        opening = asyncio.create_task(stage.open())
        await asyncio.sleep(1)
        stage.keys.revoke()
        body = await opening

        assert await timed(told(body)) < CHECK_EVERY_S / 2

    stage.run(test)


def test_callers_known_otherwise_are_not_asked_for() -> None:
    stage = Stage(stream(*BEGUN, *ENDED))

    async def test() -> None:
        settings = {"access": "open", "default_provider": "openai"}
        gateway = Gateway(settings, keys=stage.keys, transport=lambda: stage.transport)
        stage.gateway = gateway
        body = await stage.open("sk-own-key-of-the-caller")
        stage.keys.asked.clear()
        await asyncio.sleep(3 * CHECK_EVERY_S)
        await body.aclose()

        assert [] == stage.keys.asked

    stage.run(test)


def test_many_keys_are_asked_for_in_short_questions() -> None:
    number = 250
    stage = Stage(*[silent() for _ in range(number)])
    keys = [f"a-client-key-with-number-{n}" for n in range(number)]
    stage.keys.in_force = {client_key_digest(key) for key in keys}

    async def test() -> None:
        bodies = [await stage.open(key) for key in keys]
        stage.keys.asked.clear()
        await asyncio.sleep(CHECK_EVERY_S + 0.1)
        assert [100, 100, 50] == list(map(len, stage.keys.asked))
        for body in bodies:
            await body.aclose()

    stage.run(test)
