"""What the Responses door refuses, and the corners that golden files do not reach."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.responses import RESPONSES, RESPONSES_DOOR
from llmgateway.codecs.responses.sealed import pack
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.crossing import JSON, context, written
from tests.codecs.grammar import check_responses


def decoded(**body: Any) -> JSON:
    """Return a request as the hub gets it."""
    read: JSON = RESPONSES_DOOR.decode_request({"input": "hi", **body}, {}, Headers()).body
    return read


def item(**members: Any) -> JSON:
    """Return the input of one item."""
    return {"input": [members]}


def content(**part: Any) -> JSON:
    """Return the input of one message of one part."""
    return item(role="user", content=[part])


def test_the_door_is_of_the_format_and_the_hub() -> None:
    assert (RESPONSES, "chat") == (RESPONSES_DOOR.format, RESPONSES_DOOR.hub)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"instructions": []}, "instructions"),
        ({"input": None}, "input"),
        ({"input": {}}, "input"),
        ({"input": ["?"]}, "input[0]"),
        ({"input": [{}]}, "input[0].type"),
        ({"input": [{"type": []}]}, "input[0].type"),
        (item(type="item_reference", id="msg_1"), "input[0]"),
        (item(role="tool", content="x"), "input[0].role"),
        (item(role="user"), "input[0].content"),
        (item(role="assistant", content=1), "input[0].content"),
        (item(role="user", content=["?"]), "input[0].content[0]"),
        (item(role="user", content=[{"type": 1}]), "input[0].content[0]"),
        (content(type="input_text"), "input[0].content[0].text"),
        (content(type="refusal"), "input[0].content[0].refusal"),
        (content(type="input_image"), "input[0].content[0]"),
        (content(type="input_file", filename="a"), "input[0].content[0]"),
        (content(type="input_audio"), "input[0].content[0].input_audio"),
        (item(type="function_call", name="f"), "input[0].call_id"),
        (item(type="function_call", call_id="c", name=""), "input[0].name"),
        (item(type="function_call", call_id="c", name="f", arguments={}), "input[0].arguments"),
        (item(type="custom_tool_call", call_id="c", name="f"), "input[0].input"),
        (item(type="function_call_output", output="x"), "input[0].call_id"),
        (item(type="function_call_output", call_id="c"), "input[0].output"),
        ({"tools": {}}, "tools"),
        ({"tools": ["?"]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name"),
        ({"tools": [{"type": "mcp"}], "tool_choice": 1}, "tool_choice"),
        ({"text": "?"}, "text"),
        ({"text": {"format": "?"}}, "text.format"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"reasoning": "?"}, "reasoning"),
        ({"include": "?"}, "include"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(body: JSON, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(**body)

    assert param == caught.value.param
    assert f"`{param}`" in caught.value.message


def test_what_needs_a_store_says_what_to_do_instead() -> None:
    with pytest.raises(InvalidRequest, match="send the earlier items in `input` instead"):
        decoded(previous_response_id="resp_1")


def test_a_text_that_is_marked_without_words_is_a_block_of_its_own() -> None:
    packed = pack({"texts": [{"type": "text", "at": 0, "length": 0, "signature": "s"}]})
    read = decoded(**item(type="reasoning", summary=[], encrypted_content=packed))

    assert [{"type": "text", "text": "", "signature": "s"}] == read["messages"][0]["content_blocks"]


@pytest.mark.parametrize(
    "packed",
    [{"texts": [1]}, {"call": "c", "extra_content": 1}, {"call": "c"}, {"block": 1}, {"x": 1}],
)
def test_what_was_tampered_with_says_nothing(packed: JSON) -> None:
    sealed = {"type": "reasoning", "summary": "?", "encrypted_content": pack(packed)}
    read = decoded(input=[sealed, {"role": "user", "content": "hi"}])

    assert [{"role": "user", "content": "hi"}] == read["messages"]


def test_what_belongs_to_a_call_may_follow_it() -> None:
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    late = {
        "type": "reasoning",
        "summary": [],
        "encrypted_content": pack({"call": "c", "extra_content": {"thought_signature": "t"}}),
    }
    other = {"type": "function_call", "call_id": "d", "name": "f", "arguments": "{}"}
    calls = decoded(input=[other, call, late])["messages"][0]["tool_calls"]

    assert [None, {"thought_signature": "t"}] == [c.get("extra_content") for c in calls]


def test_a_citation_without_a_text_is_left_out() -> None:
    note = {"type": "url_citation", "url_citation": {"url": "https://x/"}}
    refusing = {"refusal": "No"}
    chunks = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in ({"annotations": [note]}, refusing, {"annotations": [note, "?", {}]})
    ]
    response = check_responses(written(RESPONSES_DOOR, chunks, context()))

    assert [{"type": "refusal", "refusal": "No"}] == response["output"][0]["content"]


def test_an_answer_without_choices_is_an_empty_response() -> None:
    response = RESPONSES_DOOR.encode_response({"choices": []}, context())

    assert ("completed", []) == (response["status"], response["output"])


def test_the_tier_of_the_answer_wins() -> None:
    asked = context(door_request={"service_tier": "auto", "tools": "?", "text": "?"})
    tiers = [
        RESPONSES_DOOR.encode_response({"service_tier": tier}, asked)["service_tier"]
        for tier in ("flex", "on_demand", None)
    ]

    assert ["flex", "default", "auto"] == tiers
