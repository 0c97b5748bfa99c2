"""Turns that were translated, in a history that goes to a provider of the caller's own format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.types.http import Headers, HTTPRequest
from tests.codecs import schemas
from tests.crossings import answers
from tests.crossings.asks import ASKS, BASE
from tests.crossings.doors import DOORS
from tests.crossings.gateway import (
    CHECK_REQUEST,
    CROSSINGS,
    MODELS,
    Answer,
    send,
    stream_of,
    whole,
)
from tests.scripted import ScriptedTransport, world

JSON = dict[str, Any]

NATIVE: Final = {
    "chat": "openai",
    "messages": "anthropic",
    "responses": "openai",
    "generate_content": "google",
}
RESPONSE: Final[JSON] = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAB"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Mild.", "annotations": []}],
        },
    ],
}
_MARKS: Final = (
    b"llmgateway",
    b"bGxtZ2F0ZXdhe",  # the same in base64
    b"lgw1.",
    b"content_blocks",
    b"extra_content",
    b"blocks_before",
    b"thought_signature",
)


def check_responses_request(body: JSON) -> None:
    schemas.check("CreateResponse", body)


CHECK: Final[dict[str, Callable[[JSON], None]]] = {
    **{door: CHECK_REQUEST[NATIVE[door]] for door in ("chat", "messages", "generate_content")},
    "responses": check_responses_request,
}


def question(door: str) -> JSON:
    """Return a request that asks for thoughts and tools."""
    asks = (BASE[door], ASKS["tools"][door], ASKS["thinking"][door])
    return {name: value for ask in asks for name, value in ask.items()}


def named(door: str, provider: str, request: JSON) -> JSON:
    """Return the request with the provider's model, which Gemini's door has in its path."""
    return request if door == "generate_content" else {**request, "model": MODELS[provider]}


def native_answer(door: str, feature: str) -> bytes:
    return orjson.dumps(RESPONSE) if door == "responses" else answers.whole(NATIVE[door], feature)


async def translated(
    door: str, provider: str, feature: str, request: JSON, *, stream: bool, **head: str
) -> JSON:
    """Return the request with the answer of a foreign provider, and results, in its history."""
    step = (
        stream_of(answers.streamed(provider, feature))
        if stream
        else whole(answers.whole(provider, feature))
    )
    asked = named(door, provider, request)
    answer = await send(door, provider, asked, step, stream=stream, head=head)
    assert 200 == answer.status, answer.raw
    body = DOORS[door].gathered(answer.raw) if stream else answer.body
    for choice in body["choices"] if door == "chat" else ():
        for call in choice["message"].get("tool_calls", ()):
            call.pop("index", None)  # it tells where a piece belongs; a whole call has none
    history: JSON = DOORS[door].turn(request, body)
    if not DOORS[door].view(body).calls:
        return history
    return DOORS[door].results(history, {name: "9" for name, _, _ in answers.CALLS})


async def natively(door: str, request: JSON, feature: str = "plain") -> Answer:
    provider = NATIVE[door]
    asked = named(door, provider, request)
    answer = await send(door, provider, asked, whole(native_answer(door, feature)))
    assert 200 == answer.status, answer.raw
    return answer


def check_sent(door: str, answer: Answer) -> None:
    (raw,) = answer.sent
    assert [] == [mark for mark in _MARKS if mark in raw]
    CHECK[door](answer.asked)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("feature", ["thinking", "tools", "agent"])
@pytest.mark.parametrize(("door", "provider"), CROSSINGS)
async def test_a_native_provider_sees_no_marks(
    door: str, provider: str, feature: str, stream: bool
) -> None:
    history = await translated(door, provider, feature, question(door), stream=stream)

    check_sent(door, await natively(door, history))


@pytest.mark.parametrize("feature", ["thinking", "tools", "agent"])
@pytest.mark.parametrize("provider", ["anthropic", "google"])
async def test_nor_those_of_loose_compliance(provider: str, feature: str) -> None:
    history = await translated(
        "chat",
        provider,
        feature,
        question("chat"),
        stream=False,
        x_portkey_strict_open_ai_compliance="false",
    )

    check_sent("chat", await natively("chat", history))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", ["google", "openai"])
async def test_nor_an_invented_citation(provider: str, stream: bool) -> None:
    history = await translated("messages", provider, "search", BASE["messages"], stream=stream)

    check_sent("messages", await natively("messages", history))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("door", "provider"), CROSSINGS)
async def test_the_native_providers_own_turns_stay(door: str, provider: str, stream: bool) -> None:
    """Native, then translated, then native again."""
    first = question(door)
    told = await natively(door, first, "thinking")
    once = DOORS[door].turn(first, told.body)
    place = next(name for name in ("messages", "input", "contents") if name in once)
    once = {**once, place: [*once[place], BASE[door][place][0]]}

    twice = await translated(door, provider, "agent", once, stream=stream)
    answer = await natively(door, twice)

    assert once[place] == answer.asked[place][: len(once[place])]
    (raw,) = answer.sent
    assert [] == [mark for mark in _MARKS if mark in raw]


NAMED: Final = {
    "chat": ["messages.content_blocks", "messages.extra_content"],
    "messages": ["messages.thinking", "thinking"],
    "responses": ["input.reasoning"],
    "generate_content": ["contents.parts.thoughtSignature"],
}
_BEHIND: Final = {"messages": "google"}


@pytest.mark.parametrize("door", NAMED)
async def test_what_was_taken_out_is_named(door: str) -> None:
    provider = _BEHIND.get(door, "anthropic")
    history = await translated(door, provider, "agent", question(door), stream=False)

    answer = await natively(door, history)

    assert NAMED[door] == answer.adjusted


@pytest.mark.parametrize("door", NATIVE)
async def test_a_history_without_marks_keeps_its_bytes(door: str) -> None:
    request = named(door, NATIVE[door], question(door))
    told = await natively(door, request, "thinking")
    history = DOORS[door].turn(request, told.body)

    answer = await natively(door, history)

    assert (orjson.dumps(history),) == answer.sent
    assert [] == answer.adjusted


async def test_googles_signatures_pass_to_a_compatible_provider() -> None:
    extra = {"google": {"thought_signature": "c2ln"}}
    call = {"id": "c", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
    turn = {"role": "assistant", "content": None, "tool_calls": [{**call, "extra_content": extra}]}
    result = {"role": "tool", "tool_call_id": "c", "content": "9"}
    request = named("chat", "openai", BASE["chat"])
    history = {**request, "messages": [*request["messages"], turn, result]}

    answer = await natively("chat", history)

    assert (orjson.dumps(history),) == answer.sent


async def test_what_is_counted_has_no_marks_either() -> None:
    history = await translated("messages", "google", "agent", question("messages"), stream=False)
    counted = {**history, "model": MODELS["anthropic"]}
    transport = ScriptedTransport(whole(b'{"input_tokens":9}'))
    settings = {"providers": {"anthropic": {"api_key": "k"}}, "access": "local"}
    gateway = Gateway(settings, transport=lambda: transport, world=world(transport))
    headers = Headers.of(
        host="localhost", content_type="application/json", x_portkey_provider="anthropic"
    )
    path = "/v1/messages/count_tokens"

    response = await gateway.handle(HTTPRequest("POST", path, "", headers, orjson.dumps(counted)))

    assert 200 == response.status
    (raw,) = transport.bodies
    assert b"llmgateway" not in raw
