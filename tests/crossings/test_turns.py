"""The next turn: what an answer held comes back to its provider, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.generate_content.turns import UNSIGNED
from tests.crossings import answers
from tests.crossings.answers import CALL_SIGNATURE, TEXT, TEXT_SIGNATURE
from tests.crossings.asks import ASKS, request, user
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
from tests.crossings.matching import assert_has
from tests.crossings.sent import RESULTS

JSON = dict[str, Any]

crossings = pytest.mark.parametrize(("door", "provider"), CROSSINGS)
ways = pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
SAID = {"call_a": "Rain.", "call_b": "Noon."}
LOOSE = {"x_portkey_strict_open_ai_compliance": "false"}
TURNS = {"anthropic": "messages", "google": "contents", "openai": "messages"}
"""The member that holds the turns, by provider."""


def agents_request(door: str, provider: str) -> JSON:
    """Return a request with tools that asks for thinking."""
    return {**request(door, "tools", MODELS[provider]), **ASKS["thinking"][door]}


async def first_answer(
    door: str, provider: str, asked: JSON, feature: str, *, streams: bool, strict: bool = True
) -> JSON:
    """Return a provider's answer as the door's client has it in the end."""
    head = {} if strict else LOOSE
    if streams:
        step = stream_of(answers.streamed(provider, feature))
        told = await send(door, provider, asked, step, stream=True, head=head)
        return DOORS[door].gathered(told.raw)
    told = await send(door, provider, asked, whole(answers.whole(provider, feature)), head=head)
    found: JSON = told.body
    return found


async def next_answer(door: str, provider: str, asked: JSON, *, strict: bool = True) -> Answer:
    """Send the next turn, which the provider must find valid."""
    step = whole(answers.whole(provider, "plain"))
    answer = await send(door, provider, asked, step, head={} if strict else LOOSE)
    assert 200 == answer.status, answer.raw
    CHECK_REQUEST[provider](answer.asked)
    return answer


def merged(parts: list[JSON]) -> list[JSON]:
    """Return Gemini's parts with texts joined that only the stream had cut."""
    found: list[JSON] = []
    for part in parts:
        before = found[-1] if found else {}
        signed = "thoughtSignature" in before
        if "text" in part and "text" in before and not signed:
            if part.get("thought") == before.get("thought"):
                found[-1] = {**part, "text": before["text"] + part["text"]}
                continue
        found.append(part)
    return found


def last_answer(provider: str, asked: JSON) -> Any:
    """Return what the model said before the user's last turn, in the provider's own form."""
    turns = asked[TURNS[provider]]
    if provider == "google":
        return merged([turn for turn in turns if turn["role"] == "model"][-1]["parts"])
    turn = [turn for turn in turns if turn["role"] == "assistant"][-1]
    return joined(turn["content"]) if provider == "anthropic" else turn.get("tool_calls")


def joined(blocks: list[JSON]) -> list[JSON]:
    """Return Anthropic's blocks with texts joined that only a stream had cut."""
    found: list[JSON] = []
    for block in blocks:
        if found and block.keys() == found[-1].keys() == {"type", "text"}:
            found[-1] = {**block, "text": found[-1]["text"] + block["text"]}
        else:
            found.append(block)
    return found


@crossings
@ways
async def test_thoughts_calls_and_results_come_back(
    door: str, provider: str, streams: bool
) -> None:
    asked = agents_request(door, provider)
    told = await first_answer(door, provider, asked, "agent", streams=streams)
    again = DOORS[door].results(DOORS[door].turn(asked, told), SAID)

    answer = await next_answer(door, provider, again)

    assert [] == answer.dropped
    assert "thought_signature" not in answer.adjusted and "messages" not in answer.adjusted
    assert RESULTS[provider] == answer.asked[TURNS[provider]][-len(RESULTS[provider]) :]
    came_back = last_answer(provider, answer.asked)
    if provider == "anthropic":
        assert answers.ANTHROPIC["agent"]["content"] == came_back
        assert {"type": "enabled", "budget_tokens": 1024} == answer.asked["thinking"]
    elif provider == "google":
        parts = answers.GOOGLE["agent"]["candidates"][0]["content"]["parts"]
        assert parts[1:] == came_back[1:]
        assert_has(parts[0], came_back[0])
        assert CALL_SIGNATURE == came_back[1]["thoughtSignature"]
    else:
        assert answers.OPENAI["agent"]["choices"][0]["message"]["tool_calls"] == came_back


