"""What providers of the format really sent, through format, codec and doors.

General properties, so that a new recording is a new test.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.codecs import hub
from llmgateway.codecs.base import EventKind
from llmgateway.codecs.chat import CHAT_DOOR
from llmgateway.codecs.generate_content import (
    COUNT_TOKENS,
    COUNT_TOKENS_CODEC,
    COUNT_TOKENS_DOOR,
    EMBED_CODEC,
    EMBED_CONTENT,
    EMBED_DOOR,
    GENERATE_CONTENT,
    GENERATE_CONTENT_CODEC,
    GENERATE_CONTENT_DOOR,
)
from llmgateway.types.http import Headers
from llmgateway.types.usage import Usage
from tests.codecs.crossing import context, crossed, cuts, hub_chunks, split
from tests.codecs.generate_content.grammar import check_stream
from tests.codecs.generate_content.recordings import NEVER_FINISHED, Recording, params, said
from tests.codecs.generate_content.schemas import check
from tests.codecs.grammar import check_chat
from tests.codecs.schemas import check as check_openai

CHAT = "generate_content"
recut = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
streams = pytest.mark.parametrize("recording", params(api=CHAT, is_stream=True, status=200))
sse_streams = pytest.mark.parametrize("recording", params(api=CHAT, is_sse=True, status=200))
answers = pytest.mark.parametrize("recording", params(api=CHAT, is_stream=False, status=200))
both = pytest.mark.parametrize("compliance", [True, False], ids=["strict", "loose"])

FINISHES = {
    "STOP": "stop",
    "RECITATION": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    None: "stop",
}


def judged(recording: Recording, events: list[Any]) -> tuple[Any, ...]:
    """Return all that a watch says of a stream."""
    watch = GENERATE_CONTENT.watch(recording.request, "acme")
    kinds = [watch.feed(event) for event in events]
    return kinds, watch.usage, watch.ended_well, watch.owed(), str(watch.error)


def check_usage(metadata: dict[str, Any] | None, usage: Usage | None) -> None:
    """Hold the parts against the provider's own figures."""
    if not metadata or "totalTokenCount" not in metadata:
        assert usage is None
        return
    assert usage is not None
    assert metadata["totalTokenCount"] == usage.total
    assert metadata.get("thoughtsTokenCount", 0) == usage.reasoning
    assert metadata.get("cachedContentTokenCount", 0) == usage.cache_read


def check_message(recorded: dict[str, Any], message: dict[str, Any], finish: str) -> None:
    """Hold a choice against what was recorded: no text lost, calls whole and in order."""
    calls = message.get("tool_calls") or []
    assert recorded["text"] == (message.get("content") or "")
    assert recorded["thinking"] == message.get("reasoning_content", "")
    assert [call["name"] for call in recorded["calls"]] == [c["function"]["name"] for c in calls]
    for theirs, ours in zip(recorded["calls"], calls, strict=True):
        arguments = json.loads(ours["function"]["arguments"])
        assert theirs.get("args", arguments) == arguments
        assert theirs.get("id", ours["id"]) == ours["id"]
    assert len(calls) == len({call["id"] for call in calls})
    assert finish == ("tool_calls" if calls else FINISHES[recorded["finish"]])


# ---- format


@streams
def test_a_stream_is_judged_by_its_end(recording: Recording) -> None:
    kinds, usage, ended_well, owed, _ = judged(recording, recording.events())

    assert (recording.id not in NEVER_FINISHED) == ended_well
    assert EventKind.ERROR not in kinds and b"" == owed
    counted = [a["usageMetadata"] for a in recording.answers() if "usageMetadata" in a]
    check_usage(counted[-1] if counted else None, usage)


@pytest.mark.parametrize(
    "recording", [p for p in params(is_sse=True) if "error-mid-stream" in (p.id or "")]
)
def test_an_error_as_bare_json_after_the_events_is_seen(recording: Recording) -> None:
    """No `data:` comes before it, so it is what the splitter has left at the end."""
    from llmgateway.codecs.base import Event, Framing
    from llmgateway.codecs.sse import SSESplitter

    splitter = SSESplitter(Framing.SSE, 10**6)
    events = [*splitter.feed(recording.raw), *splitter.flush()]
    events.append(Event(splitter.rest, None, b""))
    kinds, _, ended_well, *_ = judged(recording, events)

    assert (EventKind.ERROR, False) == (kinds[-1], ended_well)


@recut
@given(data=st.data())
@sse_streams
def test_a_stream_cut_anywhere_reads_the_same(recording: Recording, data: st.DataObject) -> None:
    pieces = data.draw(cuts(recording.raw))

    assert judged(recording, split([recording.raw])) == judged(recording, split(pieces))
    assert hub_chunks(GENERATE_CONTENT_CODEC, split([recording.raw]), context()) == hub_chunks(
        GENERATE_CONTENT_CODEC, split(pieces), context()
    )


