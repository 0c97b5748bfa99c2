"""Guarded streams of chat: modes, bounds, denials, copies, reports."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway.errors import UpstreamProtocolError
from tests.engine.guarded import Answered, ask
from tests.engine.guarded_streams import (
    ASKED,
    LONG_ENOUGH,
    MASKED,
    NO_APPLE,
    NO_MAIL,
    NO_PLUM,
    candidate_events,
    chat_events,
    piece,
    response_events,
    results_of,
    said,
    told,
)
from tests.scripted import Scripted, events, stream

BROKEN = UpstreamProtocolError("The connection broke.")
MODE = "x-portkey-guardrail-stream-mode"
HELD = {**NO_APPLE, "stream_mode": "hold"}
NO_WAIT = {"retry": {"attempts": 3}}


async def guarded(hooks: list[Any], *script: Scripted, **more: Any) -> Answered:
    """Ask chat for a stream under output guardrails."""
    config = {"output_guardrails": hooks, **more.pop("config", {})}
    return await ask(config, *script, body=ASKED, **more)


# ---- modes


@pytest.mark.parametrize(
    ("hooks", "mode"),
    [
        ([{**LONG_ENOUGH, "deny": False}], "monitor"),
        ([{**NO_APPLE, "deny": False}], "monitor"),
        ([NO_APPLE], "window"),
        ([MASKED], "window"),
        ([{**NO_APPLE, "deny": False}, MASKED], "window"),
        ([LONG_ENOUGH], "hold"),
        ([NO_APPLE, LONG_ENOUGH], "hold"),
        ([{"default.regexReplace": {"rule": "/a.*b/g"}}], "hold"),
        ([{**NO_APPLE, "stream_mode": "monitor"}], "monitor"),
        ([HELD], "hold"),
        ([{**NO_APPLE, "async": True}], "monitor"),
    ],
)
async def test_the_mode_follows_from_the_checks(hooks: list[Any], mode: str) -> None:
    answered = await guarded(hooks, chat_events("pears ", "for all of us"))

    assert (200, mode) == (answered.status, answered.headers[MODE])
    assert "pears for all of us" == answered.text


async def test_a_window_that_a_check_cannot_have_is_refused() -> None:
    answered = await guarded([{**LONG_ENOUGH, "stream_mode": "window"}])

    assert 400 == answered.status
    assert "hold" in answered.body["error"]["message"]


async def test_no_guardrail_no_mode() -> None:
    answered = await ask({}, chat_events("Apple"), body=ASKED)

    assert MODE not in answered.headers
    assert "hook_results" not in answered.raw.decode()


# ---- held


async def test_a_retry_that_names_no_codes_retries_what_was_held_and_denied() -> None:
    script = [chat_events("App", "le"), chat_events("Ap", "ple"), chat_events("Bat")]
    answered = await guarded([HELD], *script, config=NO_WAIT)

    assert (200, "Bat", 3) == (answered.status, answered.text, len(answered.transport.requests))
    assert [] == [pause for pause in answered.clock.sleeps if pause]
    assert all(one.closed for one in script)


@pytest.mark.parametrize("hook", [HELD, NO_APPLE], ids=["hold", "window"])
async def test_denials_before_the_release_are_retried_to_the_end(hook: dict[str, Any]) -> None:
    script = [chat_events("Apple", " for all") for _ in range(4)]
    answered = await guarded([hook], *script, config=NO_WAIT)

    assert (446, 446, 4) == (
        answered.status,
        answered.record.status,
        len(answered.transport.requests),
    )
    assert all(one.closed for one in script)


async def test_a_denial_falls_back() -> None:
    targets = [{"provider": "openai", "api_key": "k"}, {"provider": "groq", "api_key": "k"}]
    config = {"strategy": {"mode": "fallback", "on_status_codes": [446]}, "targets": targets}
    script = [chat_events("Apple and more"), chat_events("Bat and more")]
    answered = await guarded([NO_APPLE], *script, config=config)

    assert (200, "Bat and more") == (answered.status, answered.text)


async def test_after_the_release_nothing_is_asked_again() -> None:
    answered = await guarded([NO_APPLE], chat_events("Some time ago, ", "Apple"), config=NO_WAIT)

    assert (200, 446, 1) == (
        answered.status,
        answered.record.status,
        len(answered.transport.requests),
    )
    assert answered.is_cut


async def test_the_results_of_what_was_held_stand_before_done() -> None:
    answered = await guarded(
        [{**LONG_ENOUGH, "deny": False, "stream_mode": "hold"}], chat_events("so")
    )
    *_, report, done = answered.events

    assert (246, "[DONE]") == (answered.status, done)
    assert [] == report["choices"]
    assert not report["hook_results"]["after_request_hooks"][0]["verdict"]


# ---- bounds


@pytest.mark.parametrize("closed", [True, False])
async def test_more_bytes_than_may_be_held(closed: bool) -> None:
    hook = {**LONG_ENOUGH, "fail_on_error": closed}
    texts = ["many words "] * 40
    script = chat_events(*texts)
    answered = await guarded([hook], script, settings={"limits": {"guard_hold_bytes": 2000}})

    assert (446 if closed else 200) == answered.status
    assert script.closed
    if not closed:
        assert "".join(texts) == answered.text
        (results,) = results_of(answered)  # it was watched to its end
        assert [True] == [hook["verdict"] for hook in results["after_request_hooks"]]


@pytest.mark.parametrize("closed", [True, False])
async def test_windows_go_on_where_another_hook_meets_its_bound(closed: bool) -> None:
    texts = ["many words "] * 40
    answered = await guarded(
        [LONG_ENOUGH, {**NO_APPLE, "fail_on_error": closed}],
        chat_events(*texts, "App", "le!"),
        settings={"limits": {"guard_hold_bytes": 2000}},
    )

    assert (200, 446, True) == (answered.status, answered.record.status, answered.is_cut)
    assert "App" not in said(answered)


# ---- what tells again


def with_tokens(text: str, *tokens: str) -> dict[str, Any]:
    """Return a chunk with log probabilities."""
    content = [
        {
            "token": t,
            "bytes": list(t.encode()),
            "logprob": -1,
            "top_logprobs": [{"token": t, "logprob": -1, "bytes": None}],
        }
        for t in tokens
    ]
    return piece(text, logprobs={"content": content, "refusal": None})


@pytest.mark.parametrize("mode", ["hold", "window"])
async def test_log_probabilities_never_show_what_is_masked(mode: str) -> None:
    chunks = [with_tokens("my sec", "my", " sec"), with_tokens("ret-17", "ret", "-17")]
    script = stream(*events(*chunks, piece(None, "stop")))
    answered = await guarded([{**MASKED, "stream_mode": mode}], script)

    assert "my [gone]" == answered.text
    assert "sec" not in said(answered)
    assert str(list(b"ret")).replace(" ", "") not in said(answered)


@pytest.mark.parametrize("mode", ["hold", "window"])
async def test_all_that_closes_a_response_tells_the_mask(mode: str) -> None:
    hooks = [{**hook, "stream_mode": mode} for hook in (MASKED, NO_MAIL)]
    body = {"model": "m", "stream": True, "input": "hi"}
    script = response_events("my sec", "ret-17 of a", "@b.example.com")
    answered = await ask({"output_guardrails": hooks}, script, body=body, path="/v1/responses")
    masked = "my [gone] of [EMAIL_ADDRESS]"

    assert "secret" not in said(answered)
    assert "example" not in said(answered)
    done, part, item, completed = told(answered)[-4:]
    assert masked == done["text"] == part["part"]["text"]
    assert masked == item["item"]["content"][0]["text"]
    assert masked == completed["response"]["output"][0]["content"][0]["text"]


async def test_a_denied_response_ends_incomplete_without_the_denied_words() -> None:
    body = {"model": "m", "stream": True, "input": "hi"}
    script = response_events("Pears for all, ", "and Ap", "ples")
    answered = await ask({"output_guardrails": [NO_APPLE]}, script, body=body, path="/v1/responses")
    last, error = told(answered)[-2:]

    assert ("response.incomplete", "error") == (last["type"], error["type"])
    assert "incomplete" == last["response"]["status"]
    assert "Apple" not in said(answered)


@pytest.mark.parametrize("mode", ["hold", "window"])
async def test_passages_of_gemini_never_quote_what_is_masked(mode: str) -> None:
    script = candidate_events("my sec", "ret-17", " is here")
    *chunks, last = script.chunks
    assert isinstance(last, bytes)
    event = orjson.loads(last[6:])
    support = {"segment": {"text": "my secret-17", "endIndex": 12}, "groundingChunkIndices": [0]}
    event["candidates"][0]["groundingMetadata"] = {"groundingSupports": [support]}
    script = stream(*chunks, b"data: " + orjson.dumps(event) + b"\n\n")
    answered = await ask(
        {"provider": "google", "output_guardrails": [{**MASKED, "stream_mode": mode}]},
        script,
        body={"contents": [{"parts": [{"text": "hi"}]}]},
        path="/v1beta/models/m:streamGenerateContent",
        query="alt=sse",
    )

    assert 200 == answered.status
    assert "secret" not in said(answered)


async def test_a_message_so_far_shows_no_more_than_has_gone_out() -> None:
    chunks, so_far = [], ""
    for text in ("Pears ", "and a lot of Ap", "ples"):
        so_far += text
        chunk = piece(text)
        chunk["choices"][0]["message"] = {"role": "assistant", "content": so_far}
        chunks.append(chunk)
    answered = await guarded([NO_APPLE], stream(*events(*chunks, piece(None, "stop"))))

    assert answered.is_cut
    assert "Ap" not in said(answered)


async def test_halves_of_surrogate_pairs_are_judged_like_all_else() -> None:
    cut = rb'data: {"choices": [{"index": 0, "delta": {"content": "\ud83d Apple"}}]}' + b"\n\n"
    answered = await guarded([NO_APPLE], stream(*events(piece("Some pears, "), done=False), cut))

    assert answered.is_cut
    assert b"content_filter" in answered.raw
    assert "A" not in answered.text


async def test_what_was_held_back_is_said_without_naming_a_call_again() -> None:
    function = {"name": "send", "arguments": '{"to": "some pears"}'}
    call = {"index": 0, "id": "call_1", "type": "function", "function": function}
    begun = piece(None)
    begun["choices"][0]["delta"] = {"role": "assistant", "tool_calls": [call]}
    hook = {**NO_APPLE, "scope": "tool_arguments"}
    answered = await guarded([hook], stream(*events(begun, piece(None, "tool_calls"))))
    calls = [
        call
        for event in told(answered)
        for choice in event["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]

    assert function["arguments"] == "".join(call["function"]["arguments"] for call in calls)
    assert ["call_1"] == [call["id"] for call in calls if "id" in call]
    assert ["send"] == [call["function"]["name"] for call in calls if "name" in call["function"]]


# ---- errors of the provider


FAILS = b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'


@pytest.mark.parametrize("hook", [HELD, NO_APPLE, LONG_ENOUGH], ids=["hold", "window", "whole"])
@pytest.mark.parametrize("end", [FAILS, BROKEN], ids=["error event", "broken connection"])
async def test_an_error_before_anything_went_out_is_a_failed_try(hook: Any, end: Any) -> None:
    first = stream(*events(piece("Pea"), done=False), end)
    answered = await guarded([hook], first, chat_events("Bat or two or three"), config=NO_WAIT)

    assert (200, "Bat or two or three") == (answered.status, answered.text)
    assert first.closed


@pytest.mark.parametrize("end", [FAILS, BROKEN], ids=["error event", "broken connection"])
async def test_an_error_after_the_release_says_what_was_held_back_and_then_the_error(
    end: Any,
) -> None:
    script = [*events(piece("Pears for all of "), piece("us"), done=False), end]
    answered = await guarded([NO_APPLE], stream(*script), config=NO_WAIT)
    plain = await ask(NO_WAIT, stream(*script), body=ASKED)

    assert "Pears for all of us" == answered.text == plain.text
    assert "error" in answered.events[-1]
    assert (True, plain.record.status) == (answered.is_cut, answered.record.status)
    assert answered.events[-1]["error"]["message"] == plain.events[-1]["error"]["message"]


# ---- results as events of their own

OPEN = {"x_llmgateway_hook_events": "true", "x_portkey_strict_open_ai_compliance": "false"}


@pytest.mark.parametrize("mode", ["hold", "window", "monitor"])
async def test_events_for_who_asks_for_them(mode: str) -> None:
    config = {"input_guardrails": [NO_PLUM]}
    hooks = [{**NO_APPLE, "stream_mode": mode}]
    answered = await guarded(hooks, chat_events("pears"), config=config, **OPEN)
    first, *between, last = answered.events

    assert ["hook_results"] == list(first) == list(last)
    assert ["before_request_hooks"] == list(first["hook_results"])
    assert ["after_request_hooks"] == list(last["hook_results"])
    assert "[DONE]" == between[-1]


@pytest.mark.parametrize("left_out", OPEN)
async def test_no_events_for_others(left_out: str) -> None:
    head = {name: value for name, value in OPEN.items() if name != left_out}
    config = {"input_guardrails": [NO_PLUM]}
    answered = await guarded([NO_APPLE], chat_events("pears"), config=config, **head)

    assert not [e for e in answered.events if isinstance(e, dict) and "choices" not in e]
    assert 1 == len(results_of(answered))


async def test_a_watched_stream_passes_byte_by_byte() -> None:
    answered = await guarded([{**NO_APPLE, "deny": False}], chat_events("Apple", " pie"))
    plain = (await ask({}, chat_events("Apple", " pie"), body=ASKED)).raw
    end = plain.index(b"data: [DONE]")

    assert answered.raw.startswith(plain[:end])
    assert answered.raw.endswith(plain[end:])
    assert 1 == len(results_of(answered))


NOT_APPLE = {"default.regexMatch": {"rule": "Apple", "not": True}, "deny": True}


@pytest.mark.parametrize("apple", [0, 1])
@pytest.mark.parametrize("mode", [None, "hold", "window"])
async def test_a_choice_without_text_hides_no_other(apple: int, mode: str | None) -> None:
    """The check cannot decide over no text, which counts as passed here."""
    message = {"role": "assistant", "content": "A fine Apple"}
    choices = [
        {"index": index, "message": message if index == apple else {"role": "assistant"}}
        for index in range(2)
    ]
    chunks = [piece("A fine Apple", index=apple), piece(None, "stop", index=1 - apple)]
    script = stream(*events(*chunks, piece(None, "stop", index=apple)))
    if mode is None:
        script = Scripted(chunks=[orjson.dumps({"id": "c", "choices": choices})])
    hook = NOT_APPLE if mode is None else {**NOT_APPLE, "stream_mode": mode}
    body = {**ASKED, "stream": mode is not None}
    answered = await ask({"output_guardrails": [hook]}, script, body=body)

    assert 446 == answered.record.status


async def test_what_must_be_found_needs_the_whole_text() -> None:
    hook = {"default.pii": {"categories": ["EMAIL_ADDRESS"], "not": True}, "deny": True}
    answered = await guarded([hook], chat_events("Dear reader, write ", "to a@b.example.com"))

    assert (200, "hold") == (answered.status, answered.headers[MODE])
