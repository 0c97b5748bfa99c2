"""What callers may try against guardrails that the operator demands."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.types.http import Headers, HTTPRequest
from tests.engine.guarded import ASKED, ask
from tests.engine.guarded_streams import chat_events, piece
from tests.scripted import Scripted, ScriptedTransport, chat, events, stream, world

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


# ---- answers that no check can read


@pytest.mark.parametrize("mode", ["hold", "window"])
@pytest.mark.parametrize(
    "data",
    [
        b"Apple",
        b'"Apple"',
        b'[{"content":"Apple"}]',
        b'{"content":"Apple","x":NaN}',
        b'{"content":"Apple","x":' + b"[" * 3000 + b"]" * 3000 + b"}",
    ],
)
@pytest.mark.parametrize("path", ["/v1/anything", "/v1/chat/completions"])
async def test_an_event_that_no_check_can_read_is_denied(mode: str, data: bytes, path: str) -> None:
    start = piece("first some words ")
    got = await ask(
        None,
        stream(*events(start), b"data: %b\n\n" % data, b"data: [DONE]\n\n"),
        body={**ASKED, "stream": True},
        settings={"output_guardrails": [{**NO_APPLE, "stream_mode": mode}]},
        path=path,
    )

    told, _, _ = got.raw.partition(b'"hook_results"')  # which name the words
    assert b"Apple" not in told
    assert got.status in (446, 502) if mode == "hold" else got.is_cut


@pytest.mark.parametrize("data", [b"", b" "])
@pytest.mark.parametrize("mode", ["hold", "window"])
async def test_an_event_without_words_passes(mode: str, data: bytes) -> None:
    got = await ask(
        None,
        stream(b"data: %b\n\n: still here\n\n" % data, *events(piece("fine", "stop"))),
        body={**ASKED, "stream": True},
        settings={"output_guardrails": [{**NO_APPLE, "stream_mode": mode}]},
        path="/v1/anything",
    )

    assert (200, False) == (got.status, got.is_cut)
    assert b"fine" in got.raw


@pytest.mark.parametrize("kind", ["text/plain", "text/html; charset=utf-8"])
async def test_a_wrong_type_hides_no_word(kind: str) -> None:
    body = orjson.dumps({"choices": [{"message": {"role": "assistant", "content": "Apple"}}]})
    got = await ask(
        None,
        Scripted(200, [body], {"content-type": kind}),
        settings={"output_guardrails": [NO_APPLE]},
    )

    assert 446 == got.status


@pytest.mark.parametrize(("word", "status"), [("Apple", 446), ("Bat", 200)])
async def test_a_proxied_stream_of_another_kind_is_read_whole(word: str, status: int) -> None:
    line = b'{"message":{"content":"%b"}}\n' % word.encode()
    got = await ask(
        {"output_guardrails": [{**NO_APPLE, "fail_on_error": True}]},
        Scripted(200, [line], {"content-type": "application/x-ndjson"}),
        body={**ASKED, "stream": True},
        path="/v1/anything",
    )

    assert status == got.status
    assert word == "Apple" or word.encode() in got.raw


async def test_several_lines_are_denied_where_they_are_demanded_and_pass_else() -> None:
    lines = b'{"message":{"content":"Bat"}}\n{"message":{"content":"Bat"}}\n'
    body = {**ASKED, "stream": True}
    answers = [Scripted(200, [lines], {"content-type": "application/x-ndjson"}) for _ in range(2)]
    demanded = await ask(
        None,
        answers[0],
        body=body,
        path="/v1/anything",
        settings={"output_guardrails": [NO_APPLE]},
    )
    own = await ask({"output_guardrails": [NO_APPLE]}, answers[1], body=body, path="/v1/anything")

    assert 446 == demanded.status
    assert (200, lines) == (own.status, own.raw)


# ---- where a request may hold words


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "{}"}},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"a": ["{}"]}},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "{}"}]},
    ],
)
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_parts_of_anthropics_api_hide_no_word_at_the_chat_door(
    part: Any, provider: str
) -> None:
    told = orjson.loads(orjson.dumps(part).replace(b"{}", b"an Apple"))
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [told]}]}
    got = await ask(
        None,
        body=body,
        settings={"input_guardrails": [NO_APPLE]},
        x_portkey_provider=provider,
    )

    assert 446 == got.status


@pytest.mark.parametrize(
    "more",
    [
        {"system": "an Apple"},
        {"system": [{"type": "text", "text": "an Apple"}]},
        {"instructions": "an Apple"},
        {"prompt": "an Apple"},
        {"documents": [{"title": "fruit", "text": "an Apple"}]},
    ],
)
async def test_nor_do_members_beside_the_messages(more: Any) -> None:
    got = await ask(None, body={**ASKED, **more, "messages": []}, settings=_DEMANDED)

    assert 446 == got.status


_DEMANDED = {"input_guardrails": [NO_APPLE]}


# ---- other methods


async def _sent(method: str, path: str, raw: bytes, settings: Any, answer: Any) -> tuple[int, int]:
    transport = ScriptedTransport(answer)
    made = {"access": "open", **settings}
    gateway = Gateway(made, transport=lambda: transport, world=world(transport))
    head = {"content_type": "application/json", "x_portkey_provider": "openai"}
    fields = Headers.of(authorization="Bearer sk", **head)
    got = await gateway.handle(HTTPRequest(method, path, "", fields, raw))
    if not isinstance(got.body, bytes):
        _ = b"".join([piece async for piece in got.body])
    await gateway.aclose()
    return got.status, len(transport.bodies)


async def test_a_body_of_a_delete_is_judged_like_any_other() -> None:
    raw = orjson.dumps(said("an Apple"))
    got = await _sent("DELETE", "/v1/chat/completions", raw, _DEMANDED, chat("x"))

    assert (446, 0) == got


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions/c1", "/v1/chat/completions", "/v1/conversations/c/items"]
)
@pytest.mark.parametrize(("word", "status"), [("Apple", 446), ("Bat", 200)])
async def test_what_is_stored_is_guarded_when_it_is_fetched(
    path: str, word: str, status: int
) -> None:
    allowed = {"default.modelWhitelist": {"models": ["m"]}, "deny": True}
    settings = {"output_guardrails": [NO_APPLE], "input_guardrails": [allowed]}
    body = {"data": [{"content": [{"type": "output_text", "text": f"a {word}"}]}]}
    got = await _sent("GET", path, b"", settings, Scripted(200, [orjson.dumps(body)]))

    assert (status, 1) == got
