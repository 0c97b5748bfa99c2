"""Requests of callers at the door in the hub's form."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.base import Decoded
from llmgateway.codecs.generate_content import (
    GENERATE_CONTENT,
    GENERATE_CONTENT_DOOR,
)
from llmgateway.codecs.generate_content.carried import signature_for
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers

HI = {"role": "user", "parts": [{"text": "hi"}]}


def decode(operation: str = "generateContent", **body: Any) -> Decoded:
    """Read a request."""
    params = {"model": "models/gpt-x", "operation": operation}
    return GENERATE_CONTENT_DOOR.decode_request({"contents": [HI], **body}, params, Headers())


def messages(*contents: Any, **body: Any) -> list[Any]:
    """Return the messages of some contents."""
    found: list[Any] = decode(contents=list(contents), **body).body["messages"]
    return found


# ---- requests


def test_the_door_serves_chat_in_its_format() -> None:
    assert ("chat", GENERATE_CONTENT) == (GENERATE_CONTENT_DOOR.hub, GENERATE_CONTENT_DOOR.format)


def test_the_least_request() -> None:
    decoded = decode()

    assert {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]} == decoded.body
    assert (False, ()) == (decoded.stream, decoded.dropped)


def test_a_stream_asks_for_usage() -> None:
    decoded = decode("streamGenerateContent")

    assert decoded.stream
    assert {"include_usage": True} == decoded.body["stream_options"]


@pytest.mark.parametrize("contents", [None, [], 5, [5]])
def test_what_is_no_list_of_turns_is_refused(contents: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode(contents=contents)

    assert "contents" == refusal.value.param


@pytest.mark.parametrize(
    "contents",
    ["hi", ["hi"], [{"parts": [{"text": "hi"}]}], {"parts": {"text": "hi"}}, [{"parts": "hi"}]],
)
def test_shorter_spellings_of_a_turn(contents: Any) -> None:
    assert [{"role": "user", "content": "hi"}] == decode(contents=contents).body["messages"]


@pytest.mark.parametrize(
    ("instruction", "content"),
    [
        ("be kind", "be kind"),
        ({"parts": [{"text": "be kind"}]}, "be kind"),
        ({"parts": {"text": "be kind"}}, "be kind"),
        (
            {"parts": [{"text": "a"}, {"text": "b"}]},
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        ),
    ],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_system_instructions(name: str, instruction: Any, content: Any) -> None:
    assert {"role": "system", "content": content} == decode(**{name: instruction}).body["messages"][
        0
    ]


def test_an_instruction_among_the_turns() -> None:
    turn = {"role": "system", "parts": [{"text": "be kind"}]}

    assert {"role": "system", "content": "be kind"} == messages(HI, turn)[1]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"inlineData": {"mimeType": "image/png", "data": "AA-_"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA+/"}},
        ),
        (
            {"inline_data": {"mime_type": "audio/mpeg", "data": "AAAA"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        ),
        (
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA", "displayName": "a"}},
            {
                "type": "file",
                "file": {
                    "file_data": "data:application/pdf;base64,AAAA",
                    "mime_type": "application/pdf",
                    "filename": "a",
                },
            },
        ),
        (
            {"fileData": {"mimeType": "image/png", "fileUri": "https://a.example/b"}},
            {"type": "image_url", "image_url": {"url": "https://a.example/b"}},
        ),
        (
            {"file_data": {"mime_type": "video/mp4", "file_uri": "gs://a/b"}},
            {"type": "file", "file": {"file_url": "gs://a/b", "mime_type": "video/mp4"}},
        ),
    ],
)
def test_media(part: Any, expected: Any) -> None:
    assert [{"role": "user", "content": [expected]}] == messages({"parts": [part]})


def test_what_the_hub_cannot_say_is_named() -> None:
    decoded = decode(
        contents=[
            {"parts": [{"hologram": {}}, {"text": "x"}, {}]},
            {"parts": [{"fileData": {"fileUri": "a"}, "videoMetadata": {"fps": 1}}]},
        ],
        labels={"a": "b"},
        generationConfig={
            "speechConfig": {"x": 1},
            "imageConfig": {"aspectRatio": "1:1"},
            "mediaResolution": "LOW",
            "topK": None,
        },
        safetySettings=[{"category": "X"}],
        cached_content="c",
    )

    assert {
        "contents.parts", "contents.parts.videoMetadata", "labels",
        "generationConfig.speechConfig", "generationConfig.mediaResolution",
        "generationConfig.imageConfig", "safetySettings", "cached_content",
    } == set(decoded.dropped)  # fmt: skip


def test_calls_and_results_find_each_other() -> None:
    """By id; without one by name, in order."""
    found = messages(
        HI,
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "a", "args": {"n": 1}}, "thoughtSignature": "cw=="},
                {"functionCall": {"name": "a", "args": {}}},
                {"function_call": {"name": "b", "id": "own"}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "a", "response": {"output": "1"}}},
                {"functionResponse": {"name": "b", "id": "own", "response": {"error": "no"}}},
                {"functionResponse": {"name": "a", "response": {"x": [1]}}},
                {"functionResponse": {"name": "c"}},
                {"text": "so?"},
            ],
        },
    )

    assert ["call_1", "call_2", "own"] == [call["id"] for call in found[1]["tool_calls"]]
    assert {"thought_signature": "cw=="} == found[1]["tool_calls"][0]["extra_content"]
    assert [
        ("call_1", "1", None),
        ("own", "no", True),
        ("call_2", '{"x":[1]}', None),
        ("call_3", "{}", None),
    ] == [(m["tool_call_id"], m["content"], m.get("is_error")) for m in found[2:6]]
    assert [None, None, None, "c"] == [message.get("name") for message in found[2:6]]
    assert {"role": "user", "content": "so?"} == found[6]


@pytest.mark.parametrize("signature", ["é", "a", "AAAA", "=="])
def test_a_signature_that_is_none_of_ours_stays_as_it_is(signature: str) -> None:
    thought = {"text": "x", "thought": True, "thoughtSignature": signature}
    call = {"functionCall": {"name": "a"}, "thoughtSignature": signature}
    turn = messages(HI, {"role": "model", "parts": [thought, call]})[1]

    assert signature == turn["content_blocks"][0]["signature"]
    assert signature == turn["tool_calls"][0]["extra_content"]["thought_signature"]


def test_log_probabilities_alone_are_one_for_each_token() -> None:
    assert "top_logprobs" not in decode(generationConfig={"responseLogprobs": True}).body


def test_a_picture_in_a_result() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    response = {"name": "a", "id": "1", "response": {"result": "see"}, "parts": [picture]}
    content = messages(HI, {"parts": [{"functionResponse": response}]})[1]["content"]

    assert ["text", "image_url"] == [part["type"] for part in content]


def test_a_models_turn_with_nothing_in_it_is_left_out() -> None:
    assert 1 == len(messages(HI, {"role": "model", "parts": [{}]}))


def test_a_streamed_thought_is_one_with_its_signature() -> None:
    """Each event of a stream may be a part of its own, or a turn of its own."""
    signed = signature_for("of another maker", is_own=False)
    pieces = [{"text": "Let me", "thought": True}, {"text": " see", "thought": True}]
    parts = [*pieces, {"text": "", "thought": True, "thoughtSignature": signed}]

    one_turn = messages(HI, {"role": "model", "parts": parts})
    many_turns = messages(HI, *({"role": "model", "parts": [part]} for part in parts))

    thought = {"type": "thinking", "thinking": "Let me see", "signature": "of another maker"}
    assert [thought] == one_turn[1]["content_blocks"]
    assert one_turn == many_turns


@pytest.mark.parametrize(
    ("declaration", "parameters"),
    [
        ({"parametersJsonSchema": {"type": "object"}}, {"type": "object"}),
        ({"parameters_json_schema": {"type": "object"}}, {"type": "object"}),
        (
            {"parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
            {"type": "object", "properties": {"a": {"type": "string"}}},
        ),
        ({}, None),
    ],
)
@pytest.mark.parametrize("name", ["functionDeclarations", "function_declarations"])
def test_functions(name: str, declaration: Any, parameters: Any) -> None:
    tools = [{name: [{"name": "look", "description": "d", **declaration}]}]
    function = decode(tools=tools).body["tools"][0]["function"]

    assert ("look", "d", parameters) == (
        function["name"],
        function["description"],
        function.get("parameters"),
    )


def test_built_in_tools() -> None:
    decoded = decode(
        tools=[
            {"googleSearch": {"timeRangeFilter": {}}},
            {"google_search": {}},
            {"codeExecution": {}},
            {"urlContext": {}},
        ]
    )

    assert [
        {"type": "web_search", "options": {}},
        {"type": "web_search", "options": {}},
        {"type": "code_execution", "options": {}},
        {"type": "native", "native": {"urlContext": {}}},
    ] == decoded.body["tools"]
    assert ("tools.googleSearch",) == decoded.adjusted


def named(*names: str) -> list[Any]:
    return [{"type": "function", "function": {"name": name}} for name in names]


@pytest.mark.parametrize(
    ("calling", "expected"),
    [
        ({"mode": "AUTO"}, "auto"),
        ({"mode": "any"}, "required"),
        ({"mode": "NONE"}, "none"),
        ({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}, "required"),
        ({"mode": "ANY", "allowed_function_names": ["a"]}, named("a")[0]),
        (
            {"mode": "VALIDATED", "allowedFunctionNames": ["a"]},
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": named("a")},
            },
        ),
        ({"mode": "MODE_UNSPECIFIED"}, None),
        ({}, None),
    ],
)
def test_tool_choice(calling: Any, expected: Any) -> None:
    decoded = decode(
        tools=[{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}],
        toolConfig={"functionCallingConfig": calling},
    )

    assert expected == decoded.body.get("tool_choice")


def test_parameters() -> None:
    decoded = decode(
        generation_config={
            "temperature": 0.1,
            "top_p": 0.2,
            "topK": 3,
            "frequencyPenalty": 0.4,
            "presencePenalty": 0.5,
            "seed": 6,
            "max_output_tokens": 7,
            "candidateCount": 2,
            "stopSequences": ["x"],
            "responseLogprobs": True,
            "logprobs": 4,
            "responseModalities": ["TEXT", "IMAGE"],
            "thinkingConfig": {"thinkingBudget": 100},
        }
    )
    body = {k: v for k, v in decoded.body.items() if k not in ("model", "messages")}

    assert {
        "temperature": 0.1,
        "top_p": 0.2,
        "top_k": 3,
        "frequency_penalty": 0.4,
        "presence_penalty": 0.5,
        "seed": 6,
        "max_completion_tokens": 7,
        "n": 2,
        "stop": ["x"],
        "logprobs": True,
        "top_logprobs": 4,
        "modalities": ["text", "image"],
        "thinking": {"type": "enabled", "budget_tokens": 100},
    } == body
    assert () == decoded.dropped


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        ({"thinkingBudget": 0}, {"thinking": {"type": "disabled"}}),
        ({"thinking_budget": -1}, {"thinking": {"type": "adaptive"}}),
        ({"thinkingLevel": "LOW"}, {"reasoning_effort": "low"}),
        ({"includeThoughts": True}, {"thinking": {"type": "adaptive"}}),
        ({"thinkingLevel": "ODD"}, {}),
        ({}, {}),
    ],
)
def test_thinking(thinking: Any, expected: Any) -> None:
    body = decode(generationConfig={"thinkingConfig": thinking}).body

    assert expected == {k: v for k, v in body.items() if k in ("thinking", "reasoning_effort")}


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"responseMimeType": "application/json"}, {"type": "json_object"}),
        ({"responseMimeType": "text/plain"}, None),
        ({"response_json_schema": SCHEMA}, SCHEMA),
        (
            {"responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}},
            SCHEMA,
        ),
    ],
)
def test_structured_output(config: Any, expected: Any) -> None:
    found: Any = decode(generationConfig=config).body.get("response_format")
    if expected is SCHEMA:
        assert SCHEMA == found["json_schema"]["schema"]
    else:
        assert expected == found
