"""Every recorded exchange through format, codec and door."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context, EventKind
from llmgateway.codecs.messages import (
    COUNT_TOKENS,
    COUNT_TOKENS_CODEC,
    COUNT_TOKENS_DOOR,
    MESSAGES,
    MESSAGES_CODEC,
    MESSAGES_DOOR,
    estimate,
)
from llmgateway.types.http import Headers
from tests.codecs.messages.grammar import gathered
from tests.codecs.messages.recordings import (
    UNWHOLE,
    Recording,
    answers,
    context,
    counts,
    errors,
    requests,
    split,
    streams,
)
from tests.codecs.messages.schemas import check_answer, check_request

JSON = dict[str, Any]
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
}


def hub_request(recording: Recording) -> JSON:
    if recording.request is None:
        return {}
    return MESSAGES_DOOR.decode_request(recording.request, {}, Headers()).body


def context_of(recording: Recording) -> Context:
    return context(
        recording.model,
        request=hub_request(recording),
        door_request=recording.request or {},
    )


def message_of(recording: Recording) -> JSON:
    """Return the message that a recorded stream adds up to, by the simplest of means."""
    message: JSON = {}
    texts: dict[int, list[str]] = {}
    for body in recording.data():
        kind = body["type"]
        if kind == "message_start":
            message = body["message"]
        elif kind == "content_block_start":
            message["content"].append(dict(body["content_block"]))
        elif kind == "content_block_delta":
            add(
                message["content"][body["index"]],
                body["delta"],
                texts.setdefault(body["index"], []),
            )
        elif kind == "message_delta":
            message |= body["delta"]
            message["usage"] = {**message["usage"], **body["usage"]}
    for index, pieces in texts.items():
        if pieces:
            message["content"][index]["input"] = orjson.loads("".join(pieces))
    return message


def add(block: JSON, delta: JSON, pieces: list[str]) -> None:
    for key, value in delta.items():
        if key == "partial_json":
            pieces.append(value)
        elif key == "citation":
            block["citations"] = [*(block.get("citations") or []), value]
        elif key != "type":
            block[key] = (block.get(key) or "") + value


def plain(content: list[JSON]) -> list[JSON]:
    """Return blocks without what means nothing: empty citations and texts, SDKs' null members."""
    blocks = [
        {key: value for key, value in block.items() if value not in (None, [], {"type": "direct"})}
        for block in content
    ]
    return [block for block in blocks if block.get("text") != ""]


def chunks_of(pieces: list[bytes], ctx: Context) -> list[JSON]:
    decoder = MESSAGES_CODEC.decode_stream(ctx)
    found = [chunk for event in split(pieces) for chunk in decoder.feed(event)]
    return found + decoder.close()


def written(chunks: list[JSON], ctx: Context) -> bytes:
    encoder = MESSAGES_DOOR.encode_stream(ctx)
    return b"".join([*(encoder.feed(chunk) for chunk in chunks), encoder.close()])


# ---- format


@pytest.mark.parametrize("recording", streams())
def test_a_stream_is_followed_to_its_end(recording: Recording) -> None:
    watch = MESSAGES.watch(recording.request, "p")
    kinds = [watch.feed(event) for event in recording.events()]

    assert watch.ended_well and watch.error is None
    assert EventKind.PRELUDE is kinds[0] and EventKind.CONTENT is kinds[-1]
    assert recording.id in UNWHOLE or b"" == watch.owed()
    usage = watch.usage
    last = [body["usage"] for body in recording.data() if body["type"] == "message_delta"][-1]
    assert usage is not None
    assert usage.total_output >= last["output_tokens"]


@pytest.mark.parametrize("recording", answers())
def test_a_message_is_an_answer_with_its_usage(recording: Recording) -> None:
    usage, figures = MESSAGES.usage(recording.body), recording.body["usage"]

    assert MESSAGES.is_answer(recording.body)
    assert MESSAGES.body_error(recording.body, "p") is None
    assert usage is not None
    if "iterations" not in figures:
        assert usage.total == sum(
            figures.get(name) or 0
            for name in (
                "input_tokens",
                "output_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
            )
        )


@pytest.mark.parametrize("recording", errors())
def test_an_error_keeps_its_status_type_and_words(recording: Recording) -> None:
    error = MESSAGES.decode_error(recording.status, recording.headers, recording.raw, "p")
    said = recording.body["error"]

    assert (recording.status, said["type"], said["message"]) == (
        error.status,
        error.type,
        error.message,
    )
    assert said["type"] == MESSAGES.encode_error(error, "r")["error"]["type"]


# ---- requests


@pytest.mark.parametrize("recording", requests())
def test_a_request_that_crosses_is_valid_and_says_the_same(recording: Recording) -> None:
    assert recording.request is not None
    sent = MESSAGES_CODEC.encode_request(hub_request(recording), context(recording.model)).body

    check_request(sent)
    assert len(sent["messages"]) <= len(recording.request["messages"])
    for kind in ("thinking", "redacted_thinking", "tool_use", "server_tool_use"):
        assert blocks_in(recording.request, kind) == blocks_in(sent, kind)
    assert [block["tool_use_id"] for block in blocks_in(recording.request, "tool_result")] == [
        block["tool_use_id"] for block in blocks_in(sent, "tool_result")
    ]


def blocks_in(request: JSON, kind: str) -> list[JSON]:
    return [
        block
        for turn in request["messages"]
        if isinstance(turn["content"], list)
        for block in turn["content"]
        if block["type"] == kind
    ]


