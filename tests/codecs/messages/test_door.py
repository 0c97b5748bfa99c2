"""Requests at the door: what is refused, and the corners that no golden file shows."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.base import Decoded
from llmgateway.codecs.messages import (
    COUNT_TOKENS_CODEC,
    COUNT_TOKENS_DOOR,
    MESSAGES_DOOR,
    estimate,
)
from llmgateway.codecs.messages.carrier import pack
from llmgateway.errors import EndpointNotSupported, InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.messages.recordings import context

JSON = dict[str, Any]
USER = {"role": "user", "content": "Go."}


def decode(body: JSON) -> Decoded:
    return MESSAGES_DOOR.decode_request({"messages": [USER], **body}, {}, Headers())


def turn(role: str, *content: Any) -> JSON:
    return {"messages": [{"role": role, "content": list(content)}]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": [3]}, "messages"),
        ({"messages": [{"role": "tool", "content": ""}]}, "messages"),
        ({"messages": [{"role": ["user"], "content": ""}]}, "messages"),
        ({"messages": [{"role": "user", "content": None}]}, "messages"),
        (turn("user", 3), "messages"),
        (turn("user", {"type": "image"}), "messages"),
        (turn("user", {"type": "image", "source": {"type": "base64"}}), "messages"),
        (turn("user", {"type": "tool_result"}), "messages"),
        (turn("user", {"type": "tool_result", "tool_use_id": "a", "content": 3}), "messages"),
        (turn("assistant", {"type": "tool_use", "id": "a"}), "messages"),
        ({"system": 3}, "system"),
        ({"tools": 3}, "tools"),
        ({"tools": [3]}, "tools"),
        ({"tools": [{"type": "custom"}]}, "tools"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_read_is_refused(body: JSON, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body)

    assert param == caught.value.param


@pytest.mark.parametrize("system", [None, "", []])
def test_no_system_text_is_no_message(system: Any) -> None:
    assert [USER] == decode({"system": system}).body["messages"]


def test_an_empty_turn_is_no_message() -> None:
    assert [] == decode(turn("user")).body["messages"]


def test_texts_may_stand_bare_among_blocks() -> None:
    assert [{"type": "text", "text": "a"}] == decode(turn("user", "a")).body["messages"][0][
        "content"
    ]


def test_a_document_may_hold_nothing() -> None:
    empty = {"type": "document", "source": {"type": "content", "content": []}}

    assert [] == decode(turn("user", empty)).body["messages"]


def test_a_tool_that_is_not_described_is_taken() -> None:
    read = decode({"tools": [{"name": "find", "new": None}], "mcp_servers": ["odd", {"name": 3}]})

    assert [{"type": "function", "function": {"name": "find"}}] == read.body["tools"]
    assert () == read.dropped


def test_a_servers_tools_are_all_allowed_unless_some_are_named() -> None:
    server = {"type": "url", "name": "s", "url": "https://e.org"}
    toolset = {"type": "mcp_toolset", "mcp_server_name": "s", "default_config": {"enabled": True}}
    read = decode({"tools": [toolset], "mcp_servers": [server]}).body["tools"]

    assert [
        {
            "type": "mcp",
            "options": {
                "server_label": "s",
                "server_url": "https://e.org",
                "require_approval": "never",
            },
        }
    ] == read


def test_a_choice_leaves_parallel_calls_alone_unless_it_says_so() -> None:
    read = decode({"tool_choice": {"type": "none", "disable_parallel_tool_use": False}}).body

    assert "none" == read["tool_choice"] and "parallel_tool_calls" not in read


def test_carriers_find_what_they_belong_to() -> None:
    call = {"type": "tool_use", "id": "a", "name": "find", "input": {}, "caller": {"type": "x"}}
    extra = {"thought_signature": "g"}
    read = decode(
        turn(
            "assistant",
            pack({"signature": "of nothing"}),
            pack({"call": "a", "extra": extra}),
            call,
        )
    ).body["messages"][0]

    assert {**extra, "messages": {"caller": {"type": "x"}}} == read["tool_calls"][0][
        "extra_content"
    ]
    assert "content_blocks" not in read


# ---- counts of tokens


@pytest.mark.parametrize(
    ("content", "least", "most"),
    [
        ("", 1, 5),
        ("four" * 100, 100, 110),
        (["four", 3, {"type": "text", "text": "four"}], 2, 8),
        ([{"type": "image_url", "image_url": {"url": "data:,x"}}], 1600, 1610),
        ([{"type": "file", "file": {"file_id": "f"}}], 3000, 3010),
        ([{"type": "file", "file": {"file_data": "data:image/png;base64,aa"}}], 1600, 1610),
        ([{"type": "file", "file": {"file_data": "data:text/plain;base64," + "a" * 400}}], 70, 90),
        ([{"type": "file", "file": {"file_data": "a" * 4000}}], 70, 90),
        ([{"type": "file", "file": {"file_data": "data:cut"}}], 1, 6),
        ([{"type": "opaque", "value": {}}], 5, 20),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_estimate_is_of_the_right_size(content: Any, least: int, most: int) -> None:
    assert least <= estimate({"messages": [{"role": "user", "content": content}]}) <= most


def test_an_estimate_counts_thoughts_calls_and_tools() -> None:
    words = "word" * 100
    thought = {"type": "thinking", "thinking": words}
    message = {"content": None, "content_blocks": [thought, {"type": "text"}, 3]}
    bare = estimate({"messages": ["odd", {"content": None}]})

    assert bare + 100 < estimate({"messages": [message]})
    assert bare + 100 < estimate({"messages": [{"tool_calls": [{"function": words}]}]})
    assert 450 < estimate({"tools": [{"function": words}]})
    assert 100 < estimate({"response_format": {"schema": words}})
    assert 1 == estimate({"response_format": {3: object()}})


def test_a_count_is_never_streamed() -> None:
    for start in (COUNT_TOKENS_DOOR.encode_stream, COUNT_TOKENS_CODEC.decode_stream):
        with pytest.raises(EndpointNotSupported):
            start(context("m"))


def test_a_count_that_is_missing_is_none_at_all() -> None:
    assert {"input_tokens": 0} == COUNT_TOKENS_DOOR.encode_response({}, context("m"))
