"""Hub requests as the provider takes them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway.codecs.base import Encoded
from llmgateway.codecs.generate_content import GENERATE_CONTENT_CODEC
from llmgateway.codecs.generate_content.turns import UNSIGNED
from llmgateway.errors import InvalidRequest
from llmgateway.types.capabilities import Capabilities, Schema
from tests.codecs.crossing import context
from tests.codecs.generate_content.models import OLD, SECOND, THIRD
from tests.codecs.generate_content.schemas import check

HI = [{"role": "user", "content": "hi"}]
PIXEL = "iVBORw0KGgo="
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"at": {"$ref": "#/$defs/place"}},
            "additionalProperties": False,
            "$defs": {"place": {"type": ["string", "null"]}},
        },
    },
}


def encode(caps: Capabilities = THIRD, *, valid: bool = True, **body: Any) -> Encoded:
    """Translate a request; what comes out is held against the closed schema."""
    encoded = GENERATE_CONTENT_CODEC.encode_request(
        {"model": "m", "messages": HI, **body}, context(capabilities=caps)
    )
    if valid:
        check("GenerateContentRequest", encoded.body)
    return encoded


def contents(*messages: Any, caps: Capabilities = THIRD) -> list[Any]:
    """Return the contents of some messages."""
    found: list[Any] = encode(caps, messages=list(messages)).body["contents"]
    return found


def config(caps: Capabilities = THIRD, **body: Any) -> Any:
    """Return the generation config of some parameters."""
    return encode(caps, **body).body.get("generationConfig")


def call(call_id: str, name: str = "look", **members: Any) -> dict[str, Any]:
    """Return a call in the hub's form."""
    function = {"name": name, "arguments": '{"at": "x"}'}
    return {"id": call_id, "type": "function", "function": function, **members}


def signed(call_id: str, signature: str = "c2ln", **members: Any) -> dict[str, Any]:
    """Return a signed call."""
    return call(call_id, extra_content={"thought_signature": signature, **members})


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


# ---- tools


def test_a_schema_goes_untouched_where_the_model_takes_it() -> None:
    parameters = TOOL["function"]["parameters"]  # type: ignore[index] # typed as object
    declared = encode(tools=[TOOL]).body["tools"][0]["functionDeclarations"][0]

    assert {
        "name": "look",
        "description": "Looks.",
        "parametersJsonSchema": parameters,
    } == declared


def test_an_older_model_gets_the_subset() -> None:
    declared = encode(OLD, tools=[TOOL]).body["tools"][0]["functionDeclarations"][0]

    assert {
        "type": "OBJECT",
        "properties": {"at": {"type": "STRING", "nullable": True}},
    } == declared["parameters"]


@pytest.mark.parametrize("schema", [None, {}, {"type": "object", "properties": {}}])
def test_a_tool_without_parameters(schema: Any) -> None:
    tool = {"type": "function", "function": {"name": "now", "parameters": schema}}

    assert [{"name": "now"}] == encode(OLD, tools=[tool]).body["tools"][0]["functionDeclarations"]


def test_older_functions_are_tools() -> None:
    body = encode(functions=[{"name": "now"}], function_call={"name": "now"}).body

    assert [{"functionDeclarations": [{"name": "now"}]}] == body["tools"]
    assert ["now"] == body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"]


def named(*names: str) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name}} for name in names]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"mode": "AUTO"}),
        ("required", {"mode": "ANY"}),
        ("none", {"mode": "NONE"}),
        (named("look")[0], {"mode": "ANY", "allowedFunctionNames": ["look"]}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": named("a", "b")}},
            {"mode": "VALIDATED", "allowedFunctionNames": ["a", "b"]},
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": named("a")},
            {"mode": "ANY", "allowedFunctionNames": ["a"]},
        ),
    ],
)
def test_tool_choice(choice: Any, expected: Any) -> None:
    encoded = encode(tools=[TOOL], tool_choice=choice)

    assert {"functionCallingConfig": expected} == encoded.body["toolConfig"]
    assert () == encoded.dropped


@pytest.mark.parametrize("choice", ["perhaps", {"type": "allowed_tools"}, {"type": "x"}, 5])
def test_a_tool_choice_that_says_nothing_is_named(choice: Any) -> None:
    encoded = encode(tools=[TOOL], tool_choice=choice)

    assert "toolConfig" not in encoded.body
    assert ("tool_choice",) == encoded.dropped


def test_a_tool_choice_without_tools_is_left_out() -> None:
    assert "toolConfig" not in encode(tool_choice="auto").body