@pytest.mark.parametrize("recording", counts())
def test_a_count_is_read_written_and_estimated(recording: Recording) -> None:
    assert recording.request is not None
    asked = COUNT_TOKENS_DOOR.decode_request(recording.request, {}, Headers()).body
    sent = COUNT_TOKENS_CODEC.encode_request(asked, context(recording.model)).body
    answer = COUNT_TOKENS_CODEC.decode_response(recording.body, context(recording.model))

    check_request(sent, "MessageCountTokensParams")
    assert COUNT_TOKENS.is_answer(recording.body) and COUNT_TOKENS.usage(recording.body) is None
    assert recording.body == COUNT_TOKENS_DOOR.encode_response(answer, context("m"))
    assert answer["input_tokens"] / 4 < estimate(asked) < answer["input_tokens"] * 4


# ---- answers


@pytest.mark.parametrize("recording", answers())
def test_a_message_goes_through_the_hub_unchanged(recording: Recording) -> None:
    ctx = context_of(recording)
    read = MESSAGES_CODEC.decode_response(recording.body, ctx)
    message = MESSAGES_DOOR.encode_response(read, ctx)

    if "compaction" not in recording.tags:
        check_answer(message)
    assert plain(recording.body["content"]) == plain(message["content"])
    assert recording.body["stop_reason"] == message["stop_reason"]
    assert FINISH[recording.body["stop_reason"]] == read["choices"][0]["finish_reason"]
    usage = MESSAGES.usage(recording.body)
    assert usage is not None and hub.counters(usage) == read["usage"]


@pytest.mark.parametrize("recording", streams())
def test_a_stream_says_what_a_whole_message_would(recording: Recording) -> None:
    ctx = context_of(recording)
    chunks = chunks_of([recording.raw], ctx)
    has_betas = bool({"mcp", "compaction"} & recording.tags)
    message = gathered(written(chunks, ctx), schema=not has_betas)
    watch = MESSAGES.watch(None, "p")
    for event in recording.events():
        watch.feed(event)

    assert watch.usage is not None
    assert hub.counters(watch.usage) == chunks[-1]["usage"]
    assert sum(1 for chunk in chunks if finish_of(chunk)) == 1
    assert watch.usage.total_output == message["usage"]["output_tokens"]
    if recording.id in UNWHOLE:
        return
    whole = message_of(recording)
    read = MESSAGES_CODEC.decode_response(whole, ctx)["choices"][0]
    assert plain(whole["content"]) == plain(message["content"])
    assert whole["stop_reason"] == message["stop_reason"]
    assert (read["finish_reason"], read["native_finish_reason"]) == next(
        (finish_of(chunk), chunk["choices"][0]["native_finish_reason"])
        for chunk in chunks
        if finish_of(chunk)
    )
    assert parsed(read["message"]) == parsed(merged(chunks))


def finish_of(chunk: JSON) -> str | None:
    reason: str | None = chunk["choices"][0]["finish_reason"] if chunk["choices"] else None
    return reason


def merged(chunks: list[JSON]) -> JSON:
    """Return the message that clients gather from chunks."""
    message: JSON = {"role": None, "content": "", "refusal": None}
    blocks: dict[int, hub.Block] = {}
    calls: dict[int, JSON] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["role"] = delta.get("role") or message["role"]
            for name in ("content", "reasoning_content"):
                if delta.get(name):
                    message[name] = message.get(name, "") + delta[name]
            if delta.get("annotations"):
                message["annotations"] = [*message.get("annotations", []), *delta["annotations"]]
            hub.merge_blocks(blocks, delta.get("content_blocks"))
            for call in delta.get("tool_calls", []):
                merge_call(calls.setdefault(call["index"], {}), call)
    if blocks:
        message["content_blocks"] = [block for _, block in sorted(blocks.items())]
    if calls:
        message["tool_calls"] = [call for _, call in sorted(calls.items())]
        message["content"] = message["content"] or None
    return message


def parsed(message: JSON) -> JSON:
    """Return a message with the arguments of its calls read: streams may space them otherwise."""
    for call in message.get("tool_calls", []):
        call["function"]["arguments"] = orjson.loads(call["function"]["arguments"])
    return message


def merge_call(call: JSON, piece: JSON) -> None:
    for key, value in piece.items():
        if key == "function":
            function = call.setdefault("function", {"name": "", "arguments": ""})
            for name, text in value.items():
                function[name] += text
        elif key != "index":
            call[key] = value


@pytest.mark.parametrize("recording", streams())
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
        HealthCheck.too_slow,
    ],
)
@given(data=st.data())
def test_a_stream_may_be_cut_anywhere(recording: Recording, data: st.DataObject) -> None:
    ctx = context(recording.model)
    raw = recording.raw
    places = data.draw(st.lists(st.integers(1, len(raw) - 1), max_size=40))
    edges = [0, *sorted(places), len(raw)]
    pieces = [raw[start:end] for start, end in zip(edges, edges[1:], strict=False)]

    assert whole_chunks(recording) == chunks_of(pieces, ctx)


_WHOLE: dict[str, list[JSON]] = {}


def whole_chunks(recording: Recording) -> list[JSON]:
    if recording.id not in _WHOLE:
        _WHOLE[recording.id] = chunks_of([recording.raw], context(recording.model))
    return _WHOLE[recording.id]


@pytest.mark.parametrize("recording", streams())
def test_a_stream_cut_at_every_byte_has_the_same_events(recording: Recording) -> None:
    raw = recording.raw[:20_000]
    bytewise = split([raw[n : n + 1] for n in range(len(raw))])

    assert [event.raw for event in bytewise] == [event.raw for event in split([raw])]
