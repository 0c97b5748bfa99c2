"""The unmodified `openai` SDK reads what the chat door writes, and brings its history back."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest

from llmgateway.codecs.chat import CHAT_DOOR
from llmgateway.codecs.hub import Block
from llmgateway.types.http import Headers
from tests.codecs.crossing import JSON, context, written

BLOCKS: list[Block] = [
    {"type": "thinking", "thinking": "Let me see…", "signature": "c2ln/+=="},
    {"type": "text", "text": "It is "},
    {"type": "redacted_thinking", "data": "b3BhcXVl"},
    {"type": "text", "text": "sunny. ☀️", "signature": "dHh0", "citations": [{"url": "u"}]},
    {"type": "opaque", "wire": "messages", "value": {"type": "server_tool_use", "id": "s1"}},
    {"type": "text", "text": "", "signature": "ZW1wdHk="},
]
CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'},
     "extra_content": {"thought_signature": "Y2FsbA=="}},
    {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
]  # fmt: skip


def client_of(body: bytes, kind: str) -> openai.OpenAI:
    """Return the SDK in front of a server that always gives one answer."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": kind}, content=body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=http)


def chunk(delta: JSON, finish: str | None = None) -> JSON:
    """Return a hub chunk."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def hub_stream() -> list[JSON]:
    """Return the blocks and calls as a codec streams them: texts in pieces, signatures last."""
    chunks = [chunk({"role": "assistant"})]
    for index, block in enumerate(BLOCKS):
        whole = {key: value for key, value in block.items() if key not in _PIECED}
        chunks.append(chunk({"content_blocks": [{"index": index, **whole}]}))
        for member in [member for member in _PIECED if member in block]:
            for piece in _pieces(block[member]):
                delta: JSON = {"content_blocks": [{"index": index, member: piece}]}
                if member in _PLAIN:
                    delta[_PLAIN[member]] = piece
                chunks.append(chunk(delta))
    for index, call in enumerate(CALLS):
        function: Any = call["function"]
        start = {**call, "index": index, "function": {**function, "arguments": ""}}
        chunks.append(chunk({"tool_calls": [start]}))
        for piece in _pieces(function["arguments"]):
            rest = {"index": index, "function": {"arguments": piece}}
            chunks.append(chunk({"tool_calls": [rest]}))
    usage = {"input": 3, "output": 4, "reasoning": 5}
    return [*chunks, chunk({}, "tool_calls"), {"choices": [], "usage": usage}]


_PIECED = ("text", "thinking", "data", "signature")
_PLAIN = {"text": "content", "thinking": "reasoning_content"}


def _pieces(text: str) -> list[str]:
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def hub_message() -> JSON:
    """Return the same as a whole message."""
    text = "".join(block.get("text", "") for block in BLOCKS)
    return {"role": "assistant", "content": text, "content_blocks": BLOCKS, "tool_calls": CALLS}


def check_history(turn: JSON) -> None:
    """Check that a client's next request brings every block and call back."""
    body = {"messages": [{"role": "user", "content": "hi"}, turn]}
    restored = CHAT_DOOR.decode_request(body, {}, Headers()).body["messages"][1]

    assert BLOCKS == restored["content_blocks"]
    assert "It is sunny. ☀️" == restored["content"]
    assert CALLS == [
        {key: value for key, value in call.items() if key != "index"}
        for call in restored["tool_calls"]
    ]


@pytest.mark.parametrize("compliance", [True, False], ids=["strict", "loose"])
def test_a_gathered_stream_brings_every_block_back(compliance: bool) -> None:
    raw = written(CHAT_DOOR, hub_stream(), context(compliance=compliance))
    with client_of(raw, "text/event-stream") as client:
        with client.chat.completions.stream(
            model="m", messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
    message = final.choices[0].message

    assert {"content.delta", "content.done", "tool_calls.function.arguments.done"} <= kinds
    assert "It is sunny. ☀️" == message.content
    assert "tool_calls" == final.choices[0].finish_reason
    assert [("f", '{"x":1}'), ("g", "{}")] == [
        (call.function.name, call.function.arguments) for call in message.tool_calls or []
    ]
    assert 12 == (final.usage and final.usage.total_tokens)
    turn = message.to_dict()
    assert compliance == ("content_blocks" not in turn)
    for call in turn["tool_calls"]:  # type: ignore[attr-defined]  # to_dict's values are objects
        call["function"].pop("parsed_arguments", None)
    check_history(turn)


@pytest.mark.parametrize("compliance", [True, False], ids=["strict", "loose"])
def test_a_whole_answer_brings_every_block_back(compliance: bool) -> None:
    hub = {"choices": [{"index": 0, "message": hub_message(), "finish_reason": "tool_calls"}]}
    body = json.dumps(CHAT_DOOR.encode_response(hub, context(compliance=compliance))).encode()
    with client_of(body, "application/json") as client:
        answer = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}]
        )

    assert compliance == ("content_blocks" not in answer.choices[0].message.to_dict())
    check_history(answer.choices[0].message.to_dict())


def test_structured_output_is_parsed() -> None:
    chunks = [chunk({"content": '{"a":'}), chunk({"content": "1}"}), chunk({}, "stop")]
    raw = written(CHAT_DOOR, chunks, context())
    schema: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}
    with client_of(raw, "text/event-stream") as client:
        with client.chat.completions.stream(
            model="m", messages=[], response_format=schema
        ) as stream:
            final = stream.get_final_completion()

    assert '{"a":1}' == final.choices[0].message.content
