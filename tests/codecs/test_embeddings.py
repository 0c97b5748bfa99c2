"""The door of embeddings: vectors as the caller asked for them, usage as OpenAI has it."""

from __future__ import annotations

import base64
import struct

import orjson
import pytest

from llmgateway.codecs.embeddings import EMBEDDINGS, EMBEDDINGS_DOOR
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.chat.test_sdk import client_of
from tests.codecs.crossing import context
from tests.codecs.schemas import check

HUB = {"data": [{"embedding": [0.5, -1.0]}, {"embedding": [1, 2]}], "usage": {"input": 3}}


def test_vectors_are_numbers_by_default() -> None:
    answer = EMBEDDINGS_DOOR.encode_response(HUB, context(request={"input": ["a", "b"]}))

    check("CreateEmbeddingResponse", answer)
    assert [[0.5, -1.0], [1, 2]] == [entry["embedding"] for entry in answer["data"]]
    assert [0, 1] == [entry["index"] for entry in answer["data"]]
    assert {"prompt_tokens": 3, "total_tokens": 3} == answer["usage"]


def test_vectors_are_packed_where_the_caller_asks() -> None:
    ctx = context(request={"encoding_format": "base64"})
    hub = {"data": [{"embedding": [0.5, -1.0]}, {"embedding": "cGFja2Vk"}]}
    packed = [entry["embedding"] for entry in EMBEDDINGS_DOOR.encode_response(hub, ctx)["data"]]

    assert (0.5, -1.0) == struct.unpack("<2f", base64.b64decode(packed[0]))
    assert "cGFja2Vk" == packed[1]


def test_the_sdk_reads_packed_vectors() -> None:
    ctx = context(request={"encoding_format": "base64"})
    body = orjson.dumps(EMBEDDINGS_DOOR.encode_response(HUB, ctx))
    with client_of(body, "application/json") as client:
        answer = client.embeddings.create(model="m", input=["a", "b"])

    assert [[0.5, -1.0], [1.0, 2.0]] == [entry.embedding for entry in answer.data]


def test_a_request_is_the_hubs_already() -> None:
    body = {"input": "a", "model": "m"}

    assert body == EMBEDDINGS_DOOR.decode_request(body, {}, Headers()).body
    assert (EMBEDDINGS, "embeddings") == (EMBEDDINGS_DOOR.format, EMBEDDINGS_DOOR.hub)


def test_there_is_no_stream() -> None:
    with pytest.raises(InvalidRequest, match="never streamed"):
        EMBEDDINGS_DOOR.encode_stream(context())


def test_embeddings_have_no_history() -> None:
    body = {"input": "x", "extra_content": {"content_blocks": []}}

    assert ((), body) == (EMBEDDINGS_DOOR.marks, EMBEDDINGS_DOOR.without_marks(body).body)