def test_built_in_tools_beside_functions() -> None:
    tools = [
        {"type": "web_search", "options": {"max_uses": 3}},
        {"type": "code_execution"},
        {"type": "mcp", "options": {"server_label": "x"}},
        {"type": "native", "native": {"urlContext": {}}},
        {"type": "native", "native": {"type": "web_fetch_20250910"}},
        TOOL,
    ]
    encoded = encode(tools=tools)

    assert ["googleSearch", "codeExecution", "urlContext", "functionDeclarations"] == [
        name for tool in encoded.body["tools"] for name in tool
    ]
    assert {"includeServerSideToolInvocations": True} == encoded.body["toolConfig"]
    assert ("tools.mcp", "tools.native") == encoded.dropped
    assert ("tools.web_search",) == encoded.adjusted


def test_the_second_generation_takes_no_built_in_tool_beside_functions() -> None:
    encoded = encode(SECOND, tools=[{"type": "web_search"}, TOOL])

    assert ["functionDeclarations"] == [name for tool in encoded.body["tools"] for name in tool]
    assert ("tools.built_in",) == encoded.dropped


@pytest.mark.parametrize(
    ("body", "tools"),
    [
        ({"web_search_options": {}}, [{"googleSearch": {}}]),
        (
            {"tools": [{"type": "function", "function": {"name": "google_search"}}]},
            [{"googleSearch": {}}],
        ),
        (
            {"tools": [{"type": "web_search"}], "web_search_options": {}},
            [{"googleSearch": {}}],
        ),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "googleMaps",
                            "parameters": {"enableWidget": True},
                        },
                    }
                ]
            },
            [{"googleMaps": {"enableWidget": True}}],
        ),
    ],
)
def test_other_names_of_built_in_tools(body: Any, tools: Any) -> None:
    assert tools == encode(**body).body["tools"]


# ---- parameters


def test_plain_parameters() -> None:
    assert {
        "temperature": 0,
        "topP": 0.5,
        "topK": 4,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "seed": 7,
        "maxOutputTokens": 10,
        "stopSequences": ["a"],
        "candidateCount": 2,
        "responseLogprobs": True,
        "logprobs": 3,
    } == config(
        temperature=0,
        top_p=0.5,
        top_k=4,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        seed=7,
        max_completion_tokens=10,
        max_tokens=20,
        stop="a",
        n=2,
        logprobs=True,
        top_logprobs=3,
    )


def test_log_probabilities_alone() -> None:
    assert {"responseLogprobs": True} == config(logprobs=True)


def test_what_asks_for_nothing_changes_nothing() -> None:
    encoded = encode(
        n=1, logprobs=False, stop=None, parallel_tool_calls=True, store=False, max_tokens=None
    )

    assert "generationConfig" not in encoded.body
    assert () == encoded.dropped == encoded.adjusted


def test_what_finds_no_place_is_named() -> None:
    encoded = encode(
        Capabilities(sampling=frozenset()),
        temperature=1,
        logit_bias={"1": 2},
        user="u",
        parallel_tool_calls=False,
        store=True,
        reasoning_effort="low",
        prediction=None,
    )

    assert {
        "temperature", "logit_bias", "user", "parallel_tool_calls", "store", "reasoning_effort",
    } == set(encoded.dropped)  # fmt: skip


def test_stops_beyond_the_limit_are_cut_and_named() -> None:
    encoded = encode(stop=["a", "", "b", "c", "d", "e", "f"])

    assert ["a", "b", "c", "d", "e"] == encoded.body["generationConfig"]["stopSequences"]
    assert ("stop",) == encoded.adjusted


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
WISH = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
MIME = {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("caps", "wish", "expected"),
    [
        (THIRD, {"type": "text"}, None),
        (THIRD, {"type": "json_object"}, MIME),
        (THIRD, {"type": "json_schema", "json_schema": {}}, MIME),
        (THIRD, WISH, {**MIME, "responseJsonSchema": SCHEMA}),
        (
            OLD,
            WISH,
            {
                **MIME,
                "responseSchema": {
                    "type": "OBJECT",
                    "properties": {"a": {"type": "INTEGER"}},
                    "required": ["a"],
                },
            },
        ),
    ],
)
def test_structured_output(caps: Capabilities, wish: Any, expected: Any) -> None:
    assert expected == config(caps, response_format=wish)


def test_a_model_without_schemas_is_told_json_only() -> None:
    encoded = encode(Capabilities(schema=Schema.NONE), response_format=WISH)

    assert MIME == encoded.body["generationConfig"]
    assert ("response_format",) == encoded.adjusted


