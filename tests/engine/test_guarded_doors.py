"""The same guardrails over the streams of four doors, at native and at translated targets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.guarded import Answered, ask
from tests.engine.guarded_streams import (
    DOORS,
    LONG_ENOUGH,
    MASKED,
    NO_APPLE,
    NO_MAIL,
    TARGETS,
    Door,
    answer_of,
    results_of,
    said,
    told,
)

pytestmark = [
    pytest.mark.parametrize("provider", TARGETS),
    pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name),
]
FINE = ("I like ", "plu", "ms and pears.")
BAD = ("I like pears and ", "red Ap", "ples, ", "do you?")
HIDDEN = ("It is sec", "ret-1", "7, a@b", ".example", ".com; secret-", "22", "!")


async def streamed(door: Door, provider: str, texts: tuple[str, ...], *hooks: Any) -> Answered:
    config = {"provider": provider, "output_guardrails": list(hooks)}
    script = answer_of(door, provider)(*texts)
    return await ask(config, script, body=door.body, path=door.path, query=door.query)


@pytest.mark.parametrize("mode", ["hold", "window", "monitor"])
async def test_what_passes_goes_out_whole_and_reports_once(
    door: Door, provider: str, mode: str
) -> None:
    answered = await streamed(door, provider, FINE, {**NO_APPLE, "stream_mode": mode})

    assert (200, False, 200) == (answered.status, answered.is_cut, answered.record.status)
    assert mode == answered.headers["x-portkey-guardrail-stream-mode"]
    assert "".join(FINE) == door.text(told(answered))
    (results,) = results_of(answered)
    assert [True] == [hook["verdict"] for hook in results["after_request_hooks"]]
    if door.name in ("messages", "responses"):
        assert "hook_results" in told(answered)[-1]
        assert told(answered)[-1]["type"] in ("message_stop", "response.completed")


async def test_a_denial_after_the_release_began(door: Door, provider: str) -> None:
    answered = await streamed(door, provider, BAD, NO_APPLE)
    *_, last, error = told(answered)

    assert (200, True, 446) == (answered.status, answered.is_cut, answered.record.status)
    assert "".join(BAD).startswith(door.text(told(answered)))
    assert "App" not in said(answered)
    assert b"[DONE]" not in answered.raw
    assert door.denied == door.finish(last)
    assert [False] == [hook["verdict"] for hook in last["hook_results"]["after_request_hooks"]]
    assert "guardrail checks" in error["error"]["message"]
    assert error.get("hook_results", last["hook_results"]) == last["hook_results"]
    assert 1 == len(answered.transport.requests)


async def test_a_denial_before_is_a_446(door: Door, provider: str) -> None:
    answered = await streamed(door, provider, ("Apple", " pie for all of us"), NO_APPLE)

    assert (446, 446) == (answered.status, answered.record.status)
    assert [False] == [h["verdict"] for h in answered.body["hook_results"]["after_request_hooks"]]


async def test_a_denial_of_what_is_held_is_a_446(door: Door, provider: str) -> None:
    answered = await streamed(door, provider, BAD, {**NO_APPLE, "stream_mode": "hold"})

    assert 446 == answered.status
    assert "error" in answered.body
    assert 1 == len(answered.body["hook_results"]["after_request_hooks"])


@pytest.mark.parametrize("mode", ["hold", "window"])
async def test_masks_are_the_same_everywhere(door: Door, provider: str, mode: str) -> None:
    hooks = [{**hook, "stream_mode": mode} for hook in (MASKED, NO_MAIL)]
    answered = await streamed(door, provider, HIDDEN, *hooks)

    assert 200 == answered.status
    assert "It is [gone], [EMAIL_ADDRESS]; [gone]!" == door.text(told(answered))
    assert "secret-" not in said(answered)
    assert "a@b" not in said(answered)
    (results,) = results_of(answered)
    assert [True, True] == [hook["transformed"] for hook in results["after_request_hooks"]]


async def test_what_fails_and_denies_nothing_is_a_246_where_it_is_held(
    door: Door, provider: str
) -> None:
    hook = {**LONG_ENOUGH, "deny": False, "stream_mode": "hold"}
    answered = await streamed(door, provider, ("too ", "short"), hook)

    assert 246 == answered.status
    assert "too short" == door.text(told(answered))


async def test_what_fails_and_denies_nothing_reports_it_where_it_is_watched(
    door: Door, provider: str
) -> None:
    answered = await streamed(door, provider, ("too ", "short"), {**LONG_ENOUGH, "deny": False})

    assert (200, "monitor") == (
        answered.status,
        answered.headers["x-portkey-guardrail-stream-mode"],
    )
    (results,) = results_of(answered)
    assert [False] == [hook["verdict"] for hook in results["after_request_hooks"]]
    noted = answered.record.hook_results
    assert noted is not None
    assert [False] == [hook["verdict"] for hook in noted["after_request_hooks"]]
