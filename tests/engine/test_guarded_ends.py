"""Guarded streams that somebody ends: clients that vanish, revoked keys, bounds of time."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from llmgateway.engine.live import CHECK_EVERY_S
from llmgateway.types.http import Headers, HTTPRequest
from tests.engine.guarded_streams import LONG_ENOUGH, MASKED, NO_APPLE, chat_events, piece
from tests.engine.test_live import KEY, Stage, told
from tests.scripted import Scripted, events, stream

HELD = {**NO_APPLE, "stream_mode": "hold"}
WATCHED = {**NO_APPLE, "stream_mode": "monitor"}


def silent(*texts: str) -> Scripted:
    """Return a stream that says nothing after these words."""
    return stream(*events(*map(piece, texts), done=False), asyncio.Event())


async def ask(stage: Stage, hook: Any) -> Any:
    """Ask for a stream under an output guardrail and return the answer."""
    headers = Headers.of(
        content_type="application/json",
        authorization=f"Bearer {KEY}",
        x_portkey_config=orjson.dumps({"output_guardrails": [hook]}).decode(),
    )
    body = {"model": "m", "messages": [], "stream": True}
    request = HTTPRequest("POST", "/v1/chat/completions", "", headers, orjson.dumps(body))
    return await stage.gateway.handle(request)


@pytest.mark.parametrize("hook", [HELD, LONG_ENOUGH, NO_APPLE, MASKED], ids=str)
def test_a_client_that_leaves_before_the_answer(hook: Any) -> None:
    stage = Stage(script := silent("Pea"))

    async def test() -> None:
        asking = asyncio.ensure_future(ask(stage, hook))
        await asyncio.sleep(0.5)
        assert not asking.done()
        asking.cancel()
        await asyncio.wait({asking})

        assert asking.cancelled()
        assert script.closed

    stage.run(test)
    assert 499 == stage.record().status


@pytest.mark.parametrize("hook", [NO_APPLE, WATCHED, MASKED], ids=str)
@pytest.mark.parametrize("is_reading", [True, False])
def test_a_client_that_leaves_a_stream(hook: Any, is_reading: bool) -> None:
    stage = Stage(script := silent("Pears and plums ", "for all of us"))

    async def test() -> None:
        body = (await ask(stage, hook)).body
        await anext(body)
        if is_reading:
            reading = asyncio.ensure_future(_read(body))
            await asyncio.sleep(0.5)
            reading.cancel()
            await asyncio.wait({reading})
        await body.aclose()

        assert script.closed

    stage.run(test)
    assert 499 == stage.record().status


async def _read(body: Any) -> None:
    async for _ in body:
        pass


@pytest.mark.parametrize("hook", [NO_APPLE, WATCHED, MASKED], ids=str)
def test_a_revoked_key_ends_a_stream_with_an_error_event(hook: Any) -> None:
    stage = Stage(script := silent("Pears and plums ", "for all of us"))

    async def test() -> None:
        body = (await ask(stage, hook)).body
        await anext(body)
        stage.keys.revoke()
        found = await told(body)

        assert b"revoked" in found
        assert b"hooks_failed" not in found
        assert script.closed

    stage.run(test)
    assert "invalid_api_key" == stage.record().error


@pytest.mark.parametrize("hook", [HELD, NO_APPLE], ids=["hold", "window"])
def test_what_is_ready_and_was_not_read_is_dropped_when_the_key_is_revoked(hook: Any) -> None:
    stage = Stage(chat_events("Pears and plums"))

    async def test() -> None:
        body = (await ask(stage, hook)).body
        stage.keys.revoke()
        await asyncio.sleep(CHECK_EVERY_S + 0.1)
        found = await told(body)

        assert b"Pears" not in found
        assert b"revoked" in found

    stage.run(test)


@pytest.mark.parametrize("closed", [True, False])
def test_a_stream_that_never_ends_is_ended_or_let_go_by_the_bound_of_time(closed: bool) -> None:
    stage = Stage(script := silent("Pears and plums"))

    async def test() -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        answer = await ask(stage, {**LONG_ENOUGH, "fail_on_error": closed})
        took = loop.time() - started

        assert stage.gateway.settings.limits.guard_hold_s <= took + 0.1 < 70
        assert (446 if closed else 200) == answer.status
        if not closed:
            assert b"Pears" in await anext(answer.body)
            await answer.body.aclose()
        assert script.closed

    stage.run(test)


def test_windows_that_let_nothing_out_begin_after_a_while_and_end_as_denied() -> None:
    gate = asyncio.Event()
    stage = Stage(stream(*events(piece("App"), done=False), gate, *events(piece("le"))))

    async def test() -> None:
        answer = await ask(stage, NO_APPLE)
        gate.set()
        found = await told(answer.body)

        assert 200 == answer.status
        assert b"content_filter" in found
        assert b"hooks_failed" in found

    stage.run(test)
    assert 446 == stage.record().status
