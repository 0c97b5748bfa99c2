"""Other providers' recorded answers at the Messages door: valid, whole, and equal to the stream."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import orjson
import pytest

from llmgateway.codecs.base import Codec
from llmgateway.codecs.chat import CHAT_CODEC
from llmgateway.codecs.generate_content import GENERATE_CONTENT_CODEC
from llmgateway.codecs.messages import MESSAGES_DOOR
from tests.codecs.messages.grammar import gathered
from tests.codecs.messages.recordings import CASSETTES, context, split
from tests.codecs.messages.schemas import check_answer

JSON = dict[str, Any]
CODECS: dict[str, Codec] = {
    "chat_completions": CHAT_CODEC,
    "openai_chat": CHAT_CODEC,
    "generate_content": GENERATE_CONTENT_CODEC,
    "stream_generate_content": GENERATE_CONTENT_CODEC,
}


@cache
def cases() -> tuple[JSON, ...]:
    paths = sorted(CASSETTES.glob("*/chat/*.json"))
    found = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    return tuple(
        case
        for case in found
        if case["api"] in CODECS
        and case["response"]["status"] == 200
        and case["provider"] != "cohere"
        and not isinstance(case["response"].get("body"), list)
        and not {"stream_error", "malformed"} & set(case["tags"])
    )


def params(wire: str) -> list[Any]:
    absent = pytest.mark.skip(reason=f"no recordings at {CASSETTES.name}/ beside the project")
    found = [pytest.param(one, id=one["id"]) for one in cases() if one["wire"] == wire]
    return found or [pytest.param(None, marks=absent)]


@pytest.mark.parametrize("case", params("json"))
def test_an_answer_crosses(case: JSON) -> None:
    body = case["response"]["body"]
    hub = CODECS[case["api"]].decode_response(body, context("m"))
    message = MESSAGES_DOOR.encode_response(hub, context("m"))

    check_answer(message)
    said = hub["choices"][0]["message"] if hub["choices"] else {}
    texts = [block["text"] for block in message["content"] if block["type"] == "text"]
    assert (said.get("content") or said.get("refusal") or "") == "".join(texts)
    calls = [block for block in message["content"] if block["type"] == "tool_use"]
    assert [call["id"] for call in said.get("tool_calls") or []] == [call["id"] for call in calls]
    assert ("tool_use" == message["stop_reason"]) == bool(calls)


@pytest.mark.parametrize("case", params("sse"))
def test_a_stream_crosses(case: JSON) -> None:
    answer = case["response"]
    raw = answer.get("raw")
    pieces = [raw.encode()] if raw else [frame(event) for event in answer["sse_events"]]
    codec = CODECS[case["api"]]
    decoder = codec.decode_stream(context("m"))
    chunks = [chunk for event in split(pieces) for chunk in decoder.feed(event)] + decoder.close()
    encoder = MESSAGES_DOOR.encode_stream(context("m"))
    message = gathered(b"".join(encoder.feed(chunk) for chunk in chunks) + encoder.close())

    firsts = [
        choice["delta"] for chunk in chunks for choice in chunk["choices"] if choice["index"] == 0
    ]
    texts = [block["text"] for block in message["content"] if block["type"] == "text"]
    said = "".join(delta.get("content") or "" for delta in firsts)
    refusal = "".join(delta.get("refusal") or "" for delta in firsts)
    assert (said or refusal) == "".join(texts)
    assert not refusal or refusal == message["stop_details"]["explanation"]
    ids = [call["id"] for delta in firsts for call in delta.get("tool_calls", []) if call.get("id")]
    calls = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
    assert list(dict.fromkeys(ids)) == calls


def frame(event: JSON) -> bytes:
    data = event["data"]
    return b"data: " + (data.encode() if isinstance(data, str) else orjson.dumps(data)) + b"\n\n"
