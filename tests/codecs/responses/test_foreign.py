"""Recordings of Anthropic's and Gemini's formats out at the chat and Responses doors, and back."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from openai.lib.streaming._deltas import accumulate_delta

from llmgateway.codecs.base import Codec, Door
from llmgateway.codecs.chat import CHAT_DOOR
from llmgateway.codecs.generate_content import GENERATE_CONTENT_CODEC
from llmgateway.codecs.hub import Block, merge_blocks
from llmgateway.codecs.messages import MESSAGES_CODEC
from llmgateway.codecs.responses import RESPONSES_DOOR
from llmgateway.types.http import Headers
from tests.codecs.cassettes import CASSETTES
from tests.codecs.chat.test_round_trip import gathered
from tests.codecs.crossing import JSON, context, hub_chunks, split, written
from tests.codecs.grammar import chat_chunks, check_chat, check_responses, sse
from tests.codecs.schemas import check

CODECS: dict[str, Codec] = {"messages": MESSAGES_CODEC, "generate_content": GENERATE_CONTENT_CODEC}


@cache
def recorded() -> tuple[JSON, ...]:
    """Return the recordings of both formats that succeeded and were kept as they came."""
    paths = sorted(CASSETTES.glob("*/*/*.json"))
    found = (json.loads(Path(path).read_text(encoding="utf-8")) for path in paths)
    return tuple(
        case
        for case in found
        if case["api"] in CODECS
        and case["response"]["status"] < 400
        and "stream_error" not in case["tags"]
        and (
            isinstance(case["response"].get("body"), dict)
            if case["wire"] == "json"
            else case["wire"] == "sse" and case["response"].get("raw")
        )
    )


def recordings(*tags: str) -> pytest.MarkDecorator:
    """Return the recordings that have all of `tags`, as a parameter."""
    found = [
        pytest.param(case, id=case["id"]) for case in recorded() if set(tags) <= set(case["tags"])
    ]
    absent = pytest.mark.skip(reason="no recordings beside the project")
    return pytest.mark.parametrize("case", found or [pytest.param({}, marks=absent)])


def hub_stream(case: JSON) -> list[JSON]:
    """Return a recording as hub chunks; a whole answer is one of them and an end."""
    codec = CODECS[case["api"]]
    if case["wire"] == "sse":
        return hub_chunks(codec, split([case["response"]["raw"].encode()]), context())
    answer = codec.decode_response(case["response"]["body"], context())
    return [{**answer, "choices": [_as_chunk(choice) for choice in answer["choices"]]}]


def _as_chunk(choice: JSON) -> JSON:
    message = choice["message"]
    lists = {
        key: [{**entry, "index": at} for at, entry in enumerate(message.get(key) or ())]
        for key in ("content_blocks", "tool_calls")
    }
    delta = {**message, **lists}
    return {"index": choice["index"], "delta": delta, "finish_reason": choice["finish_reason"]}


def said(chunks: list[JSON]) -> tuple[str, list[str]]:
    """Return the text of hub chunks, and the names of the tools that they call."""
    deltas = [
        choice["delta"] for chunk in chunks for choice in chunk["choices"] if not choice["index"]
    ]
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    names = [call["function"]["name"] for call in calls if "name" in call.get("function", {})]
    return "".join(delta.get("content") or "" for delta in deltas), names


@recordings()
def test_the_chat_door_loses_nothing(case: JSON) -> None:
    chunks = hub_stream(case)
    raw = written(CHAT_DOOR, chunks, context())
    answer = check_chat(raw, asked=True)
    message = answer["choices"][0]["message"]
    names = [call["function"]["name"] for call in message.get("tool_calls") or ()]

    assert said(chunks) == (message.get("content") or "", names)
    for chunk in chat_chunks(raw):
        check("CreateChatCompletionStreamResponse", chunk)


@recordings()
def test_the_responses_door_loses_nothing(case: JSON) -> None:
    chunks = hub_stream(case)
    raw = written(RESPONSES_DOOR, chunks, context())
    output = check_responses(raw)["output"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    text = "".join(part.get("text", "") for part in parts)
    names = [item["name"] for item in output if item["type"] == "function_call"]

    assert said(chunks) == (text, names)
    seen: dict[str | None, int] = {}
    for name, data in sse(raw):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] < 3:
            check("ResponseStreamEvent", json.loads(data))


def by_chat(chunks: list[JSON], compliance: bool) -> JSON:
    """Return a stream as a client of the chat door sends it back."""
    return gathered(written(CHAT_DOOR, chunks, context(compliance=compliance)))


WAYS = {
    "strict": (CHAT_DOOR, lambda chunks: {"messages": [by_chat(chunks, True)]}),
    "loose": (CHAT_DOOR, lambda chunks: {"messages": [by_chat(chunks, False)]}),
    "responses": (
        RESPONSES_DOOR,
        lambda chunks: {
            "input": check_responses(written(RESPONSES_DOOR, chunks, context()))["output"]
        },
    ),
}


@pytest.mark.parametrize(("door", "history"), WAYS.values(), ids=WAYS)
@recordings("thinking_signature")
def test_signatures_come_back_to_their_provider(case: JSON, door: Door, history: Any) -> None:
    """What a provider signed is in the next request, byte for byte and in order."""
    chunks = hub_stream(case)
    codec = CODECS[case["api"]]
    body = json.loads(json.dumps(history(chunks)))
    read = door.decode_request(body, {}, Headers()).body
    question = {"role": "user", "content": "hi"}
    direct = codec.encode_request({"messages": [question, _turn(chunks)]}, context())
    travelled = codec.encode_request({**read, "messages": [question, *read["messages"]]}, context())

    places = ("messages", "contents")
    assert [direct.body.get(at) for at in places] == [travelled.body.get(at) for at in places]
    assert signed(direct.body) != []


def _turn(chunks: list[JSON]) -> JSON:
    """Return the hub's own turn, which went through no door."""
    blocks: dict[int, Block] = {}
    calls: dict[object, object] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            merge_blocks(blocks, choice["delta"].get("content_blocks"))
            accumulate_delta(calls, {"tool_calls": choice["delta"].get("tool_calls") or []})
    turn: JSON = {
        "role": "assistant",
        "content_blocks": [blocks[at] for at in sorted(blocks)],
        "tool_calls": calls["tool_calls"],
    }
    return {key: value for key, value in turn.items() if value}


def signed(value: Any) -> list[str]:
    """Return every signature in a request, in order."""
    if isinstance(value, list):
        return [found for entry in value for found in signed(entry)]
    if not isinstance(value, dict):
        return []
    own = [str(value[key]) for key in _SIGNATURES if value.get(key)]
    return own + [found for entry in value.values() for found in signed(entry)]


_SIGNATURES = ("signature", "thoughtSignature", "data", "encrypted_content", "encrypted_index")