def test_pictures_and_sound() -> None:
    assert {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    } == config(
        modalities=["text", "image"],
        image_config={"aspect_ratio": "16:9", "image_size": "2K"},
        audio={"voice": "Kore", "format": "wav"},
    )


@pytest.mark.parametrize("spelling", ["snake", "camel"])
def test_members_of_the_apis_own_go_through(spelling: str) -> None:
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    names = ("safety_settings", "cached_content")
    if spelling == "camel":
        names = ("safetySettings", "cachedContent")
    members: dict[str, Any] = {names[0]: settings, names[1]: "cachedContents/a"}
    encoded = encode(**members)

    assert (settings, "cachedContents/a") == (
        encoded.body["safetySettings"],
        encoded.body["cachedContent"],
    )
    assert () == encoded.dropped


@pytest.mark.parametrize(
    ("stream", "operation"), [(True, "streamGenerateContent"), (False, "generateContent")]
)
def test_the_operation(stream: bool, operation: str) -> None:
    assert operation == encode(stream=stream).operation


# ---- thinking


@pytest.mark.parametrize(
    ("caps", "body", "expected", "adjusted"),
    [
        (THIRD, {"reasoning_effort": "medium"}, {"thinkingLevel": "MEDIUM"}, ()),
        (THIRD, {"reasoning_effort": "minimal"}, {"thinkingLevel": "LOW"}, ("reasoning_effort",)),
        (THIRD, {"reasoning_effort": "xhigh"}, {"thinkingLevel": "HIGH"}, ("reasoning_effort",)),
        (THIRD, {"reasoning_effort": "none"}, "LOW", ("reasoning_effort",)),
        (THIRD, {"thinking": {"type": "disabled"}}, "LOW", ("thinking",)),
        (THIRD, {"thinking": {"type": "adaptive"}}, {}, ()),
        (
            THIRD,
            {"thinking": {"type": "adaptive"}, "reasoning_effort": "high"},
            {"thinkingLevel": "HIGH"},
            (),
        ),
        (THIRD, {"thinking": {"type": "enabled"}, "reasoning_effort": "odd"}, {}, ()),
        (
            THIRD,
            {"thinking": {"type": "enabled", "budget_tokens": 5_000}},
            {"thinkingLevel": "MEDIUM"},
            ("thinking",),
        ),
        (THIRD, {"thinking": {"type": "enabled", "budget_tokens": -1}}, {}, ()),
        (SECOND, {"reasoning_effort": "low"}, {"thinkingBudget": 1_024}, ()),
        (SECOND, {"reasoning_effort": "max"}, {"thinkingBudget": 24_576}, ("reasoning_effort",)),
        (SECOND, {"reasoning_effort": "none"}, 0, ()),
        (
            SECOND,
            {"thinking": {"type": "enabled", "budget_tokens": 5_000}},
            {"thinkingBudget": 5_000},
            (),
        ),
        (
            SECOND,
            {"thinking": {"type": "enabled", "budget_tokens": 5}},
            {"thinkingBudget": 128},
            ("thinking",),
        ),
        (
            SECOND,
            {"thinking": {"type": "enabled", "budget_tokens": -1}},
            {"thinkingBudget": -1},
            (),
        ),
    ],
)
def test_thinking(caps: Capabilities, body: Any, expected: Any, adjusted: Any) -> None:
    encoded = encode(caps, **body)
    if isinstance(expected, dict):
        expected = {"includeThoughts": True, **expected}
    else:
        name = "thinkingLevel" if isinstance(expected, str) else "thinkingBudget"
        expected = {name: expected}

    assert expected == encoded.body["generationConfig"]["thinkingConfig"]
    assert adjusted == encoded.adjusted


def test_a_budget_model_that_cannot_stop_thinking_thinks_least() -> None:
    caps = Capabilities(
        reasoning=SECOND.reasoning, budget_range=(128, 1_000), can_disable_reasoning=False
    )
    encoded = encode(caps, reasoning_effort="none")

    assert {"thinkingBudget": 128} == encoded.body["generationConfig"]["thinkingConfig"]
    assert ("reasoning_effort",) == encoded.adjusted


@pytest.mark.parametrize("word", ["odd", "auto"])
def test_a_word_that_nobody_knows_is_named(word: str) -> None:
    assert ("reasoning_effort",) == encode(reasoning_effort=word).dropped


@pytest.mark.parametrize(
    "body", [{"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, {}]
)
def test_a_model_that_does_not_think_needs_not_be_told(body: Any) -> None:
    encoded = encode(OLD, **body)

    assert "generationConfig" not in encoded.body
    assert () == encoded.dropped


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
