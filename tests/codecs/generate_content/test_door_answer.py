"""Hub answers at the door as its callers expect them."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.generate_content import (
    GENERATE_CONTENT_DOOR,
    ArrayFrames,
    json_array_frames,
)
from tests.codecs.crossing import context, written
from tests.codecs.generate_content.grammar import check_stream
from tests.codecs.generate_content.schemas import check

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
