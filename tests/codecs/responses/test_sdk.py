"""The unmodified `openai` SDK reads what the Responses door writes, and brings its items back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgateway.codecs.responses import RESPONSES_DOOR
from llmgateway.codecs.responses.sealed import unpack
from llmgateway.types.http import Headers
from tests.codecs.chat.test_sdk import BLOCKS, CALLS, chunk, client_of, hub_message, hub_stream
from tests.codecs.crossing import JSON, context, written
from tests.codecs.grammar import check_responses


def check_history(output: list[JSON]) -> None:
    """Check that the items, sent back as they came, are the turn that they were made of."""
    body = {"input": [{"role": "user", "content": "hi"}, *json.loads(json.dumps(output))]}
    turn = RESPONSES_DOOR.decode_request(body, {}, Headers()).body["messages"][1]

    assert BLOCKS == turn["content_blocks"]
    assert CALLS == turn["tool_calls"]
    assert "It is sunny. ☀️" == turn["content"]


def test_a_streamed_response_brings_every_block_back() -> None:
    raw = written(RESPONSES_DOOR, hub_stream(), context())
    check_responses(raw)
    with client_of(raw, "text/event-stream") as client:
        with client.responses.stream(model="m", input="hi") as stream:
            deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
            final = stream.get_final_response()

    assert "It is sunny. ☀️" == "".join(deltas) == final.output_text
    assert ["call_a", "call_b"] == [
        item.call_id for item in final.output if item.type == "function_call"
    ]
    assert "completed" == final.status
    assert 12 == (final.usage and final.usage.total_tokens)
    output = [item.to_dict(exclude_unset=True) for item in final.output]
    check_history([_unparsed(item) for item in output])


def test_a_whole_response_brings_every_block_back() -> None:
    hub = {"choices": [{"index": 0, "message": hub_message(), "finish_reason": "tool_calls"}]}
    body = json.dumps(RESPONSES_DOOR.encode_response(hub, context())).encode()
    with client_of(body, "application/json") as client:
        answer = client.responses.create(model="m", input="hi")

    check_history([item.to_dict() for item in answer.output])


def test_a_stream_and_a_whole_answer_have_the_same_items() -> None:
    hub = {"choices": [{"index": 0, "message": hub_message(), "finish_reason": "tool_calls"}]}
    streamed = check_responses(written(RESPONSES_DOOR, hub_stream(), context()))
    whole = RESPONSES_DOOR.encode_response(hub, context())

    assert [_without_id(item) for item in whole["output"]] == [
        _without_id(item) for item in streamed["output"]
    ]


@pytest.mark.parametrize(
    ("finish", "kind"), [("length", "response.incomplete"), ("stop", "response.completed")]
)
def test_the_last_event_tells_how_it_ended(finish: str, kind: str) -> None:
    raw = written(RESPONSES_DOOR, [chunk({"content": "Yes"}), chunk({}, finish)], context())
    with client_of(raw, "text/event-stream") as client:
        events = list(client.responses.create(model="m", input="hi", stream=True))

    assert kind == events[-1].type


def _without_id(item: JSON) -> JSON:
    """Return what an item says; the order of packed members tells nothing."""
    said = {key: value for key, value in item.items() if key != "id"}
    return {**said, "encrypted_content": unpack(item.get("encrypted_content"))}


def _unparsed(item: Any) -> JSON:
    """Take away what the SDK's stream helper adds to items."""
    item.pop("parsed_arguments", None)
    for part in item.get("content") or ():
        part.pop("parsed", None)
    return dict(item)
