"""Messages of the hub as the provider takes them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway.codecs.generate_content.turns import UNSIGNED
from llmgateway.errors import InvalidRequest
from llmgateway.types.capabilities import Capabilities
from tests.codecs.generate_content.models import SECOND, THIRD
from tests.codecs.generate_content.requests import (
    HI,
    PIXEL,
    TOOL,
    call,
    contents,
    encode,
    signed,
)

# ---- messages


def test_all_instructions_are_kept_in_order() -> None:
    body = encode(
        messages=[
            {"role": "system", "content": "one"},
            {"role": "developer", "content": [{"type": "text", "text": "two"}, "three"]},
            *HI,
            {"role": "system", "content": "four"},
        ]
    ).body
    texts = [part["text"] for part in body["systemInstruction"]["parts"]]

    assert ["one", "two", "three", "four"] == texts
    assert [{"role": "user", "parts": [{"text": "hi"}]}] == body["contents"]


def test_instructions_alone_become_the_turn() -> None:
    encoded = encode(messages=[{"role": "system", "content": "say hi"}])

    assert [{"role": "user", "parts": [{"text": "say hi"}]}] == encoded.body["contents"]
    assert "systemInstruction" not in encoded.body
    assert ("messages",) == encoded.adjusted


def test_turns_of_one_role_become_one() -> None:
    assert [
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
    ] == contents(
        {"role": "user", "content": "a"},
        {"role": "user", "content": ["b", ""]},
        {"role": "assistant", "content": "c"},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": [{"type": "text", "text": "d"}]},
    )


def test_a_refusal_is_what_the_model_said() -> None:
    assert {"role": "model", "parts": [{"text": "no"}]} == contents(
        *HI, {"role": "assistant", "content": None, "refusal": "no"}
    )[1]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param(
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
            id="data-url",
        ),
        pytest.param(
            {"type": "image_url", "image_url": f"data:;base64,{PIXEL}"},
            {"inlineData": {"mimeType": "image/jpeg", "data": PIXEL}},
            id="data-url-without-type",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "https://a.example/b.webp?c=1"}},
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://a.example/b.webp?c=1"}},
            id="http-url",
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "gs://bucket/b", "mime_type": "image/gif"}},
            {"fileData": {"mimeType": "image/gif", "fileUri": "gs://bucket/b"}},
            id="gs-url",
        ),
        pytest.param(
            {"type": "video_url", "video_url": {"url": "https://youtu.be/abc"}},
            {"fileData": {"fileUri": "https://youtu.be/abc"}},
            id="video-page",
        ),
        pytest.param(
            {"type": "video_url", "video_url": {"url": "https://a.example/film"}},
            {"fileData": {"mimeType": "video/mp4", "fileUri": "https://a.example/film"}},
            id="video",
        ),
        pytest.param(
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            {"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}},
            id="sound",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
            id="pdf",
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "AAAA", "filename": "a.csv"}},
            {"inlineData": {"mimeType": "text/csv", "data": "AAAA"}},
            id="bare-base64-by-name",
        ),
        pytest.param(
            {"type": "file", "file_data": "AAAA", "filename": "noending"},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
            id="flat",
        ),
        pytest.param(
            {"type": "file", "file": {"file_url": "https://a.example/x.pdf"}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "https://a.example/x.pdf"}},
            id="file-url",
        ),
        pytest.param(
            {"type": "file", "file": {"file_id": "files/abc", "mime_type": "video/mp4"}},
            {
                "fileData": {
                    "mimeType": "video/mp4",
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
                }
            },
            id="uploaded",
        ),
        pytest.param(
            {"type": "file", "file": {"file_id": "gs://bucket/abc"}},
            {"fileData": {"fileUri": "gs://bucket/abc"}},
            id="address-as-id",
        ),
    ],
)
def test_media(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert [{"role": "user", "parts": [expected]}] == contents({"role": "user", "content": [part]})


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": ""}},
        {"type": "image_url", "image_url": {"url": "data:text/plain,hi"}},
        {"type": "image_url", "image_url": {"url": "https://[bad"}},
        {"type": "input_audio", "input_audio": {}},
        {"type": "file", "file": {}},
        {"type": "file", "file": {"file_id": "file-of-another-maker"}},
    ],
)
def test_a_part_that_says_too_little_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        encode(messages=[{"role": "user", "content": [part]}])

    assert "messages" == refusal.value.param


def test_an_unknown_part_is_dropped_and_named() -> None:
    messages = [{"role": "user", "content": ["hi", {"type": "hologram"}, 5]}]

    assert ("messages.content",) == encode(messages=messages).dropped


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("hi", "messages"),
        (["hi"], "messages[0].role"),
        ([*HI, {"role": "wizard", "content": "x"}], "messages[1].role"),
        ([{"role": ["user"], "content": "x"}], "messages[0].role"),
    ],
)
def test_what_is_no_list_of_messages_is_refused(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        encode(messages=messages)

    assert param == refusal.value.param


# ---- calls and results


def test_results_stand_in_the_order_of_their_calls() -> None:
    turns = contents(
        *HI,
        {"role": "assistant", "content": "wait", "tool_calls": [signed("a"), call("b", "find")]},
        {"role": "tool", "tool_call_id": "b", "content": "B", "is_error": True},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "A"}]},
        {"role": "user", "content": "go on"},
    )

    assert [
        {"text": "wait"},
        {
            "functionCall": {"id": "a", "name": "look", "args": {"at": "x"}},
            "thoughtSignature": "c2ln",
        },
        {"functionCall": {"id": "b", "name": "find", "args": {"at": "x"}}},
    ] == turns[1]["parts"]
    assert [
        {"functionResponse": {"id": "a", "name": "look", "response": {"output": "A"}}},
        {"functionResponse": {"id": "b", "name": "find", "response": {"error": "B"}}},
        {"text": "go on"},
    ] == turns[2]["parts"]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"tool_call_id": "lost", "name": "look"}, "look"),
        ({"tool_call_id": "lost"}, "lost"),
        ({}, "tool"),
    ],
)
def test_a_result_without_its_call_has_a_name_all_the_same(message: Any, name: str) -> None:
    turn = contents(*HI, {"role": "function", "content": "x", **message})[0]

    assert name == turn["parts"][1]["functionResponse"]["name"]


@pytest.mark.parametrize(("caps", "inside"), [(THIRD, True), (SECOND, False)])
def test_a_picture_in_a_result(caps: Capabilities, inside: bool) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    expected = {"inlineData": {"mimeType": "image/png", "data": PIXEL}}
    parts = contents(
        *HI,
        {"role": "assistant", "tool_calls": [signed("a"), call("b")]},
        {"role": "tool", "tool_call_id": "a", "content": ["see", picture]},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
        caps=caps,
    )[2]["parts"]

    assert "see" == parts[0]["functionResponse"]["response"]["output"]
    assert ([expected] if inside else None) == parts[0]["functionResponse"].get("parts")
    assert ([] if inside else [expected]) == parts[2:]


@pytest.mark.parametrize(
    ("arguments", "args"),
    [("", {}), (None, {}), ("null", {}), ('{"a":1}', {"a": 1}), ({"a": 1}, {"a": 1})],
)
def test_arguments(arguments: Any, args: Any) -> None:
    broken = {"id": "a", "function": {"name": "look", "arguments": arguments}}
    encoded = encode(SECOND, messages=[*HI, {"role": "assistant", "tool_calls": [broken]}])

    assert args == encoded.body["contents"][1]["parts"][0]["functionCall"]["args"]
    assert () == encoded.adjusted


@pytest.mark.parametrize("arguments", ["{broken", "[1]", "5"])
def test_arguments_that_are_no_object_are_kept_and_named(arguments: str) -> None:
    broken = {"id": "a", "function": {"name": "look", "arguments": arguments}}
    encoded = encode(SECOND, messages=[*HI, {"role": "assistant", "tool_calls": [broken]}])

    args = encoded.body["contents"][1]["parts"][0]["functionCall"]["args"]
    assert {"arguments": arguments} == args
    assert ("messages.tool_calls",) == encoded.adjusted


# ---- signatures


@pytest.mark.parametrize(
    "members",
    [
        {"extra_content": {"thought_signature": "c2ln"}},
        {"extra_content": {"some-vendor": {"thought_signature": "c2ln"}}},
        {"function": {"name": "look", "arguments": "{}", "thought_signature": "c2ln"}},
    ],
    ids=["ours", "nested", "in-the-function"],
)
def test_a_signature_is_found_wherever_a_client_keeps_it(members: Any) -> None:
    encoded = encode(messages=[*HI, {"role": "assistant", "tool_calls": [call("a", **members)]}])

    assert "c2ln" == encoded.body["contents"][1]["parts"][0]["thoughtSignature"]
    assert () == encoded.adjusted


def test_a_lost_signature_is_replaced_and_named() -> None:
    """The model would answer 400; only the first call of a step needs one."""
    turn = {"role": "assistant", "tool_calls": [call("a"), call("b")]}
    encoded = encode(messages=[*HI, turn])
    parts = encoded.body["contents"][1]["parts"]

    assert [UNSIGNED, None] == [part.get("thoughtSignature") for part in parts]
    assert ("thought_signature",) == encoded.adjusted


def test_a_model_that_demands_no_signature_gets_none() -> None:
    encoded = encode(SECOND, messages=[*HI, {"role": "assistant", "tool_calls": [call("a")]}])

    assert "thoughtSignature" not in encoded.body["contents"][1]["parts"][0]
    assert () == encoded.adjusted


def test_blocks_go_back_in_order_with_calls_at_their_places() -> None:
    native = {"executableCode": {"code": "1", "language": "PYTHON"}}
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "thinking", "thinking": "so", "signature": "dA==", "wire": "generate_content"},
        {"type": "text", "text": "a", "signature": "dGV4dA=="},
        {"type": "opaque", "wire": "generate_content", "value": native},
        {"type": "text", "text": "b"},
        {"type": "text", "text": ""},
    ]
    calls = [signed("1", blocks_before=1), signed("2", blocks_before=3), signed("3")]
    turn = {"role": "assistant", "content_blocks": blocks, "tool_calls": calls}
    parts = encode(messages=[*HI, turn]).body["contents"][1]["parts"]

    assert [
        {"text": "hm", "thought": True},
        {"text": "so", "thought": True, "thoughtSignature": "dA=="},
        "1",
        {"text": "a", "thoughtSignature": "dGV4dA=="},
        native,
        "2",
        {"text": "b"},
        "3",
    ] == [part["functionCall"]["id"] if "functionCall" in part else part for part in parts]


def test_blocks_of_other_makers_stay_behind_but_not_their_texts() -> None:
    blocks = [
        {"type": "redacted_thinking", "data": "x"},
        {"type": "opaque", "wire": "messages", "value": {}},
        {"type": "thinking", "thinking": "t", "signature": "s", "wire": "messages"},
        {"type": "text", "text": "a", "signature": "s", "wire": "responses"},
    ]

    assert [{"text": "a"}] == contents(
        *HI, {"role": "assistant", "content": "a", "content_blocks": blocks}
    )[1]["parts"]


# ---- bytes


def test_the_same_request_gives_the_same_bytes() -> None:
    body: dict[str, Any] = {
        "tools": [TOOL],
        "temperature": 0.1,
        "messages": [*HI, {"role": "assistant", "tool_calls": [call("a")]}],
    }
    first, second = (orjson.dumps(encode(**body).body) for _ in range(2))

    assert first == second


def test_a_longer_history_begins_with_the_same_bytes() -> None:
    """So the provider's cache of prefixes keeps working."""
    turns: list[Any] = [
        *HI,
        {"role": "assistant", "tool_calls": [call("a")]},
        {"role": "tool", "tool_call_id": "a", "content": "A"},
        {"role": "assistant", "content": "done"},
    ]
    short = orjson.dumps(encode(messages=turns).body["contents"])
    long = orjson.dumps(encode(messages=[*turns, *HI]).body["contents"])

    assert long.startswith(short[:-1])


def test_a_thought_that_another_format_signed_stays_behind() -> None:
    thought = {"type": "thinking", "thinking": "so", "signature": "Claude's"}
    turn = {"role": "assistant", "content_blocks": [thought, {"type": "text", "text": "a"}]}

    parts = encode(messages=[*HI, turn]).body["contents"][1]["parts"]

    assert [{"text": "a"}] == parts
