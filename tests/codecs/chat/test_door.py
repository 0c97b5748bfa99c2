"""What the chat door gives back to history, and what it shows of answers and usage."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.chat import CHAT, CHAT_CODEC, CHAT_DOOR
from llmgateway.codecs.chat.codec import ChatCodec
from llmgateway.codecs.chat.kept import kept_entries, restored
from llmgateway.codecs.chat.turns import Turns
from llmgateway.codecs.chat.usage import any_usage, chat_usage
from llmgateway.codecs.hub import counters
from llmgateway.types.http import Headers
from llmgateway.types.usage import Usage
from tests.codecs.crossing import JSON, context, events_of, hub_chunks, written
from tests.codecs.grammar import chat_chunks, check_chat

SIGNED = {"type": "thinking", "thinking": "hm", "signature": "s"}
MARK = {"type": "ephemeral", "ttl": "1h"}


def decoded(message: JSON) -> JSON:
    """Return a turn as the hub gets it."""
    turn: JSON = CHAT_DOOR.decode_request({"messages": [message]}, {}, Headers()).body["messages"][
        0
    ]
    return turn


def test_the_door_is_of_the_format_and_the_hub() -> None:
    assert (CHAT, "chat") == (CHAT_DOOR.format, CHAT_DOOR.hub)


@pytest.mark.parametrize(
    "body", [{}, {"messages": "?"}, {"messages": ["?", {"role": "user", "content": "x"}]}]
)
def test_a_body_without_history_stays_as_it_is(body: JSON) -> None:
    read = CHAT_DOOR.decode_request(body, {}, Headers())

    assert body == read.body
    assert not read.stream


@pytest.mark.parametrize(
    ("entry", "block"),
    [
        ({"index": 0, "delta": {"thinking": "hm", "signature": "s"}}, SIGNED),
        ({"index": 0, "delta": {"signature": "s"}}, {**SIGNED, "thinking": ""}),
        ({"index": 0, "delta": {"text": "a"}}, {"type": "text", "text": "a"}),
        ({"index": 0, "delta": {"data": "d"}}, {"type": "redacted_thinking", "data": "d"}),
        ({"index": 0, "type": "opaque", "delta": {"wire": "w", "value": 1}},
         {"type": "opaque", "wire": "w", "value": 1}),
        ({"type": "tool_use", "id": "t"}, {"type": "tool_use", "id": "t"}),
        ({"type": "text", "text": 1}, {"type": "text", "text": ""}),
    ],
)  # fmt: skip
def test_blocks_come_back_whole_or_gathered(entry: JSON, block: JSON) -> None:
    turn = decoded({"role": "assistant", "content": "x", "content_blocks": [entry, "?"]})

    assert [block] == turn["content_blocks"]


@pytest.mark.parametrize("entry", [{"type": "opaque"}, {"delta": {}}, {"data": 1}])
def test_a_block_that_says_nothing_is_left_out(entry: JSON) -> None:
    turn = decoded({"role": "assistant", "content": "x", "content_blocks": [entry]})

    assert {"role": "assistant", "content": "x"} == turn


def test_kept_blocks_with_their_texts_are_taken_as_they_are() -> None:
    kept = [SIGNED, {"type": "text", "text": "Hi", "signature": "t"}]
    turn = decoded({"role": "assistant", "content": "", "extra_content": {"content_blocks": kept}})

    assert kept == turn["content_blocks"]
    assert "Hi" == turn["content"]
    assert {} == turn["extra_content"]


def test_cache_marks_of_parts_go_to_the_blocks_that_they_end() -> None:
    parts = [{"type": "text", "text": "ab"}, {"type": "text", "text": "cd", "cache_control": MARK}]
    kept = kept_entries([SIGNED, {"type": "text", "text": "abc"}, SIGNED])
    message = {"role": "assistant", "content": parts, "extra_content": {"content_blocks": kept}}

    assert [
        SIGNED,
        {"type": "text", "text": "abc"},
        SIGNED,
        {"type": "text", "text": "d", "cache_control": MARK},
    ] == restored(message)
    assert parts == decoded(message)["content"]


def test_a_mark_past_all_texts_is_left_out() -> None:
    parts = [{"type": "text", "text": "", "cache_control": MARK}]
    kept = kept_entries([SIGNED])

    assert [SIGNED] == restored({"content": parts, "extra_content": {"content_blocks": kept}})


USAGE = Usage(input=10, input_audio=1, cache_read=4, cache_write=2, cache_write_1h=3,
              output=5, output_audio=6, reasoning=7)  # fmt: skip


def test_usage_has_parts_inside_their_wholes() -> None:
    shown = chat_usage(USAGE)

    assert (20, 18, 38) == tuple(
        shown[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    assert {"cached_tokens": 4, "audio_tokens": 1} == shown["prompt_tokens_details"]
    assert 7 == shown["completion_tokens_details"]["reasoning_tokens"]
    assert (5, 4) == (shown["cache_creation_input_tokens"], shown["cache_read_input_tokens"])


def test_the_cache_is_not_mentioned_where_it_did_nothing() -> None:
    assert "cache_read_input_tokens" not in chat_usage(Usage(input=1))


def test_usage_of_a_provider_counts_too() -> None:
    assert USAGE == any_usage(counters(USAGE))
    assert 3 == (any_usage({"prompt_tokens": 1, "completion_tokens": 2}) or Usage()).total
    assert any_usage(None) is None


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, "?"])
def test_usage_that_nobody_asked_for_is_not_shown(options: Any) -> None:
    ctx = context(request={"stream_options": options})
    chunks: list[JSON] = [
        {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"input": 1}},
    ]

    answer = check_chat(written(CHAT_DOOR, chunks, ctx), asked=False)
    assert "a" == answer["choices"][0]["message"]["content"]


def test_usage_is_shown_once_even_where_nothing_else_is() -> None:
    chunks = [{"choices": [], "usage": {"input": 1}}, {"choices": [], "usage": {"input": 2}}]
    shown = chat_chunks(written(CHAT_DOOR, chunks, context()))

    assert [2] == [chunk["usage"]["prompt_tokens"] for chunk in shown]


def test_all_chunks_have_the_envelope_of_the_first() -> None:
    chunks = [
        {"id": f"p{at}", "created": 7, "model": "pm", "service_tier": "own",
         "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}
        for at in range(2)
    ]  # fmt: skip
    shown = chat_chunks(written(CHAT_DOOR, chunks, context()))

    assert {"p0"} == {chunk["id"] for chunk in shown}
    assert all("service_tier" not in chunk for chunk in shown)
    loose = chat_chunks(written(CHAT_DOOR, chunks, context(compliance=False)))
    assert all("own" == chunk["service_tier"] for chunk in loose)


def test_what_a_choice_has_of_its_own_is_shown_to_the_uncompliant() -> None:
    choice = {"index": 0, "delta": {"role": "assistant"}, "finish_reason": None, "safety": ["x"]}
    strict, loose = (
        chat_chunks(written(CHAT_DOOR, [{"choices": [choice]}], context(compliance=compliance)))
        for compliance in (True, False)
    )

    assert "safety" not in strict[0]["choices"][0]
    assert ["x"] == loose[0]["choices"][0]["safety"]


def test_a_second_finish_is_not_shown() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    shown = chat_chunks(written(CHAT_DOOR, [{"choices": [choice]}] * 2, context()))

    assert [None, "stop"] == [chunk["choices"][0]["finish_reason"] for chunk in shown]


def test_extra_content_of_a_message_stays() -> None:
    message = {"content": "a", "extra_content": {"google": 1}, "content_blocks": [SIGNED]}
    answer = CHAT_DOOR.encode_response({"choices": [{"message": message}]}, context())
    extra = answer["choices"][0]["message"]["extra_content"]

    assert {"google": 1, "content_blocks": [{"index": 0, **SIGNED, "at": 0}]} == extra


def test_a_dialect_takes_its_reasoning_and_extras_back() -> None:
    codec = ChatCodec(Turns(reasoning_member="reasoning_content", keeps_extra_content=True))
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"thought_signature": "t"}}  # fmt: skip
    turns = [
        {"role": "assistant", "content": "a", "content_blocks": [SIGNED], "tool_calls": [call]},
        {"role": "assistant", "content": "b", "reasoning_content": "plain"},
        {"role": "assistant", "content": None, "tool_calls": "?"},
        {"role": "assistant", "content": "c", "tool_calls": ["?"], "extra_content": {"x": 1}},
    ]
    sent = codec.encode_request({"messages": turns}, context())
    first, second, third, fourth = sent.body["messages"]

    assert ("hm", [call]) == (first["reasoning_content"], first["tool_calls"])
    assert "plain" == second["reasoning_content"]
    assert {"role": "assistant", "content": ""} == third
    assert (["?"], {"x": 1}) == (fourth["tool_calls"], fourth["extra_content"])
    assert () == sent.adjusted


def test_messages_that_are_none_are_the_providers_to_refuse() -> None:
    assert ["?"] == CHAT_CODEC.encode_request({"messages": ["?"]}, context()).body["messages"]
    assert 1 == CHAT_CODEC.encode_request({"messages": 1}, context()).body["messages"]
    assert 1 == CHAT_CODEC.encode_request({"tools": 1}, context()).body["tools"]


def test_a_call_that_never_got_a_name_is_handed_on_all_the_same() -> None:
    pieces = [
        {"id": "c", "function": {"arguments": "{"}},
        {"id": "c", "function": {"arguments": "}"}},
    ]
    events = events_of({"choices": [{"delta": {"tool_calls": pieces}}]})
    chunks = hub_chunks(CHAT_CODEC, events, context())
    calls = [
        call
        for chunk in chunks
        for c in chunk["choices"]
        for call in c["delta"].get("tool_calls", ())
    ]

    assert [("c", {"name": "", "arguments": "{}"})] == [
        (call["id"], call["function"]) for call in calls
    ]
