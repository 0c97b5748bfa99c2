"""Embeddings and counts, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.base import Codec, Door
from llmgateway.codecs.generate_content import (
    COUNT_TOKENS,
    COUNT_TOKENS_CODEC,
    COUNT_TOKENS_DOOR,
    EMBED_CODEC,
    EMBED_CONTENT,
    EMBED_DOOR,
)
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.crossing import context
from tests.codecs.generate_content.schemas import check

HALF = "AAAAPwAAgL8="
"""0.5 and -1 as little-endian 32-bit floats in base64."""


def content(text: str) -> dict[str, Any]:
    return {"parts": [{"text": text}]}


# ---- the codec


@pytest.mark.parametrize("given", ["a", ["a"]])
def test_one_text_is_one_request(given: Any) -> None:
    body = {"model": "m", "input": given, "dimensions": 3, "task_type": "X", "user": "u"}
    encoded = EMBED_CODEC.encode_request(body, context())

    check("EmbedContentRequest", encoded.body)
    assert ("embedContent", ("user",)) == (encoded.operation, encoded.dropped)
    assert {"content": content("a"), "taskType": "X", "outputDimensionality": 3} == encoded.body


def test_several_texts_are_a_batch() -> None:
    encoded = EMBED_CODEC.encode_request({"input": ["a", "b"], "title": "t"}, context())

    check("BatchEmbedContentsRequest", encoded.body)
    assert "batchEmbedContents" == encoded.operation
    assert [
        {"model": "models/m", "content": content(text), "title": "t"} for text in "ab"
    ] == encoded.body["requests"]


@pytest.mark.parametrize("given", [None, [], 5, [1, 2], ["a", [1]], {}])
def test_an_input_that_is_no_text_is_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        EMBED_CODEC.encode_request({"input": given}, context())

    assert "input" == refusal.value.param


@pytest.mark.parametrize(
    ("body", "vectors"),
    [
        ({"embedding": {"values": [0.5, -1]}}, [[0.5, -1]]),
        ({"embeddings": [{"values": [1]}, {"values": None}]}, [[1], []]),
        ({}, []),
    ],
)
def test_answers(body: Any, vectors: Any) -> None:
    answer = EMBED_CODEC.decode_response(body, context())

    assert vectors == [entry["embedding"] for entry in answer["data"]]
    assert {"prompt_tokens": 0, "total_tokens": 0} == answer["usage"]


def test_figures_are_packed_if_asked() -> None:
    """OpenAI's SDKs ask so by themselves."""
    ctx = context(request={"encoding_format": "base64"})
    body = {"embeddings": [{"values": [0.5, -1.0]}, {"values": [1e300]}, {"values": "x"}]}

    assert [HALF, "", ""] == [
        entry["embedding"] for entry in EMBED_CODEC.decode_response(body, ctx)["data"]
    ]


def test_usage_of_an_answer() -> None:
    body = {"embedding": {"values": []}, "usageMetadata": {"promptTokenCount": 4}}
    usage = EMBED_CONTENT.usage(body)

    assert usage is not None and 4 == usage.input == usage.total
    assert 4 == EMBED_CODEC.decode_response(body, context())["usage"]["prompt_tokens"]


# ---- the door


def decode(body: Any, operation: str = "") -> Any:
    params = {"model": "models/m", "operation": operation}
    return EMBED_DOOR.decode_request(body, params, Headers())


def test_a_single_request() -> None:
    parts = {"parts": [{"text": "a"}, {"text": "b"}]}
    decoded = decode({"content": parts, "output_dimensionality": 3, "taskType": "X"})

    assert {"model": "m", "input": "a\nb", "encoding_format": "float", "dimensions": 3} == (
        decoded.body
    )
    assert ("taskType",) == decoded.dropped


def test_a_batch() -> None:
    requests = [{"content": content(text), "outputDimensionality": 3} for text in "ab"]
    decoded = decode({"requests": requests}, "batchEmbedContents")

    assert (["a", "b"], 3) == (decoded.body["input"], decoded.body["dimensions"])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requests": []},
        {"content": {"parts": [{"inlineData": {}}]}},
        {
            "requests": [
                {"content": content("a"), "outputDimensionality": 1},
                {"content": content("b")},
            ]
        },
    ],
)
def test_what_cannot_be_embedded_is_refused(body: Any) -> None:
    with pytest.raises(InvalidRequest):
        decode(body)


@pytest.mark.parametrize(
    ("embedding", "values"), [([0.5], [0.5]), (HALF, [0.5, -1.0]), ("a", []), (None, [])]
)
def test_an_answer(embedding: Any, values: Any) -> None:
    body = {"data": [{"index": 0, "embedding": embedding}], "usage": {"prompt_tokens": 2}}
    shown = EMBED_DOOR.encode_response(body, context(door_request={"content": {}}))

    check("EmbedContentResponse", {"embeddings": [shown["embedding"]]})
    assert {"embedding": {"values": values}, "usageMetadata": {"promptTokenCount": 2}} == shown


def test_an_answer_to_a_batch_is_in_order() -> None:
    body = {"data": [{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]}
    ctx = context(door_request={"requests": []})

    assert {"embeddings": [{"values": [1]}, {"values": [2]}]} == EMBED_DOOR.encode_response(
        body, ctx
    )


def test_an_empty_answer() -> None:
    assert {"embedding": {"values": []}} == EMBED_DOOR.encode_response({"data": []}, context())


# ---- counts


def test_a_count_has_all_that_a_chat_would_send() -> None:
    body = {
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "tools": [{"type": "function", "function": {"name": "look"}}],
        "logit_bias": {},
    }
    encoded = COUNT_TOKENS_CODEC.encode_request(body, context())

    check("CountTokensRequest", encoded.body)
    assert ("countTokens", ("logit_bias",)) == (encoded.operation, encoded.dropped)
    within = encoded.body["generateContentRequest"]
    assert {"model", "contents", "systemInstruction", "tools"} == set(within)


def test_a_count_at_the_door() -> None:
    plain = {"contents": [{"parts": [{"text": "a"}]}]}
    decoded = [
        COUNT_TOKENS_DOOR.decode_request(body, {"model": "m"}, Headers()).body
        for body in (plain, {"generate_content_request": {"model": "models/m", **plain}})
    ]

    assert decoded[0] == decoded[1]
    assert {"totalTokens": 3} == COUNT_TOKENS_DOOR.encode_response({"input_tokens": 3}, context())
    assert {"totalTokens": 0} == COUNT_TOKENS_DOOR.encode_response({}, context())
    assert {"input_tokens": 0} == COUNT_TOKENS_CODEC.decode_response({}, context())
    assert COUNT_TOKENS.is_answer({"totalTokens": 0}) and not COUNT_TOKENS.is_answer({})


@pytest.mark.parametrize("codec", [EMBED_CODEC, COUNT_TOKENS_CODEC])
def test_a_codec_without_a_stream(codec: Codec) -> None:
    with pytest.raises(InvalidRequest):
        codec.decode_stream(context())


@pytest.mark.parametrize("door", [EMBED_DOOR, COUNT_TOKENS_DOOR])
def test_a_door_without_a_stream(door: Door) -> None:
    with pytest.raises(InvalidRequest):
        door.encode_stream(context())
