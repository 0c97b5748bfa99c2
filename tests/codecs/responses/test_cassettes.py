"""Recorded chat traffic out at the Responses door, and recorded Responses requests in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.codecs.chat import CHAT_CODEC
from llmgateway.codecs.responses import RESPONSES, RESPONSES_DOOR
from llmgateway.errors import InvalidRequest
from llmgateway.types.http import Headers
from tests.codecs.cassettes import Cassette, cassettes
from tests.codecs.chat.test_cassettes import chat_params
from tests.codecs.crossing import calls_of, context, crossed, cuts, recorded_answer, split
from tests.codecs.grammar import check_responses, sse
from tests.codecs.schemas import check

recut = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
streams = pytest.mark.parametrize("cassette", chat_params("sse"))
answers = pytest.mark.parametrize("cassette", chat_params("json"))


def check_response(recorded: dict[str, Any], response: dict[str, Any]) -> None:
    """Hold a Response against what was recorded of the first choice."""
    output = response["output"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    text = "".join(part["text"] for part in parts if part["type"] == "output_text")
    refusal = "".join(part["refusal"] for part in parts if part["type"] == "refusal")
    thoughts = [item for item in output if item["type"] == "reasoning"]
    calls = [item for item in output if item["type"] == "function_call"]

    assert recorded["text"] == text or json.loads(recorded["text"]) == json.loads(text)
    assert recorded["refusal"] == refusal
    assert recorded["thinking"] == "".join(
        part["text"] for item in thoughts for part in item["summary"]
    )
    assert all(item["encrypted_content"] for item in thoughts)
    assert calls_of(recorded) == [(call["name"], json.loads(call["arguments"])) for call in calls]


@streams
def test_a_stream_crosses_without_loss(cassette: Cassette) -> None:
    raw = crossed(CHAT_CODEC, RESPONSES_DOOR, split([cassette.raw]), context())
    response = check_responses(raw)
    recorded = recorded_answer(
        cassette.chunks(), pieces=lambda choice: choice.get("delta") or choice.get("message")
    )
    watch, mine = (RESPONSES.watch(None, "acme"), cassette.format.watch(None, "acme"))
    for event in split([raw]):
        watch.feed(event)
    for event in split([cassette.raw]):
        mine.feed(event)

    check_response(recorded[0], response)
    assert watch.ended_well
    assert mine.usage == watch.usage


@streams
def test_a_stream_obeys_the_schema(cassette: Cassette) -> None:
    """Each kind of event is checked as often as it looks different; they take 2 ms each."""
    raw = crossed(CHAT_CODEC, RESPONSES_DOOR, split([cassette.raw]), context())
    seen: dict[str, int] = {}
    for name, data in sse(raw):
        seen[str(name)] = seen.get(str(name), 0) + 1
        if seen[str(name)] <= 3:
            check("ResponseStreamEvent", json.loads(data))


@recut
@given(data=st.data())
@streams
def test_a_stream_cut_anywhere_crosses_the_same(cassette: Cassette, data: st.DataObject) -> None:
    whole = crossed(CHAT_CODEC, RESPONSES_DOOR, split([cassette.raw]), context())
    pieces = data.draw(cuts(cassette.raw))

    assert whole == crossed(CHAT_CODEC, RESPONSES_DOOR, split(pieces), context())


@answers
def test_an_answer_crosses_without_loss(cassette: Cassette) -> None:
    ctx = context()
    hub = CHAT_CODEC.decode_response(cassette.body, ctx)
    response = RESPONSES_DOOR.encode_response(hub, ctx)
    recorded = recorded_answer([cassette.body], pieces=lambda choice: choice["message"])

    check("Response", response)
    check_response(recorded[0], response)
    assert cassette.format.usage(cassette.body) == RESPONSES.usage(response)


def recorded_requests() -> list[Any]:
    """Return the recorded requests of the format."""
    found = [
        pytest.param(cassette, id=cassette.id)
        for cassette in cassettes()
        if cassette.format is RESPONSES and cassette.request is not None and cassette.status < 400
    ]
    absent = pytest.mark.skip(reason="no recordings beside the project")
    return found or [pytest.param(None, marks=absent)]


@pytest.mark.parametrize("cassette", recorded_requests())
def test_a_recorded_request_is_read(cassette: Cassette) -> None:
    request = cassette.request or {}
    if "prompt" in request:
        with pytest.raises(InvalidRequest) as caught:
            RESPONSES_DOOR.decode_request(request, {}, Headers())
        assert "prompt" == caught.value.param
        return
    read = RESPONSES_DOOR.decode_request(request, {}, Headers())
    sent = CHAT_CODEC.encode_request(read.body, context(model=""))
    messages = sent.body["messages"]
    given = request["input"] if isinstance(request["input"], list) else []
    calls = [call for message in messages for call in message.get("tool_calls", ())]

    assert read.stream == (cassette.wire == "sse")
    assert [i["call_id"] for i in given if i.get("type") == "function_call"] == [
        call["id"] for call in calls
    ]
    assert [i["call_id"] for i in given if i.get("type") == "function_call_output"] == [
        message["tool_call_id"] for message in messages if message["role"] == "tool"
    ]
    for text in _texts(request):
        assert json.dumps(text)[1:-1] in json.dumps(messages)


@pytest.mark.parametrize("cassette", recorded_requests())
def test_the_same_request_gives_the_same_bytes(cassette: Cassette) -> None:
    """A provider's prompt cache goes by them."""
    request = cassette.request or {}
    if "prompt" in request:
        pytest.skip("it is refused")
    reads = [
        CHAT_CODEC.encode_request(
            RESPONSES_DOOR.decode_request(json.loads(json.dumps(request)), {}, Headers()).body,
            context(),
        )
        for _ in range(2)
    ]

    assert json.dumps(reads[0].body) == json.dumps(reads[1].body)


def _texts(request: dict[str, Any]) -> list[str]:
    given = request["input"]
    if isinstance(given, str):
        return [given]
    texts = [request["instructions"]] if request.get("instructions") else []
    for item in given:
        content = item.get("content") if "role" in item else item.get("output")
        if isinstance(content, str):
            texts.append(content)
        elif item.get("type") != "additional_tools" and isinstance(content, list):
            texts += [part["text"] for part in content if "text" in part]
    return texts