async def test_each_event_of_a_stream_may_be_a_turn_of_its_own() -> None:
    """So does Google's SDK keep the history of a chat."""
    asked = agents_request("generate_content", "anthropic")
    told = await first_answer("generate_content", "anthropic", asked, "agent", streams=True)
    parts = told["candidates"][0]["content"]["parts"]
    turns = [{"role": "model", "parts": [part]} for part in parts]
    said = {"output": "Rain."}, {"output": "Noon."}
    results = [
        {"functionResponse": {"id": id, "name": name, "response": response}}
        for (id, name, _), response in zip(answers.CALLS, said, strict=True)
    ]
    history = [*asked["contents"], *turns, {"role": "user", "parts": results}]

    answer = await next_answer("generate_content", "anthropic", {**asked, "contents": history})

    assert answers.ANTHROPIC["agent"]["content"] == last_answer("anthropic", answer.asked)
    assert RESULTS["anthropic"] == answer.asked["messages"][-1:]


@crossings
@ways
async def test_a_signed_answer_comes_back(door: str, provider: str, streams: bool) -> None:
    asked = request(door, "thinking", MODELS[provider])
    told = await first_answer(door, provider, asked, "thinking", streams=streams)
    again = more(door, DOORS[door].turn(asked, told))

    came_back = last_answer(provider, (await next_answer(door, provider, again)).asked)

    if provider == "anthropic":
        assert answers.ANTHROPIC["thinking"]["content"] == came_back
    elif provider == "google":
        assert [{"text": TEXT, "thoughtSignature": TEXT_SIGNATURE}] == [
            part for part in came_back if not part.get("thought")
        ]


@pytest.mark.parametrize("door", ["responses", "generate_content", "chat"])
@ways
async def test_a_search_comes_back(door: str, streams: bool) -> None:
    """Anthropic wants the encrypted results of its search back, and each citation."""
    asked = request(door, "search", MODELS["anthropic"])
    told = await first_answer(door, "anthropic", asked, "search", streams=streams)
    again = more(door, DOORS[door].turn(asked, told))

    answer = await next_answer(door, "anthropic", again)

    *found, text = answers.ANTHROPIC["search"]["content"]
    if door == "generate_content":  # its parts have no place for the citations of a text
        text = {"type": "text", "text": text["text"]}
    assert [*found, text] == last_answer("anthropic", answer.asked)


@pytest.mark.parametrize("provider", ["anthropic", "google"])
@ways
async def test_signatures_survive_at_the_chat_door_whatever_the_compliance(
    provider: str, streams: bool
) -> None:
    asked = agents_request("chat", provider)
    told = await first_answer(
        "chat",
        provider,
        asked,
        "agent",
        streams=streams,
        strict=False,
    )
    again = DOORS["chat"].results(DOORS["chat"].turn(asked, told), SAID)

    strict = await next_answer("chat", provider, again)
    loose = await next_answer("chat", provider, again, strict=False)

    assert strict.sent == loose.sent
    if provider == "anthropic":
        assert answers.ANTHROPIC["agent"]["content"] == last_answer(provider, strict.asked)
    else:
        assert CALL_SIGNATURE.encode() in strict.sent[0]


@crossings
@ways
async def test_a_framework_that_forgets_thoughts_gets_no_400(
    door: str, provider: str, streams: bool
) -> None:
    """What cannot be proven to the provider is turned off, and said to be."""
    asked = agents_request(door, provider)
    told = await first_answer(door, provider, asked, "agent", streams=streams)
    forgotten = DOORS[door].forget(told)
    again = DOORS[door].results(DOORS[door].turn(asked, forgotten), SAID)

    answer = await next_answer(door, provider, again)

    assert RESULTS[provider] == answer.asked[TURNS[provider]][-len(RESULTS[provider]) :]
    if provider == "anthropic":
        assert "enabled" != answer.asked["thinking"]["type"]
        assert b"signature" not in answer.sent[0]
        assert ["reasoning_effort"] == answer.adjusted or ["thinking"] == answer.adjusted
    elif provider == "google":
        signatures = [part.get("thoughtSignature") for part in last_answer(provider, answer.asked)]
        assert [UNSIGNED, None] == [one for one in signatures if one is not None] + [None]
        assert "thought_signature" in answer.adjusted


@crossings
@ways
async def test_the_same_turn_is_the_same_bytes(door: str, provider: str, streams: bool) -> None:
    """A provider's prompt cache depends on it."""
    asked = agents_request(door, provider)
    told = await first_answer(door, provider, asked, "agent", streams=streams)
    again = DOORS[door].results(DOORS[door].turn(asked, told), SAID)

    first = await next_answer(door, provider, again)
    second = await next_answer(door, provider, again)

    assert first.sent == second.sent


def more(door: str, asked: JSON) -> JSON:
    """Add a user's turn."""
    if door == "generate_content":
        turn = {"role": "user", "parts": [{"text": "Go on."}]}
        return {**asked, "contents": [*asked["contents"], turn]}
    name = "input" if door == "responses" else "messages"
    return {**asked, name: [*asked[name], *user("Go on.")]}
