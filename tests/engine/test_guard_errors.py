"""Checks that raise, hang, lie or flood: an `error` verdict, and nobody else is harmed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.engine.pool import Pool, PoolFull
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from tests.engine import guard_checks
from tests.engine.guard_checks import LIES, SECRET
from tests.engine.guarded import ask
from tests.scripted import ScriptedTransport, chat, delta, events, stream, world


@pytest.fixture(autouse=True)
def release() -> Iterator[None]:
    """Let go of what blocks."""
    with guard_checks.released():
        yield


def hook(name: str, **more: Any) -> dict[str, Any]:
    return {f"trial.{name}": {}, "deny": True, **more}


def asked(text: str = "a prompt") -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


RAISING = ("raises", "raises_in_thread", "raises_later", "stops", "exits")


@pytest.mark.parametrize("name", RAISING)
@pytest.mark.parametrize("stage", ["input", "output"])
async def test_a_check_that_raises_is_an_error_without_its_words(
    name: str, stage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        got = await ask({f"{stage}_guardrails": [hook(name)]}, chat(), body=asked("my prompt"))
    phase = "before_request_hooks" if stage == "input" else "after_request_hooks"
    (check,) = got.body["hook_results"][phase][0]["checks"]

    assert (200, False) == (got.status, check["verdict"])
    assert {"name": "Error", "message": "Error executing check"} == check["error"]
    assert f"trial.{name}" in caplog.text
    for text in (caplog.text, got.raw.decode(), repr(got.record)):
        assert SECRET not in text
    assert "my prompt" not in caplog.text


@pytest.mark.parametrize("name", [*RAISING, "fails", "hangs", "blocks"])
@pytest.mark.parametrize("stage", ["input", "output"])
async def test_where_it_is_closed_it_denies_and_others_still_tell(name: str, stage: str) -> None:
    both = {f"trial.{name}": {}, "trial.quick": {}, "deny": True, "timeout_ms": 500}
    script = [] if stage == "input" else [chat()]
    config = {f"{stage}_guardrails": [{**both, "fail_on_error": True}, hook("quick")]}
    got = await ask(config, *script)
    phase = "before_request_hooks" if stage == "input" else "after_request_hooks"
    first, second = got.body["hook_results"][phase]

    assert 446 == got.status
    assert [False, True] == [check["verdict"] for check in first["checks"]]
    assert second["verdict"]


async def test_what_a_check_says_itself_is_told() -> None:
    got = await ask({"input_guardrails": [hook("fails")]}, chat())
    (check,) = got.body["hook_results"]["before_request_hooks"][0]["checks"]

    assert {"name": "CheckFailed", "message": "The service is away."} == check["error"]


@pytest.mark.parametrize("name", ["hangs", "blocks"])
async def test_a_check_that_hangs_ends_at_its_time(name: str) -> None:
    started = time.monotonic()
    got = await ask({"input_guardrails": [hook(name, timeout_ms=50)]}, chat())
    (check,) = got.body["hook_results"]["before_request_hooks"][0]["checks"]

    assert 200 == got.status
    assert "longer than 0.05 s" in check["error"]["message"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("name", ["hangs", "blocks"])
async def test_where_no_hook_says_the_setting_does(name: str) -> None:
    got = await ask(
        {"input_guardrails": [hook(name)]}, chat(), settings={"limits": {"guard_check_s": 0.03}}
    )
    (check,) = got.body["hook_results"]["before_request_hooks"][0]["checks"]

    assert "longer than 0.03 s" in check["error"]["message"]


async def test_no_check_outlasts_the_call() -> None:
    limits = {"total_s": 0.05}
    got = await ask(
        {"input_guardrails": [hook("hangs", timeout_ms=60_000)]},
        chat(),
        settings={"limits": limits},
    )
    (check,) = got.body["hook_results"]["before_request_hooks"][0]["checks"]

    assert "error" in check


@pytest.mark.parametrize("kind", LIES)
@pytest.mark.parametrize("stage", ["input", "output"])
async def test_nonsense_is_an_error(kind: str, stage: str) -> None:
    config = {f"{stage}_guardrails": [{"trial.lies": {"kind": kind}, "deny": True}]}
    if kind == "answer no object" and stage == "input":
        pytest.skip("an answer is nothing to a request")
    got = await ask(config, chat(), body=asked())
    phase = "before_request_hooks" if stage == "input" else "after_request_hooks"
    (check,) = got.body["hook_results"][phase][0]["checks"]

    assert 200 == got.status
    assert (False, False) == (check["verdict"], check["transformed"])
    assert check["error"]
    assert "a prompt" == got.sent["messages"][0]["content"]


async def test_a_change_that_was_not_declared_changes_nothing() -> None:
    got = await ask({"input_guardrails": [hook("changes_unsaid")]}, chat(), body=asked())
    (check,) = got.body["hook_results"]["before_request_hooks"][0]["checks"]

    assert "changes=True" in check["error"]["message"]
    assert "a prompt" == got.sent["messages"][0]["content"]


# ---- many at once


class Gate:
    """One gateway for several requests."""

    def __init__(self, **settings: Any) -> None:
        self.transport = ScriptedTransport()
        self.records = MemoryRecords()
        self.gateway = Gateway(
            {"access": "open", **settings},
            records=self.records,
            transport=lambda: self.transport,
            world=world(self.transport),
        )

    async def ask(self, *hooks: Any, text: str = "Hello") -> tuple[int, Any]:
        self.transport.steps.append(chat())
        config = {"provider": "openai", "input_guardrails": list(hooks)}
        headers = Headers.of(
            content_type="application/json",
            authorization="Bearer sk-own",
            x_portkey_config=orjson.dumps(config).decode(),
        )
        request = HTTPRequest(
            "POST", "/v1/chat/completions", "", headers, orjson.dumps(asked(text))
        )
        got = await self.gateway.handle(request)
        assert isinstance(got.body, bytes)
        return got.status, orjson.loads(got.body)

    async def error(self, *hooks: Any) -> str | None:
        _, body = await self.ask(*hooks)
        (check,) = body["hook_results"]["before_request_hooks"][0]["checks"]
        return check["error"]["message"] if "error" in check else None

    async def load(self) -> None:
        """Have the first guarded call behind it: it waits for a thread, for any number of turns."""
        assert await self.error(hook("notes")) is None


SMALL = {"limits": {"guard_threads": 2, "guard_threads_queue": 2}}


async def test_a_flooded_pool_tells_so_at_once_and_heals() -> None:
    gate = Gate(**SMALL)
    await gate.load()
    flood = [asyncio.create_task(gate.error(hook("blocks", timeout_ms=5000))) for _ in range(4)]
    for _ in range(20):
        await asyncio.sleep(0)
    started = time.monotonic()
    full = await gate.error(hook("quick"))
    took_s = time.monotonic() - started
    other = await gate.error(hook("notes"))
    guard_checks.RELEASE.set()
    errors = await asyncio.gather(*flood)

    assert "Too many checks are under way; try again later." == full
    assert took_s < 1
    assert other is None
    assert [None] * 4 == errors
    assert await gate.error(hook("quick")) is None


async def test_checks_that_hang_for_good_leave_the_pool_usable() -> None:
    gate = Gate(**SMALL)
    for number in range(6):
        errors = await asyncio.gather(
            *[gate.error(hook("blocks", timeout_ms=20)) for _ in range(2)]
        )
        assert all(error and "longer than" in error for error in errors)
        if number < 4:  # then as many threads hang as may be replaced
            assert await gate.error(hook("quick")) is None


async def test_a_pool_bounds_the_threads_that_hang() -> None:
    pool, hung = Pool(1, 1), []

    def hang() -> None:
        hung.append(1)
        guard_checks.RELEASE.wait(30)

    with pytest.raises(PoolFull):
        for _ in range(50):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await pool.run(hang)

    assert len(hung) <= 5  # those that are given up before a thread takes them never run
    guard_checks.RELEASE.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert 7 == await pool.run(lambda: 7)
                break
            except PoolFull:
                await asyncio.sleep(0.001)


async def test_what_waits_and_is_given_up_never_runs() -> None:
    pool, ran = Pool(1, 5), []
    first = asyncio.create_task(pool.run(lambda: guard_checks.RELEASE.wait(30)))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pool.run(lambda: ran.append(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    guard_checks.RELEASE.set()
    await first
    await pool.run(lambda: ran.append(2))

    assert [2] == ran


# ---- regexes and schemas that kill

KILLERS = (
    (r"^(a+)+$", "a" * 50_000 + "!"),
    (r"^(a|aa)+$", "a" * 50_000 + "!"),
    (r"^(.*a){20}$", "a" * 5_000 + "!"),
    (r"(x+x+)+y", "x" * 50_000),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 50_000),
    (r"(?=(a+))\1b", "a" * 50_000),
)


@pytest.mark.parametrize(("rule", "text"), KILLERS)
async def test_no_regex_holds_anybody_up(rule: str, text: str) -> None:
    gate = Gate()
    # Of processor time, since others may have the processor as well; the loop's is this thread's.
    started, loop_started = time.process_time(), time.thread_time()
    task = asyncio.create_task(gate.ask({"default.regexMatch": {"rule": rule}}, text=text))
    await asyncio.sleep(0)
    await gate.ask(hook("notes"))
    second_s = time.thread_time() - loop_started
    status, _ = await task

    assert status in (200, 246, 400)
    assert second_s < 0.5
    assert time.process_time() - started < 2


def doubling(depth: int) -> dict[str, Any]:
    names = [f"n{index}" for index in range(depth)]
    definitions: dict[str, Any] = {
        name: {"allOf": [{"$ref": f"#/$defs/{below}"}, {"$ref": f"#/$defs/{below}"}]}
        for name, below in zip(names, names[1:], strict=False)
    }
    return {"$ref": "#/$defs/n0", "$defs": {**definitions, names[-1]: {"type": "object"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://schemas.example.com/a.json"},
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        doubling(25),
    ],
)
async def test_no_schema_fetches_anything_or_takes_long(schema: Any) -> None:
    started = time.process_time()  # others may have the processor as well
    config = {"output_guardrails": [{"default.jsonSchema": {"schema": schema}, "deny": True}]}
    got = await ask(config, chat('```json\n{"a": 1}\n```'))

    assert got.status in (200, 246, 400, 446)
    assert len(got.transport.requests) <= 1
    assert time.process_time() - started < 2


@pytest.mark.parametrize("mode", ["hold", "window", None])
async def test_a_client_that_leaves_while_an_answer_is_judged_lets_the_provider_go(
    mode: str | None,
) -> None:
    hook: dict[str, Any] = {"trial.hangs": {}, "deny": True}
    answer = chat("Bat")
    if mode is not None:
        answer = stream(*events(delta("Bat"), done=False), asyncio.Event())
        hook = {"trial.waits": {}, "deny": True, "stream_mode": mode}
    gate = Gate()
    await gate.load()
    gate.transport.steps.append(answer)
    config = {"provider": "openai", "output_guardrails": [hook]}
    headers = Headers.of(
        content_type="application/json",
        authorization="Bearer sk-own",
        x_portkey_config=orjson.dumps(config).decode(),
    )
    body = orjson.dumps({**asked(), "stream": mode is not None})
    request = HTTPRequest("POST", "/v1/chat/completions", "", headers, body)
    task = asyncio.create_task(gate.gateway.handle(request))
    for _ in range(50):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await gate.gateway.aclose()

    assert answer.closed
    assert [200, 499] == sorted(record.status for record in gate.records.all())
    assert {asyncio.current_task()} == asyncio.all_tasks()
