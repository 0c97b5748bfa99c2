"""Which texts a guardrail looks at: scopes at all doors, choices, tool calls."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.engine import guard_checks
from tests.engine.guarded import ask
from tests.scripted import Scripted

MASK = {"default.regexReplace": {"rule": "/bad/g", "redactText": "***"}}
__all__ = ["guard_checks"]


def json(body: object, status: int = 200) -> Scripted:
    return Scripted(status, [orjson.dumps(body)])


def no(word: str, **more: Any) -> dict[str, Any]:
    return {"default.contains": {"words": [word], "operator": "none"}, **more}


def seen(body: Any, phase: str = "before_request_hooks") -> list[str]:
    (hook,) = body["hook_results"][phase]
    return list(hook["checks"][0]["data"]["texts"])


# ---- scopes of requests

_CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q":"arg"}'}}
_PARTS = [{"type": "text", "text": "one"}, {"type": "text", "text": "2"}]
CHAT = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "sys"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "said", "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "result"},
        {"role": "user", "content": _PARTS},
    ],
}
MESSAGES = {
    "model": "m",
    "max_tokens": 9,
    "system": "sys",
    "messages": [
        {"role": "user", "content": "first"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "said"},
                {"type": "tool_use", "id": "c1", "name": "find", "input": {"q": "arg"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "result"},
                {"type": "text", "text": "one"},
                {"type": "text", "text": "2"},
            ],
        },
    ],
}
RESPONSES = {
    "model": "m",
    "instructions": "sys",
    "input": [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "said"}]},
        {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q":"arg"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "result"},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": "2"}],
        },
    ],
}
GEMINI = {
    "systemInstruction": {"parts": [{"text": "sys"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "first"}]},
        {
            "role": "model",
            "parts": [{"text": "said"}, {"functionCall": {"name": "find", "args": {"q": "arg"}}}],
        },
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "find", "response": {"r": "result"}}}],
        },
        {"role": "user", "parts": [{"text": "one"}, {"text": "2"}]},
    ],
}
_GEMINI_PATH = "/v1beta/models/m:generateContent"
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": ("openai", "/v1/chat/completions", CHAT),
    "chat to anthropic": ("anthropic", "/v1/chat/completions", {**CHAT, "max_tokens": 9}),
    "messages": ("anthropic", "/v1/messages", MESSAGES),
    "messages to openai": ("openai", "/v1/messages", MESSAGES),
    "responses": ("openai", "/v1/responses", RESPONSES),
    "gemini": ("google", _GEMINI_PATH, GEMINI),
    "gemini to openai": ("openai", _GEMINI_PATH, GEMINI),
}


async def denied(door: str, scope: str | None) -> list[str]:
    """Return the texts that a check of a scope is given; the hook denies, so nothing is sent."""
    provider, path, body = REQUESTS[door]
    hook: dict[str, Any] = {"trial.sees": {}, "trial.never": {}, "deny": True}
    if scope is not None:
        hook["scope"] = scope
    got = await ask({"provider": provider, "input_guardrails": [hook]}, body=body, path=path)
    assert 446 == got.status, got.raw
    return seen(got.body)


@pytest.mark.parametrize("door", REQUESTS)
@pytest.mark.parametrize(
    ("scope", "texts"),
    [
        ("system", ["sys"]),
        ("tool_arguments", ["arg"]),
        ("tool_results", ["result"]),
    ],
)
async def test_a_scope_takes_the_same_at_every_door(
    door: str, scope: str, texts: list[str]
) -> None:
    found = await denied(door, scope)

    assert len(texts) == len(found)
    assert all(text in one for text, one in zip(texts, found, strict=True))


@pytest.mark.parametrize("door", REQUESTS)
@pytest.mark.parametrize("scope", ["last", None])
async def test_the_last_is_the_contracts(door: str, scope: str | None) -> None:
    found = await denied(door, scope)

    # Anthropic's tool results stand in the user's message, beside what the user says.
    assert ["one", "2"] == [text for text in found if text != "result"]


@pytest.mark.parametrize("door", REQUESTS)
async def test_all_is_everything_that_is_said(door: str) -> None:
    found = await denied(door, "all")

    for text in ("sys", "first", "said", "arg", "result", "one", "2"):
        assert any(text in one for one in found), text


# ---- answers


def choices(*texts: str) -> Scripted:
    listed = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for i, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return json({"id": "c", "object": "chat.completion", "choices": listed, "usage": usage})


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_denial_of_one_choice_denies_the_answer(place: int) -> None:
    texts = ["fine"] * 3
    texts[place] = "Apple"
    config = {"output_guardrails": [no("Apple", deny=True)]}
    got = await ask(config, choices(*texts))
    passes = await ask(config, choices("fine", "well", "good"))
    (hook,) = got.body["hook_results"]["after_request_hooks"]

    assert (446, 200) == (got.status, passes.status)
    assert ["Apple"] == hook["checks"][0]["data"]["foundWords"]


async def test_each_choice_is_masked() -> None:
    got = await ask({"output_guardrails": [MASK]}, choices("bad", "good", "a bad one"))
    said = [choice["message"]["content"] for choice in got.body["choices"]]

    assert ["***", "good", "a *** one"] == said


@pytest.mark.parametrize(
    ("scope", "status"), [("last", 200), ("all", 446), ("tool_arguments", 446)]
)
async def test_arguments_of_an_answers_tool_calls(scope: str, status: int) -> None:
    call = {**_CALL, "function": {"name": "find", "arguments": '{"q":"Apple"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    config = {"output_guardrails": [no("Apple", deny=True, scope=scope)]}

    assert status == (await ask(config, json({"id": "c", **answer}))).status


async def test_masked_arguments_still_parse() -> None:
    call = {**_CALL, "function": {"name": "find", "arguments": '{"q":"so bad"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    mask = {"default.regexReplace": {"rule": "bad", "redactText": 'a "quote"'}, "scope": "all"}
    got = await ask({"output_guardrails": [mask]}, json({"id": "c", **answer}))
    (told,) = got.body["choices"][0]["message"]["tool_calls"]

    assert {"q": 'so a "quote"'} == orjson.loads(told["function"]["arguments"])
