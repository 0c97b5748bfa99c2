"""The door: callers' requests in the hub's form, and hub answers as they expect them."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.base import Decoded
from llmgateway.codecs.generate_content import (
    GENERATE_CONTENT,
    GENERATE_CONTENT_DOOR,
    ArrayFrames,
    json_array_frames,
)
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.crossing import context, written
from tests.codecs.generate_content.grammar import check_stream
from tests.codecs.generate_content.schemas import check

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
        generationConfig={"speechConfig": {"x": 1}, "mediaResolution": "LOW", "topK": None},
    )

    assert {
        "contents.parts", "contents.parts.videoMetadata", "labels",
        "generationConfig.speechConfig", "generationConfig.mediaResolution",
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
            "imageConfig": {"aspectRatio": "1:1"},
            "thinkingConfig": {"thinkingBudget": 100},
        },
        safetySettings=[{"category": "X"}],
        cached_content="c",
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
        "image_config": {"aspect_ratio": "1:1"},
        "thinking": {"type": "enabled", "budget_tokens": 100},
        "safety_settings": [{"category": "X"}],
        "cached_content": "c",
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


# ---- answers


def shown(finish: str = "stop", usage: Any = None, **message: Any) -> Any:
    """Write an answer with one choice; it is held against the schema."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    body = {"id": "r", "model": "gpt-x", "choices": [choice], **({"usage": usage} if usage else {})}
    answer = GENERATE_CONTENT_DOOR.encode_response(body, context())
    check("GenerateContentResponse", answer)
    return answer


CALL = {"id": "1", "type": "function", "function": {"name": "a", "arguments": '{"x":1}'}}


def test_a_plain_answer() -> None:
    usage = {"input": 3, "cache_read": 2, "output": 4, "reasoning": 5}

    assert {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "a"}]},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "modelVersion": "gpt-x",
        "responseId": "r",
        "usageMetadata": {
            "promptTokenCount": 5,
            "candidatesTokenCount": 4,
            "totalTokenCount": 14,
            "thoughtsTokenCount": 5,
            "cachedContentTokenCount": 2,
        },
    } == shown(content="a", usage=usage)


def parts(**message: Any) -> list[Any]:
    found: list[Any] = shown(**message)["candidates"][0]["content"]["parts"]
    return found


