"""Answers and streams, read and written: the corners that no golden file shows."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway.codecs.base import Event
from llmgateway.codecs.messages import MESSAGES_CODEC, MESSAGES_DOOR
from llmgateway.codecs.messages.carrier import PREFIX, unpack
from llmgateway.errors import InvalidRequest
from tests.codecs.messages.grammar import gathered
from tests.codecs.messages.recordings import context

JSON = dict[str, Any]


def read(*bodies: JSON) -> list[JSON]:
    decoder = MESSAGES_CODEC.decode_stream(context("claude-sonnet-4-5"))
    raws = [orjson.dumps(body) for body in bodies]
    chunks = [chunk for raw in raws for chunk in decoder.feed(Event(b"", None, raw))]
    return chunks + decoder.close() + decoder.close()


def write(*deltas: JSON) -> JSON:
    encoder = MESSAGES_DOOR.encode_stream(context("m"))
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return gathered(b"".join(encoder.feed(one) for one in chunks) + encoder.close(), schema=False)


def test_an_answer_without_anything_is_read() -> None:
    answer = MESSAGES_CODEC.decode_response({}, context("m"))

    assert ("chatcmpl-new", "m") == (answer["id"], answer["model"])
    assert "usage" not in answer
    assert "" == answer["choices"][0]["message"]["content"]


def test_a_stream_that_never_began_owes_nothing() -> None:
    assert [] == read({"type": "ping"})


def test_a_second_message_in_one_stream_goes_on_where_the_first_ended() -> None:
    start = {"type": "message_start", "message": {"id": "a"}}
    text = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
    words = {"type": "content_block_delta", "index": 0}
    said = {"delta": {"type": "text_delta", "text": "a"}}
    chunks = read(start, text, {**words, **said}, start, text, {**words, **said})
    blocks = [
        entry
        for chunk in chunks
        for entry in chunk["choices"][0]["delta"].get("content_blocks", [])
    ]

    assert [0, 1] == [entry["index"] for entry in blocks]
    assert 1 == sum("role" in chunk["choices"][0]["delta"] for chunk in chunks)
    assert "stop" == chunks[-1]["choices"][0]["finish_reason"]


def test_pieces_that_fit_no_block_change_nothing() -> None:
    start = {"type": "message_start", "message": {"content": ["odd"]}}
    text = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
    chunks = read(
        start,
        text,
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 3}},
        {"type": "content_block_delta", "index": 0, "delta": "odd"},
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "input_json_delta", "partial_json": "x"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": None},
    )  # fmt: skip

    assert 2 == len(chunks)


def test_citations_of_kinds_unknown_make_no_annotation() -> None:
    citations = ["odd", {"type": "odd"}, {"type": ["odd"]}]
    start = {"type": "message_start"}
    text = {"type": "text", "text": "a", "citations": citations}
    chunks = read(
        start,
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "content_block_stop", "index": 0},
    )

    assert citations == chunks[2]["choices"][0]["delta"]["content_blocks"][0]["citations"]
    assert "annotations" not in chunks[2]["choices"][0]["delta"]


def test_a_tools_input_that_stands_at_its_start_is_kept() -> None:
    block = {"type": "server_tool_use", "id": "a", "input": {"q": 1}}
    chunks = read(
        {"type": "message_start"},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
    )

    assert block == chunks[1]["choices"][0]["delta"]["content_blocks"][0]["value"]


def test_an_input_that_no_json_text_can_say_is_refused() -> None:
    huge = {"type": "tool_use", "id": "a", "name": "f", "input": {"n": 2**70}}

    with pytest.raises(InvalidRequest):
        MESSAGES_CODEC.decode_response({"content": [huge]}, context("m"))


# ---- written


def test_an_answer_with_nothing_in_it_is_written() -> None:
    message = MESSAGES_DOOR.encode_response({"choices": ["odd"]}, context("m"))

    assert ([], "end_turn") == (message["content"], message["stop_reason"])


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"finish_reason": "length"}, "max_tokens"),
        ({"finish_reason": "function_call"}, "tool_use"),
        ({"finish_reason": "content_filter"}, "refusal"),
        ({"finish_reason": "new"}, "end_turn"),
        ({"finish_reason": "stop", "native_finish_reason": "pause_turn"}, "pause_turn"),
        ({"finish_reason": "stop", "native_finish_reason": ["odd"]}, "end_turn"),
        ({"message": {"tool_calls": [{"function": {"name": "f"}}]}}, "tool_use"),
    ],
)
def test_why_an_answer_ended(choice: JSON, reason: str) -> None:
    message = MESSAGES_DOOR.encode_response({"choices": [choice]}, context("m"))

    assert reason == message["stop_reason"]


def test_one_of_several_stop_sequences_is_not_guessed() -> None:
    choice = {"finish_reason": "stop", "native_finish_reason": "stop_sequence"}
    ctx = context("m", door_request={"stop_sequences": ["a", "b"]})
    message = MESSAGES_DOOR.encode_response({"choices": [choice]}, ctx)

    assert ("stop_sequence", None) == (message["stop_reason"], message["stop_sequence"])


def test_annotations_that_say_nothing_make_no_citation() -> None:
    said = {"content": "a", "annotations": [{"type": "file_citation", "file_citation": {}}]}
    message = MESSAGES_DOOR.encode_response({"choices": [{"message": said}]}, context("m"))

    assert message["content"][0]["citations"] is None


def test_only_the_first_choice_is_streamed() -> None:
    encoder = MESSAGES_DOOR.encode_stream(context("m"))
    other = {"index": 1, "delta": {"content": "other"}}
    raw = encoder.feed({"choices": [other, {"delta": {"content": "one"}}]}) + encoder.close()

    assert "one" == gathered(raw, schema=False)["content"][0]["text"]


def test_a_call_whose_name_comes_late_starts_late() -> None:
    piece = {"index": 0, "id": "a", "function": {"arguments": '{"q":'}}
    message = write(
        {"tool_calls": [piece]},
        {"tool_calls": [{"index": 0, "function": {"name": "find", "arguments": "1}"}}]},
    )

    call = message["content"][0]
    assert ("a", "find", {"q": 1}) == (call["id"], call["name"], call["input"])


def test_a_refusal_after_words_is_told_at_the_end_alone() -> None:
    message = write({"content": "Su"}, {"refusal": "No."})

    assert ["Su"] == [block["text"] for block in message["content"]]
    assert "No." == message["stop_details"]["explanation"]


def test_blocks_without_a_type_are_known_by_their_members() -> None:
    entries: list[JSON] = [{"thinking": "t"}, {"text": "a"}, {"data": "d"}, {"value": {}}]
    message = write(*({"content_blocks": [{"index": n, **e}]} for n, e in enumerate(entries)))

    kinds = [block["type"] for block in message["content"]]
    assert ["thinking", "text", "redacted_thinking", "redacted_thinking"] == kinds
    assert {"block": {"type": "opaque", "value": {}}} == unpack(message["content"][3])


@pytest.mark.parametrize(
    "block",
    [
        {"type": "redacted_thinking", "data": "theirs"},
        {"type": "redacted_thinking", "data": None},
        {"type": "redacted_thinking", "data": PREFIX + "e"},
        {"type": "redacted_thinking", "data": PREFIX + "W10="},
        {"type": "thinking"},
    ],
)
def test_what_is_no_carrier_is_read_as_none(block: JSON) -> None:
    assert unpack(block) is None
