"""What callers may try against guardrails that the operator demands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.guarded import ASKED, ask
from tests.engine.guarded_streams import chat_events
from tests.scripted import Scripted, chat

NO_APPLE = {
    "default.contains": {"operator": "none", "words": ["Apple"]},
    "deny": True,
    "scope": "all",
}
JOINED = {"default.regexReplace": {"rule": "/Ap-ple/g", "redactText": "Apple"}}
TELLING = {"default.regexMatch": {"rule": ".*"}}
HOOK = {"default.webhook": {"webhookURL": "https://hooks.example/x"}}
NO_MAIL = {"default.pii": {"categories": ["EMAIL_ADDRESS"], "redact": True}}


def said(text: str) -> dict[str, Any]:
    return {**ASKED, "messages": [{"role": "user", "content": text}]}


# ---- what a caller's own guardrails change and see


@pytest.mark.parametrize("own", [JOINED, {**JOINED, "fail_on_error": True}])
async def test_what_a_callers_own_mutator_writes_is_judged_again(own: Any) -> None:
    got = await ask(
        {"input_mutators": [own]},
        body=said("an Ap-ple"),
        settings={"input_guardrails": [NO_APPLE]},
    )

    assert 446 == got.status
    assert not got.transport.bodies
    assert 2 == len(got.body["hook_results"]["before_request_hooks"])


async def test_it_is_masked_again_too() -> None:
    own = {"default.regexReplace": {"rule": "/ at /g", "redactText": "@"}}
    got = await ask(
        {"input_mutators": [own]},
        chat("hello"),
        body=said("I am ann at example.com"),
        settings={"input_guardrails": [NO_MAIL]},
    )

    assert 200 == got.status
    assert "I am [EMAIL_ADDRESS_1]" == got.sent["messages"][0]["content"]
    told = got.body["hook_results"]["before_request_hooks"]
    assert [True, True] == [one["transformed"] for one in told]


async def test_what_only_adds_is_not_repeated() -> None:
    prefix = {"default.addPrefix": {"prefix": "Kindly: "}}
    got = await ask(
        {"input_mutators": [JOINED]},
        chat("hello"),
        body=said("an Ap-ple"),
        settings={"input_guardrails": [prefix]},
    )

    assert "Kindly: an Apple" == got.sent["messages"][0]["content"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("own", [TELLING, {**HOOK, "async": True}, HOOK])
async def test_a_denied_answer_is_shown_to_no_guardrail_of_the_callers_own(
    own: Any, stream: bool
) -> None:
    answer = chat_events("the Apple is 4711") if stream else chat("the Apple is 4711")
    got = await ask(
        {"output_guardrails": [own]},
        answer,
        Scripted(200, [b'{"verdict": true}']),
        body={**ASKED, "stream": stream},
        settings={"output_guardrails": [{**NO_APPLE, "stream_mode": "hold"}]},
    )

    assert 446 == got.status
    assert 1 == len(got.transport.bodies)
    assert 1 == len(got.body["hook_results"]["after_request_hooks"])
    assert b"4711" not in b"".join(got.transport.bodies)


async def test_what_is_masked_in_windows_is_masked_for_who_watches() -> None:
    own = {**TELLING, "stream_mode": "monitor"}
    got = await ask(
        {"output_guardrails": [own]},
        chat_events("I am ann@exa", "mple.com, hello", " again"),
        body={**ASKED, "stream": True},
        settings={"output_guardrails": [NO_MAIL]},
    )

    assert "window" == got.headers["x-portkey-guardrail-stream-mode"]
    assert b"ann@" not in got.raw
    assert b"I am [EMAIL_ADDRESS], hello again" in got.raw.replace(b"\\n", b"")