@recut
@given(data=st.data())
@sse_streams
def test_a_stream_cut_short_is_seen(recording: Recording, data: st.DataObject) -> None:
    events = recording.events()
    enders = [at for at, event in enumerate(events) if b"Reason" in event.data]
    first = enders[0] if enders else len(events)
    length = sum(len(event.raw) for event in events[:first])
    end = data.draw(st.integers(0, length))

    assert judged(recording, split([recording.raw[:end]]))[2] is False


@answers
def test_a_whole_answer_is_read(recording: Recording) -> None:
    assert GENERATE_CONTENT.is_answer(recording.body)
    assert GENERATE_CONTENT.body_error(recording.body, "acme") is None
    check_usage(recording.body.get("usageMetadata"), GENERATE_CONTENT.usage(recording.body))


@pytest.mark.parametrize(
    "recording", [p for p in params() if p.values[0] is None or p.values[0].status >= 400]
)
def test_an_error_keeps_its_words(recording: Recording) -> None:
    error = GENERATE_CONTENT.decode_error(
        recording.status, recording.headers, recording.raw, "acme"
    )
    told = recording.body["error"]

    assert (recording.status, told["message"]) == (error.status, error.message)
    assert (told["status"], told["status"]) == (error.type, error.code)
    assert told.get("details", []) == error.extra.get("details", [])
    shown = GENERATE_CONTENT.encode_error(error, "r1")["error"]
    assert (recording.status, told["status"]) == (shown["code"], shown["status"])
    assert told.get("details", []) == shown["details"][: len(told.get("details", []))]
    wrapped = GENERATE_CONTENT.decode_error(
        recording.status, Headers(), b"[" + recording.raw + b"]", "acme"
    )
    assert (error.message, error.code) == (wrapped.message, wrapped.code)


# ---- codec, and out at the chat door


@both
@streams
def test_a_stream_crosses_to_chat_without_loss(recording: Recording, compliance: bool) -> None:
    ctx = context(compliance=compliance)
    raw = crossed(GENERATE_CONTENT_CODEC, CHAT_DOOR, recording.events(), ctx)
    usage = judged(recording, recording.events())[1]
    answer = check_chat(raw, asked=True)
    recorded = said(recording.answers())

    if usage is not None:
        assert usage.total == answer["usage"]["total_tokens"]
    for index, choice in enumerate(answer["choices"]):
        if recorded:
            check_message(recorded[index], choice["message"], choice["finish_reason"])
        else:
            assert "content_filter" == choice["finish_reason"] and choice["message"]["refusal"]


@both
@answers
def test_an_answer_crosses_to_chat_without_loss(recording: Recording, compliance: bool) -> None:
    ctx = context(compliance=compliance)
    decoded = GENERATE_CONTENT_CODEC.decode_response(recording.body, ctx)
    shown = CHAT_DOOR.encode_response(decoded, ctx)
    recorded = said(recording.answers())

    assert GENERATE_CONTENT.usage(recording.body) == hub.usage_of(decoded.get("usage"))
    if compliance:
        check_openai("CreateChatCompletionResponse", shown)
    for index, choice in enumerate(shown["choices"]):
        if recorded:
            check_message(recorded[index], choice["message"], choice["finish_reason"])
        else:
            assert "content_filter" == choice["finish_reason"] and choice["message"]["refusal"]


@streams
def test_a_stream_adds_up_to_what_the_whole_says(recording: Recording) -> None:
    """The same parts in one answer give the same texts, calls and signatures."""
    chunks = hub_chunks(GENERATE_CONTENT_CODEC, recording.events(), context())
    blocks: dict[int, Any] = {}
    signatures = []
    for chunk in chunks:
        for choice in chunk["choices"]:
            hub.merge_blocks(blocks, choice["delta"].get("content_blocks"))
            for call in choice["delta"].get("tool_calls") or ():
                signatures.append((call.get("extra_content") or {}).get("thought_signature"))
    recorded = said(recording.answers()).get(0)
    merged = [blocks[index] for index in sorted(blocks)]
    signatures += [block.get("signature") for block in merged]

    assert list(range(len(blocks))) == sorted(blocks)
    if recorded is not None:
        assert recorded["text"] == hub.text_of_blocks(merged)
        assert sorted(recorded["signatures"]) == sorted(filter(None, signatures))


@answers
def test_the_next_turn_gives_the_parts_back(recording: Recording) -> None:
    """Answer → history → request is the identity on parts that say something."""
    for candidate in recording.body.get("candidates") or ():
        parts = candidate.get("content", {}).get("parts") or []
        ctx = context()
        decoded = GENERATE_CONTENT_CODEC.decode_response(recording.body, ctx)
        message = decoded["choices"][0]["message"]
        body = {"messages": [{"role": "user", "content": "hi"}, message]}
        encoded = GENERATE_CONTENT_CODEC.encode_request(body, ctx).body
        back = encoded["contents"][1]["parts"] if parts else []
        for part in back:
            if "id" in part.get("functionCall", {}) and "call_" in part["functionCall"]["id"]:
                del part["functionCall"]["id"]
        assert [p for p in parts if p != {"text": ""}] == back


