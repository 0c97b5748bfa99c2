"""What providers of the format really sent, through the codec and out at the chat door."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.codecs.chat import CHAT, CHAT_CODEC, CHAT_DOOR
from llmgateway.codecs.hub import usage_of
from llmgateway.types.http import Headers
from tests.codecs.cassettes import Cassette, cassettes
from tests.codecs.crossing import (
    calls_of,
    context,
    crossed,
    cuts,
    hub_chunks,
    recorded_answer,
    split,
)
from tests.codecs.grammar import chat_chunks, check_chat
from tests.codecs.schemas import check

recut = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def chat_params(wire: str) -> list[Any]:
    """Return the chat recordings of one wire that succeeded."""
    found = [
        pytest.param(cassette, id=cassette.id)
        for cassette in cassettes()
        if cassette.format is CHAT
        and cassette.wire == wire
        and cassette.status < 400
        and "stream_error" not in cassette.tags
    ]
    absent = pytest.mark.skip(reason="no recordings beside the project")
    return found or [pytest.param(None, marks=absent)]


streams = pytest.mark.parametrize("cassette", chat_params("sse"))
answers = pytest.mark.parametrize("cassette", chat_params("json"))
both = pytest.mark.parametrize("compliance", [True, False], ids=["strict", "loose"])


def check_choices(recorded: dict[int, Any], shown: list[Any]) -> None:
    """Hold an answer against what was recorded: no text lost, calls whole and in order."""
    assert len(recorded) == len(shown)
    for number, choice in enumerate(shown):
        said, message = recorded[number], choice["message"]
        content, calls = message.get("content") or "", message.get("tool_calls") or []
        assert said["text"] == content or json.loads(said["text"]) == json.loads(content)
        assert said["thinking"] == message.get("reasoning_content", "")
        assert said["refusal"] == (message.get("refusal") or "")
        assert calls_of(said) == [
            (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls
        ]
        assert len(calls) == len({call["id"] for call in calls})
        if calls and choice["finish_reason"] != "length":
            assert "tool_calls" == choice["finish_reason"]


@both
@streams
def test_a_stream_crosses_without_loss(cassette: Cassette, compliance: bool) -> None:
    ctx = context(compliance=compliance)
    raw = crossed(CHAT_CODEC, CHAT_DOOR, split([cassette.raw]), ctx)
    watch = cassette.format.watch(cassette.request, "acme")
    for event in split([cassette.raw]):
        watch.feed(event)
    answer = check_chat(raw, asked=True)
    recorded = recorded_answer(
        cassette.chunks(), pieces=lambda choice: choice.get("delta") or choice.get("message")
    )

    check_choices(recorded, answer["choices"])
    usage = watch.usage
    shown = answer["usage"]
    assert (usage is None) == (shown is None)
    assert usage is None or (usage.total, usage.total_input) == (
        shown["total_tokens"],
        shown["prompt_tokens"],
    )
    for choice in answer["choices"]:
        said = choice["message"].keys() & {"content_blocks", "native_finish_reason"}
        assert not (compliance and said)


@streams
def test_what_is_written_obeys_the_schema(cassette: Cassette) -> None:
    raw = crossed(CHAT_CODEC, CHAT_DOOR, split([cassette.raw]), context())

    for chunk in chat_chunks(raw):
        check("CreateChatCompletionStreamResponse", chunk)


@recut
@given(data=st.data())
@streams
def test_a_stream_cut_anywhere_crosses_the_same(cassette: Cassette, data: st.DataObject) -> None:
    whole = crossed(CHAT_CODEC, CHAT_DOOR, split([cassette.raw]), context())
    pieces = data.draw(cuts(cassette.raw))

    assert whole == crossed(CHAT_CODEC, CHAT_DOOR, split(pieces), context())


@streams
def test_the_hub_gets_a_stream_of_its_own_grammar(cassette: Cassette) -> None:
    """One role first, a finish for each choice at the end, usage last, blocks in order."""
    chunks = hub_chunks(CHAT_CODEC, split([cassette.raw]), context())
    finishes = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    blocks: list[Any] = []
    for chunk in chunks:
        for choice in chunk["choices"]:
            for entry in choice["delta"].get("content_blocks", ()):
                if choice["index"] == 0:
                    assert entry["index"] <= len(blocks)
                    assert (entry["index"] == len(blocks)) == ("type" in entry)
                    blocks += [entry] if "type" in entry else []

    assert {"role": "assistant"} == chunks[0]["choices"][0]["delta"]
    assert "native_finish_reason" in [c for c in chunks if c["choices"]][-1]["choices"][0]
    assert [None] * (len(finishes) - finishes[::-1].index(None)) == finishes[
        : len(finishes) - finishes[::-1].index(None)
    ]
    assert all("usage" not in chunk for chunk in chunks[:-1])


@both
@answers
def test_an_answer_crosses_without_loss(cassette: Cassette, compliance: bool) -> None:
    ctx = context(compliance=compliance)
    hub = CHAT_CODEC.decode_response(cassette.body, ctx)
    answer = CHAT_DOOR.encode_response(hub, ctx)

    recorded = recorded_answer([cassette.body], pieces=lambda choice: choice["message"])
    check_choices(recorded, answer["choices"])
    if (usage := cassette.format.usage(cassette.body)) is not None:
        assert usage == usage_of(hub["usage"])
        assert usage.total == answer["usage"]["total_tokens"]
        assert usage.reasoning == answer["usage"]["completion_tokens_details"]["reasoning_tokens"]


@answers
def test_an_answer_obeys_the_schema(cassette: Cassette) -> None:
    ctx = context()
    answer = CHAT_DOOR.encode_response(CHAT_CODEC.decode_response(cassette.body, ctx), ctx)

    check("CreateChatCompletionResponse", answer)


@pytest.mark.parametrize("cassette", chat_params("sse") + chat_params("json"))
def test_a_request_crosses_unharmed(cassette: Cassette) -> None:
    """Plain requests come out as they went in, but for the name of the limit."""
    if cassette.request is None:
        pytest.skip("the request was not recorded")
    read = CHAT_DOOR.decode_request(cassette.request, {}, Headers())
    sent = CHAT_CODEC.encode_request(read.body, context(model=""))
    before = {key: value for key, value in cassette.request.items() if key in sent.body}

    assert read.stream == (cassette.wire == "sse")
    assert not set(cassette.request) - set(sent.body) - {"max_tokens", "top_k", "thinking"}
    assert {k: v for k, v in before.items() if k not in ("messages", "tools")} == {
        key: sent.body[key] for key in before if key not in ("messages", "tools")
    }
    assert _without_marks(before.get("tools")) == sent.body.get("tools")
    roles = [message["role"] for message in sent.body["messages"]]
    assert len(roles) - len(cassette.request["messages"]) == sum(
        isinstance(message["content"], list)
        and any(p["type"] != "text" for p in message["content"])
        for message in cassette.request["messages"]
        if message["role"] == "tool"
    )


def _without_marks(tools: Any) -> Any:
    return tools and [{k: v for k, v in tool.items() if k != "cache_control"} for tool in tools]
