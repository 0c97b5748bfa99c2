"""Whatever a caller or a provider sends, nothing but `InvalidRequest` is ever raised."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.base import Event
from llmgateway.codecs.generate_content import (
    COUNT_TOKENS_CODEC,
    COUNT_TOKENS_DOOR,
    EMBED_CODEC,
    EMBED_DOOR,
    GENERATE_CONTENT,
    GENERATE_CONTENT_CODEC,
    GENERATE_CONTENT_DOOR,
)
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.crossing import context, events_of, hub_chunks, written
from tests.codecs.generate_content.models import MODELS

_WORDS = """
    args arguments at allowedFunctionNames annotations assistant audio auto blocks_before candidates
    candidateCount citationMetadata code content content_blocks contents data delta details
    embedding embeddings endIndex error extra_content file fileData file_data finishReason
    finish_reason function functionCall functionCallingConfig functionDeclarations functionResponse
    generationConfig generic google_search groundingChunkIndices groundingChunks groundingMetadata
    groundingSupports id image_url images index inlineData input input_audio jsonPath json_schema
    logprobs logprobsResult chosenCandidates topCandidates message messages mimeType mode model name
    native opaque options parameters partMetadata partialArgs parts path promptFeedback blockReason
    reasoning_content reasoning_effort refusal requests responseId response response_format
    responseSchema role safetySettings schema segment signature startIndex status stop stream
    stringValue system systemInstruction text thinking thinkingConfig thought thoughtSignature
    thought_signature tool tool_call_id tool_calls tool_choice toolConfig tools type uri url
    url_citation usage usageMetadata promptTokenCount totalTokenCount totalTokens user value values
    web web_search willContinue wire choices budget_tokens is_error file_id llmgatewayBlock
""".split()
_KEYS = st.sampled_from(_WORDS)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | _KEYS
    | st.sampled_from(["STOP", "SAFETY", "$.a[0].b", "data:image/png;base64,AA", "{}", "model"])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=12,
)
BODIES = st.dictionaries(_KEYS, VALUES, max_size=8)
# Bodies whose outer members have the right shape reach further in.
PARTS = st.lists(BODIES | st.builds(lambda k, v: {k: v}, _KEYS, BODIES), max_size=4)
REQUESTS = BODIES | st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.builds(
                lambda role, body: {**body, "role": role},
                st.sampled_from(["system", "user", "assistant", "tool"]),
                BODIES | st.fixed_dictionaries({"content": PARTS, "tool_calls": PARTS}),
            ),
            min_size=1,
            max_size=4,
        ),
        "contents": st.lists(st.fixed_dictionaries({"role": _KEYS, "parts": PARTS}), max_size=3),
        "tools": PARTS,
        "generationConfig": BODIES,
        "requests": PARTS,
    }
)
ANSWERS = BODIES | st.fixed_dictionaries(
    {
        "candidates": st.lists(
            st.builds(lambda parts, body: {**body, "content": {"parts": parts}}, PARTS, BODIES),
            max_size=3,
        )
    }
)
HUB_ANSWERS = BODIES | st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries(
                {
                    "message": BODIES
                    | st.fixed_dictionaries({"content_blocks": PARTS, "tool_calls": PARTS}),
                    "delta": BODIES
                    | st.fixed_dictionaries({"content_blocks": PARTS, "tool_calls": PARTS}),
                }
            ),
            max_size=3,
        )
    }
)

many = settings(max_examples=50, deadline=None)


def parsed(value: Any) -> Any:
    return orjson.loads(json.dumps(value))


@many
@given(body=REQUESTS, caps=st.sampled_from(sorted(MODELS)))
@pytest.mark.parametrize("codec", [GENERATE_CONTENT_CODEC, EMBED_CODEC, COUNT_TOKENS_CODEC])
def test_a_hub_request_is_written_or_refused(codec: Any, body: Any, caps: str) -> None:
    before = orjson.dumps(parsed(body))
    request = parsed(body)
    with contextlib.suppress(InvalidRequest):
        encoded = codec.encode_request(request, context(capabilities=MODELS[caps]))
        assert orjson.dumps(encoded.body)
        assert all(isinstance(name, str) for name in (*encoded.dropped, *encoded.adjusted))
    assert before == orjson.dumps(request), "a step never edits its argument"


@many
@given(body=ANSWERS, compliance=st.booleans())
@pytest.mark.parametrize("codec", [GENERATE_CONTENT_CODEC, EMBED_CODEC, COUNT_TOKENS_CODEC])
def test_any_answer_is_read(codec: Any, body: Any, compliance: bool) -> None:
    assert orjson.dumps(codec.decode_response(parsed(body), context(compliance=compliance)))


@many
@given(bodies=st.lists(ANSWERS | VALUES, max_size=5), compliance=st.booleans())
def test_any_stream_is_read_and_written(bodies: list[Any], compliance: bool) -> None:
    ctx = context(compliance=compliance)
    chunks = hub_chunks(GENERATE_CONTENT_CODEC, events_of(*bodies), ctx)

    assert orjson.dumps(chunks)
    assert written(GENERATE_CONTENT_DOOR, chunks, ctx).endswith(b"\n\n")


@many
@given(bodies=st.lists(ANSWERS | VALUES, max_size=5), request=st.none() | REQUESTS)
def test_a_watch_takes_any_event(bodies: list[Any], request: Any) -> None:
    watch = GENERATE_CONTENT.watch(request, "acme")
    for event in events_of(*bodies):
        watch.feed(event)
    watch.feed(Event(b"\xff{", None, b"\xff{"))

    assert not (watch.ended_well and watch.error)
    assert watch.usage is None or 0 <= watch.usage.total


@many
@given(body=REQUESTS, operation=st.sampled_from(["", "streamGenerateContent"]))
@pytest.mark.parametrize("door", [GENERATE_CONTENT_DOOR, EMBED_DOOR, COUNT_TOKENS_DOOR])
def test_a_callers_request_is_read_or_refused(door: Any, body: Any, operation: str) -> None:
    request = parsed(body)
    before = orjson.dumps(request)
    with contextlib.suppress(InvalidRequest):
        decoded = door.decode_request(request, {"model": "m", "operation": operation}, Headers())
        assert orjson.dumps(decoded.body)
        with contextlib.suppress(InvalidRequest):
            GENERATE_CONTENT_CODEC.encode_request(decoded.body, context())
    assert before == orjson.dumps(request), "a step never edits its argument"


@many
@given(body=HUB_ANSWERS)
@pytest.mark.parametrize("door", [GENERATE_CONTENT_DOOR, EMBED_DOOR, COUNT_TOKENS_DOOR])
def test_any_hub_answer_is_written(door: Any, body: Any) -> None:
    assert orjson.dumps(door.encode_response(parsed(body), context()))


@many
@given(chunks=st.lists(HUB_ANSWERS, max_size=5))
def test_any_hub_stream_is_written(chunks: list[Any]) -> None:
    assert written(GENERATE_CONTENT_DOOR, parsed(chunks), context()).endswith(b"\n\n")