# ---- doors


@streams
def test_a_stream_comes_out_at_the_door(recording: Recording) -> None:
    raw = crossed(GENERATE_CONTENT_CODEC, GENERATE_CONTENT_DOOR, recording.events(), context())
    answer = check_stream(raw)
    usage = judged(recording, recording.events())[1]

    if usage is not None:
        assert usage == GENERATE_CONTENT.usage({"usageMetadata": answer["usage"]})
    for index, recorded in said(recording.answers()).items():
        candidate = answer["candidates"][index]
        shown = said([{"candidates": [{**candidate, "content": candidate}]}])[index]
        signed, unsigned = recorded["signatures"], shown["signatures"]
        refusal = candidate.get("finishMessage", "")
        assert recorded["text"] in (shown["text"], shown["text"].removesuffix(refusal))
        assert (recorded["thinking"], signed) == (shown["thinking"], unsigned)
        assert len(recorded["calls"]) == len(shown["calls"])


@answers
def test_an_answer_comes_out_at_the_door(recording: Recording) -> None:
    ctx = context()
    decoded = GENERATE_CONTENT_CODEC.decode_response(recording.body, ctx)
    shown = GENERATE_CONTENT_DOOR.encode_response(decoded, ctx)

    check("GenerateContentResponse", shown)
    assert GENERATE_CONTENT.usage(recording.body) == GENERATE_CONTENT.usage(shown)
    ours = said([shown])
    for index, recorded in said(recording.answers()).items():
        names = [call["name"] for call in recorded["calls"]]
        assert names == [call["name"] for call in ours[index]["calls"]]
        assert (
            recorded["text"] == ours[index]["text"]
            and recorded["thinking"] == (ours[index]["thinking"])
        )
        assert recorded["signatures"] == ours[index]["signatures"]


@pytest.mark.parametrize(
    "recording", [p for p in params(api=CHAT) if p.values[0] is None or p.values[0].request]
)
def test_a_request_passes_door_and_codec(recording: Recording) -> None:
    """What the door reads and the codec writes again is valid, and says the same."""
    assert recording.request is not None
    params = {"model": "gemini-3-flash-preview", "operation": "generateContent"}
    decoded = GENERATE_CONTENT_DOOR.decode_request(recording.request, params, Headers())
    encoded = GENERATE_CONTENT_CODEC.encode_request(decoded.body, context()).body

    check("GenerateContentRequest", encoded)
    theirs = [p for c in recording.request["contents"] for p in c["parts"]]
    ours = [p for c in encoded["contents"] for p in c["parts"]]
    assert [p.get("thoughtSignature") for p in theirs] == [p.get("thoughtSignature") for p in ours]
    assert [p.get("text") for p in theirs] == [p.get("text") for p in ours]
    assert [p.get("functionCall", {}).get("args") for p in theirs] == [
        p.get("functionCall", {}).get("args") for p in ours
    ]


# ---- embeddings and counts


@pytest.mark.parametrize("recording", params(api="embed_content", status=200))
def test_embeddings_cross(recording: Recording) -> None:
    ctx = context(model="gemini-embedding-2", door_request=recording.request)
    assert recording.request is not None
    assert EMBED_CONTENT.is_answer(recording.body)
    decoded = EMBED_DOOR.decode_request(recording.request, {"model": ctx.model}, Headers())
    encoded = EMBED_CODEC.encode_request(decoded.body, ctx)
    answer = EMBED_CODEC.decode_response(recording.body, ctx)
    shown = EMBED_DOOR.encode_response(answer, ctx)

    check("EmbedContentRequest", encoded.body)
    check_openai("CreateEmbeddingResponse", answer)
    assert recording.body["embeddings"] == shown["embeddings"]
    assert recording.body["usageMetadata"]["promptTokenCount"] == answer["usage"]["total_tokens"]


@pytest.mark.parametrize("recording", params(api="count_tokens", status=200))
def test_counts_cross(recording: Recording) -> None:
    if recording.id.startswith("gemini"):
        assert recording.request is not None
        ctx = context(model="gemini-3.5-flash")
        assert COUNT_TOKENS.is_answer(recording.body)
        decoded = COUNT_TOKENS_DOOR.decode_request(recording.request, {}, Headers())
        encoded = COUNT_TOKENS_CODEC.encode_request(decoded.body, ctx)
        count = COUNT_TOKENS_CODEC.decode_response(recording.body, ctx)

        check("CountTokensRequest", encoded.body)
        assert {"input_tokens": recording.body["totalTokens"]} == count
        assert {"totalTokens": 11} == COUNT_TOKENS_DOOR.encode_response(count, ctx)
