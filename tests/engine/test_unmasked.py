"""What should have been masked and could not be: closed guardrails end the call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.guarded import ASKED, ask
from tests.scripted import chat, delta, events, stream

LONG = "x" * (2**20 + 1)
"""More than a pattern is searched in."""
MASK = {"default.regexReplace": {"rule": "/Apple/g"}}
STREAMED = {**ASKED, "stream": True}


@pytest.mark.parametrize(("closed", "status"), [(True, 446), (False, 200)])
async def test_a_request_that_cannot_be_masked(closed: bool, status: int) -> None:
    body = {**ASKED, "messages": [{"role": "user", "content": LONG}]}
    hook = {**MASK, "fail_on_error": closed}

    answered = await ask({"input_guardrails": [hook]}, chat(), body=body)

    assert (status, 0 if closed else 1) == (answered.status, len(answered.transport.requests))


@pytest.mark.parametrize(("closed", "status"), [(True, 446), (False, 200)])
async def test_an_answer_that_cannot_be_masked(closed: bool, status: int) -> None:
    hook = {**MASK, "fail_on_error": closed}

    answered = await ask({"output_guardrails": [hook]}, chat(LONG))

    assert status == answered.status


@pytest.mark.parametrize(("closed", "status"), [(True, 446), (False, 200)])
async def test_a_stream_that_is_too_long_to_be_held(closed: bool, status: int) -> None:
    hook: dict[str, Any] = {**MASK, "fail_on_error": closed, "stream_mode": "hold"}
    script = stream(*events(*[delta("An Apple a day. ") for _ in range(50)], delta(finish="stop")))

    answered = await ask(
        {"output_guardrails": [hook]},
        script,
        body=STREAMED,
        settings={"limits": {"guard_hold_bytes": 500}},
    )

    assert status == answered.status
    assert closed is ("Apple" not in answered.text)


async def test_what_only_reports_denies_nothing() -> None:
    hook = {"default.regexMatch": {"rule": "Apple", "not": True}, "fail_on_error": True}

    answered = await ask({"output_guardrails": [hook]}, chat(LONG))

    assert 246 == answered.status