def test_thoughts_texts_calls_and_pictures() -> None:
    signed = {**CALL, "extra_content": {"thought_signature": "cw=="}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

    assert [
        {"text": "hm", "thought": True},
        {"text": "a"},
        {"functionCall": {"id": "1", "name": "a", "args": {"x": 1}}, "thoughtSignature": "cw=="},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ] == parts(
        content="a",
        reasoning_content="hm",
        tool_calls=[signed],
        images=[picture, {"image_url": {"url": ""}}],
    )


def test_a_block_with_nothing_in_it_is_left_out() -> None:
    blocks = [{"type": "text", "text": ""}, {"type": "text", "text": "a"}]

    assert [{"text": "a"}] == parts(content="a", content_blocks=blocks)


def test_a_call_at_its_place() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    call = {**CALL, "extra_content": {"blocks_before": 1}}
    found = parts(content="ab", content_blocks=blocks, tool_calls=[call])

    assert ["text", "functionCall", "text"] == [next(iter(part)) for part in found]


@pytest.mark.parametrize("arguments", ["", "{broken", "[1]"])
def test_arguments_that_are_no_object_are_none(arguments: str) -> None:
    call = {"id": "", "function": {"name": "a", "arguments": arguments}}

    assert [{"functionCall": {"name": "a", "args": {}}}] == parts(tool_calls=[call])


@pytest.mark.parametrize(
    ("finish", "native"),
    [
        ("stop", "STOP"),
        ("tool_calls", "STOP"),
        ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
    ],
)
def test_finish_reasons(finish: str, native: str) -> None:
    assert native == shown(finish, content="a")["candidates"][0]["finishReason"]


def test_a_refusal_is_told_and_shown() -> None:
    candidate = shown("content_filter", refusal="No.")["candidates"][0]

    assert ("No.", [{"text": "No."}]) == (
        candidate["finishMessage"],
        candidate["content"]["parts"],
    )


def test_annotations_become_grounding_in_bytes() -> None:
    def note(start: int, end: int, url: str = "https://a.example") -> Any:
        within = {"url": url, "title": "A", "start_index": start, "end_index": end}
        return {"type": "url_citation", "url_citation": within}

    notes = [note(0, 1), note(2, 4), note(2, 4), note(2, 4, "https://b.example"), note(0, 0), {}]
    grounding = shown(content="é bc", annotations=notes)["candidates"][0]["groundingMetadata"]

    assert ["https://a.example", "https://b.example"] == [
        chunk["web"]["uri"] for chunk in grounding["groundingChunks"]
    ]
    assert [
        {"segment": {"endIndex": 2, "text": "é"}, "groundingChunkIndices": [0]},
        {
            "segment": {"startIndex": 3, "endIndex": 5, "text": "bc"},
            "groundingChunkIndices": [0, 1],
        },
    ] == grounding["groundingSupports"]


def test_log_probabilities() -> None:
    top = {"token": "b", "logprob": -2}
    token = {"token": "a", "logprob": -1.0, "top_logprobs": [top]}
    choice = {"message": {"content": "a"}, "logprobs": {"content": [token, {"token": "c"}]}}
    answer = GENERATE_CONTENT_DOOR.encode_response({"choices": [choice]}, context())
    check("GenerateContentResponse", answer)

    assert {
        "chosenCandidates": [
            {"token": "a", "logProbability": -1.0},
            {"token": "c", "logProbability": 0.0},
        ],
        "topCandidates": [
            {"candidates": [{"token": "b", "logProbability": -2}]},
            {"candidates": []},
        ],
    } == answer["candidates"][0]["logprobsResult"]


def test_sound_is_counted_by_itself() -> None:
    metadata = shown(content="a", usage={"input": 3, "input_audio": 2, "output_audio": 1})[
        "usageMetadata"
    ]

    assert [
        {"modality": "TEXT", "tokenCount": 3},
        {"modality": "AUDIO", "tokenCount": 2},
    ] == metadata["promptTokensDetails"]
    assert [
        {"modality": "TEXT", "tokenCount": 0},
        {"modality": "AUDIO", "tokenCount": 1},
    ] == metadata["candidatesTokensDetails"]


# ---- streams


def chunk(finish: Any = None, index: int = 0, **delta: Any) -> Any:
    return {
        "id": "r",
        "model": "gpt-x",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
    }


def streamed(*chunks: Any) -> Any:
    return check_stream(written(GENERATE_CONTENT_DOOR, list(chunks), context()))


def test_a_stream_of_plain_chunks() -> None:
    answer = streamed(
        chunk(role="assistant", content=""),
        chunk(reasoning_content="hm"),
        chunk(content="a"),
        chunk(content="b"),
        chunk(finish="length"),
        {"choices": [], "usage": {"input": 1, "output": 2}},
    )
    candidate = answer["candidates"][0]

    assert [{"text": "hm", "thought": True}, {"text": "a"}, {"text": "b"}, {"text": ""}] == (
        candidate["parts"]
    )
    assert ("MAX_TOKENS", 3) == (candidate["finishReason"], answer["usage"]["totalTokenCount"])


def test_calls_go_out_whole_however_their_pieces_come() -> None:
    def piece(index: int, arguments: str, **members: Any) -> Any:
        return chunk(tool_calls=[{"index": index, "function": {"arguments": arguments}, **members}])

    answer = streamed(
        chunk(content="wait"),
        chunk(tool_calls=[{"index": 0, "id": "1", "function": {"name": "a", "arguments": '{"x"'}}]),
        chunk(tool_calls=[{"index": 1, "id": "2", "function": {"name": "b"}}, {"index": 2}]),
        piece(0, ":1}"),
        piece(1, '{"y":2}', extra_content={"thought_signature": "cw=="}),
        piece(1, "", id="two", extra_content={"blocks_before": 1}),
        chunk(content="go"),
        chunk(finish="tool_calls"),
    )

    assert [
        {"text": "wait"},
        {"functionCall": {"id": "1", "name": "a", "args": {"x": 1}}},
        {"functionCall": {"id": "two", "name": "b", "args": {"y": 2}}, "thoughtSignature": "cw=="},
        {"text": "go"},
        {"text": ""},
    ] == answer["candidates"][0]["parts"]


def test_a_signature_that_comes_after_its_text_follows_it() -> None:
    answer = streamed(
        chunk(content_blocks=[{"index": 0, "type": "text", "text": "a"}], content="a"),
        chunk(content_blocks=[{"index": 0, "signature": "cw=="}]),
        chunk(content_blocks=[{"index": 1, "type": "opaque", "wire": "x", "value": {}}]),
        chunk(content_blocks=[{"index": 2, "signature": "no type"}]),
        chunk(finish="stop"),
    )
    found = answer["candidates"][0]["parts"]

    assert [{"text": "a"}, {"text": "", "thoughtSignature": "cw=="}] == found[:2]
    assert "partMetadata" in found[2]


def test_pictures_of_a_stream_without_blocks() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    answer = streamed(chunk(images=[picture]), chunk(finish="stop"))

    assert {"inlineData": {"mimeType": "image/png", "data": "AAAA"}} == (
        answer["candidates"][0]["parts"][0]
    )


def test_refusal_annotations_and_log_probabilities_come_last() -> None:
    note = {"url_citation": {"url": "https://a.example", "start_index": 0, "end_index": 1}}
    first = chunk(content="a", annotations=[note])
    first["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -1}]}
    told = streamed(first, chunk(refusal="N"), chunk(refusal="o."), chunk(finish="stop"))
    untold = streamed(chunk(refusal="No."), chunk(finish="stop"))
    candidate = told["candidates"][0]

    assert {"groundingMetadata", "logprobsResult"} < set(candidate)
    assert ("No.", [{"text": "a"}, {"text": ""}]) == (
        candidate["finishMessage"],
        candidate["parts"],
    )
    assert [{"text": "No."}] == untold["candidates"][0]["parts"]


def test_several_choices() -> None:
    answer = streamed(chunk(content="a"), chunk(index=1, content="b"), chunk(finish="stop"))

    assert ["a", "b"] == [answer["candidates"][at]["parts"][0]["text"] for at in (0, 1)]


def test_a_stream_without_chunks_still_ends_well() -> None:
    assert "STOP" == streamed()["candidates"][0]["finishReason"]


# ---- the array


def test_a_stream_as_an_array() -> None:
    events = [b"", b'data: {"a":1}\n\ndata: {"b":2}\n\n', b": ping\n\n", b'\n{\n"error": {}}\n']
    framed = b"".join(json_array_frames(events))

    assert b'[{"a":1},\r\n{"b":2},\r\n{\n"error": {}}]' == framed


def test_an_empty_stream_is_an_empty_array() -> None:
    assert b"[]" == b"".join(json_array_frames([]))
    assert b"" == ArrayFrames().feed(b"")
