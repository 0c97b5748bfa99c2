"""Whatever a caller or a provider sends: it is read or refused, and what is written holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.base import Door
from llmgateway.codecs.chat import CHAT_CODEC, CHAT_DOOR
from llmgateway.codecs.responses import RESPONSES_DOOR
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.crossing import JSON, context, events_of, hub_chunks, written
from tests.codecs.grammar import check_responses

_KEYS = st.sampled_from(
    """
    allowed_tools annotations arguments at background budget_tokens cache_control call_id choices
    code content content_blocks custom data delta detail effort encrypted_content extra_content
    file file_data file_id file_url finish_reason format function function_call id image_url
    include index input input_audio instructions is_error length max_tokens message messages mode
    name options output parameters previous_response_id reasoning reasoning_content
    reasoning_details reasoning_effort refusal role schema signature stop stream stream_options
    summary text thinking tool_call_id tool_calls tool_choice tools top_k top_logprobs truncation
    type url usage user_location value wire
    """.split()
)
_WORDS = st.sampled_from(
    """
    adaptive allowed_tools assistant chat code_execution custom custom_tool_call disabled enabled
    file function function_call function_call_output image_url input_file input_image input_text
    item_reference json_schema mcp message opaque output_text reasoning redacted_thinking refusal
    system text thinking tool user web_search
    """.split()
)
_SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-1, 1) | st.text() | _WORDS
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=40,
)
_OBJECTS = st.dictionaries(_KEYS, VALUES, max_size=6)
_TURNS = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "?"])},
    optional={
        "content": VALUES | st.lists(_OBJECTS, max_size=3),
        "content_blocks": VALUES | st.lists(_OBJECTS, max_size=3),
        "extra_content": VALUES | st.fixed_dictionaries({"content_blocks": st.lists(_OBJECTS)}),
        "tool_calls": VALUES | st.lists(_OBJECTS, max_size=3),
    },
)
_ITEMS = st.fixed_dictionaries(
    {"type": _WORDS},
    optional={
        "role": st.sampled_from(["user", "assistant", "developer"]),
        "content": VALUES | st.lists(_OBJECTS, max_size=3),
        "output": VALUES | st.lists(_OBJECTS, max_size=3),
        "summary": VALUES,
        "call_id": VALUES | st.just("c"),
        "name": VALUES | st.just("f"),
        "arguments": VALUES | st.just("{}"),
        "encrypted_content": VALUES,
    },
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "messages": VALUES | st.lists(_TURNS | VALUES, max_size=4),
        "input": VALUES | st.lists(_ITEMS | VALUES, max_size=4),
        "tools": VALUES | st.lists(_OBJECTS, max_size=3),
        **{
            name: VALUES
            for name in """
            include instructions max_tokens previous_response_id reasoning reasoning_effort stream
            stream_options text thinking tool_choice top_k top_logprobs truncation
            """.split()
        },
    },
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "choices": VALUES
        | st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "index": st.integers(0, 2) | VALUES,
                    "delta": _OBJECTS,
                    "message": _OBJECTS,
                    "finish_reason": VALUES,
                    "logprobs": VALUES,
                },
            ),
            max_size=3,
        ),
        "usage": VALUES,
    },
)
many = settings(max_examples=100, deadline=None)
doors = pytest.mark.parametrize("door", [CHAT_DOOR, RESPONSES_DOOR], ids=["chat", "responses"])


@many
@given(body=REQUESTS)
@doors
def test_a_request_is_read_or_refused(door: Door, body: JSON) -> None:
    body = json.loads(json.dumps(body))
    before = json.dumps(body)
    try:
        read = door.decode_request(body, {}, Headers())
        sent = CHAT_CODEC.encode_request(read.body, context())
    except InvalidRequest as refusal:
        assert refusal.param
    else:
        assert json.dumps(sent.body)
    assert before == json.dumps(body), "the caller's body was changed"


@many
@given(body=ANSWERS)
@doors
def test_an_answer_is_read_and_shown(door: Door, body: JSON) -> None:
    body = json.loads(json.dumps(body))
    hub = CHAT_CODEC.decode_response(body, context())

    assert json.dumps(door.encode_response(hub, context()))


@many
@given(bodies=st.lists(ANSWERS | VALUES.map(str), max_size=5))
def test_a_stream_is_read_and_shown(bodies: list[Any]) -> None:
    events = events_of(*(json.loads(json.dumps(body)) for body in bodies))
    chunks = hub_chunks(CHAT_CODEC, events, context())

    assert written(CHAT_DOOR, chunks, context()).endswith(b"data: [DONE]\n\n")
    check_responses(written(RESPONSES_DOOR, chunks, context()))
