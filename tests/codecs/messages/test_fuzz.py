"""Whatever JSON comes, nothing but a refusal comes out of the translation."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmgateway.codecs.base import Event
from llmgateway.codecs.messages import (
    COUNT_TOKENS_CODEC,
    COUNT_TOKENS_DOOR,
    MESSAGES,
    MESSAGES_CODEC,
    MESSAGES_DOOR,
    estimate,
)
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.messages.grammar import gathered
from tests.codecs.messages.recordings import context

JSON = dict[str, Any]

# Words that make a value go further than its first check.
WORDS = st.sampled_from([
    "user", "assistant", "system", "tool", "function", "text", "image", "image_url", "file",
    "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "opaque", "messages",
    "base64", "url", "content", "auto", "any", "none", "required", "custom", "web_search", "mcp",
    "code_execution", "native", "json_schema", "json_object", "object", "enabled", "adaptive",
    "low", "max", "data:text/plain;base64,aGk=", "data:,x", "data:x", "{}", "[1]", "",
    "content_block_start", "content_block_delta", "content_block_stop", "message_start",
    "message_delta", "text_delta", "input_json_delta", "citations_delta", "page_location",
    "signature_delta", "url_citation", "llmgateway.e30=", "llmgateway.!", "allowed_tools",
])  # fmt: skip
KEYS = st.sampled_from([
    "type", "role", "content", "text", "id", "name", "input", "source", "data", "media_type",
    "url", "image_url", "file", "file_data", "file_url", "file_id", "tool_use_id", "tool_call_id",
    "tool_calls", "function", "arguments", "function_call", "content_blocks", "extra_content",
    "messages", "thinking", "signature", "cache_control", "citations", "wire", "value", "title",
    "is_error", "parameters", "input_schema", "strict", "options", "native", "web_search",
    "server_label", "server_url", "allowed_tools", "tools", "mode", "json_schema", "schema",
    "budget_tokens", "index", "delta", "content_block", "message", "usage", "stop_reason",
    "input_tokens", "output_tokens", "iterations", "partial_json", "citation", "annotations",
    "url_citation", "refusal", "choices", "finish_reason", "reasoning_content", "$ref", "$defs",
    "properties", "items", "anyOf", "additionalProperties", "block", "call", "extra", "caller",
])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-5, 10**9) | st.floats(allow_nan=False) | WORDS
ANYTHING = st.recursive(
    LEAVES | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=16,
)
OBJECT = st.dictionaries(KEYS, ANYTHING, max_size=6)
TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": ANYTHING},
        optional={
            "tool_calls": st.lists(OBJECT, max_size=3),
            "content_blocks": st.lists(OBJECT, max_size=3),
            "extra_content": OBJECT,
            "tool_call_id": WORDS,
            "function_call": OBJECT,
            "cache_control": ANYTHING,
            "refusal": ANYTHING,
        },
    )
    | OBJECT,
    max_size=4,
)
TOP = [
    "system", "tools", "tool_choice", "max_tokens", "max_completion_tokens", "stop",
    "stop_sequences", "temperature", "top_p", "top_k", "thinking", "reasoning_effort",
    "response_format", "output_config", "output_format", "metadata", "user", "service_tier",
    "mcp_servers", "functions", "function_call", "web_search_options", "anthropic_beta", "n",
    "parallel_tool_calls", "stream",
]  # fmt: skip
REQUESTS = st.fixed_dictionaries(
    {"messages": TURNS}, optional={name: ANYTHING | st.lists(OBJECT, max_size=3) for name in TOP}
)
MODELS = st.sampled_from([
    "claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-4-6", "claude-sonnet-4-5",
    "claude-3-5-haiku-latest", "never-heard-of-it",
])  # fmt: skip
EXAMPLES = settings(max_examples=120, deadline=None)


@EXAMPLES
@given(body=REQUESTS | OBJECT, model=MODELS)
@example(body={"messages": [{"role": "user", "content": [{"type": []}]}]}, model="claude-opus-5-5")
@example(body={"messages": [], "max_tokens": 2.0**64}, model="claude-opus-5-5")
def test_any_hub_request_is_written_or_refused(body: JSON, model: str) -> None:
    try:
        sent = MESSAGES_CODEC.encode_request(body, context(model))
    except InvalidRequest as refusal:
        assert refusal.param
        return

    again = MESSAGES_CODEC.encode_request(orjson.loads(orjson.dumps(body)), context(model))
    assert orjson.dumps(sent.body) == orjson.dumps(again.body)


@EXAMPLES
@given(body=REQUESTS | OBJECT, model=MODELS)
def test_any_request_at_the_door_is_read_or_refused(body: JSON, model: str) -> None:
    for door in (MESSAGES_DOOR, COUNT_TOKENS_DOOR):
        try:
            read = door.decode_request(body, {}, Headers())
        except InvalidRequest as refusal:
            assert refusal.param
            continue
        assert 1 <= estimate(read.body)
        for codec in (MESSAGES_CODEC, COUNT_TOKENS_CODEC):
            try:
                orjson.dumps(codec.encode_request(read.body, context(model)).body)
            except InvalidRequest as refusal:
                assert refusal.param


@EXAMPLES
@given(body=OBJECT)
def test_any_answer_is_read_and_written(body: JSON) -> None:
    MESSAGES.usage(body)
    MESSAGES.is_answer(body)
    MESSAGES.body_error(body, "p")
    read = MESSAGES_CODEC.decode_response(body, context("m"))
    orjson.dumps(MESSAGES_DOOR.encode_response(read, context("m")))


@EXAMPLES
@given(message=OBJECT | st.fixed_dictionaries({"content": ANYTHING}))
def test_any_hub_answer_is_written(message: JSON) -> None:
    body = {"choices": [{"message": message}], "usage": message.get("usage")}

    orjson.dumps(MESSAGES_DOOR.encode_response(body, context("m")))


@EXAMPLES
@given(bodies=st.lists(OBJECT, max_size=6))
def test_any_event_is_read(bodies: list[JSON]) -> None:
    decoder, watch = MESSAGES_CODEC.decode_stream(context("m")), MESSAGES.watch(None, "p")
    chunks = []
    for body in bodies:
        raw = orjson.dumps(body)
        event = Event(b"data: " + raw + b"\n\n", None, raw)
        watch.feed(event)
        chunks += decoder.feed(event)
    orjson.dumps([*chunks, *decoder.close()])
    encoder = MESSAGES_DOOR.encode_stream(context("m"))
    written = b"".join([*(encoder.feed(chunk) for chunk in chunks), encoder.close()])

    gathered(written, schema=False)


ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"index": st.integers(0, 2)},
        optional={
            "type": st.sampled_from(["text", "thinking", "redacted_thinking", "opaque"]),
            "text": st.text(max_size=3),
            "thinking": st.text(max_size=3),
            "signature": st.text(max_size=3),
            "data": st.text(max_size=3),
            "citations": ANYTHING,
        },
    ),
    max_size=3,
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {"index": st.integers(0, 2)},
        optional={
            "id": WORDS,
            "function": st.fixed_dictionaries(
                {}, optional={"name": WORDS, "arguments": st.sampled_from(["{", "}", "{}", ""])}
            ),
            "extra_content": OBJECT,
        },
    ),
    max_size=3,
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | st.text(max_size=3),
        "reasoning_content": st.none() | st.text(max_size=3),
        "refusal": st.none() | st.text(max_size=3),
        "content_blocks": ENTRIES,
        "tool_calls": CALLS,
        "annotations": ANYTHING,
    },
)


@EXAMPLES
@given(deltas=st.lists(DELTAS | OBJECT, max_size=8))
def test_any_chunks_become_a_stream_of_the_grammar(deltas: list[JSON]) -> None:
    encoder = MESSAGES_DOOR.encode_stream(context("m"))
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    raw = b"".join([*(encoder.feed(chunk) for chunk in chunks), encoder.close()])

    try:
        message = gathered(raw, schema=False)
    except orjson.JSONDecodeError:
        pytest.fail("no event may be other than JSON")
    except ValueError:
        return  # arguments that were no JSON go out as they came
    texts = "".join(one["text"] for one in message["content"] if one["type"] == "text")
    for delta in deltas:
        if "content_blocks" not in delta and isinstance(delta.get("content"), str):
            assert delta["content"] in texts
