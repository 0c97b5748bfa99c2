"""Answer → the next turn's history → the provider's request: what must come back comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.base import Event
from llmgateway.codecs.chat import CHAT_DOOR
from llmgateway.codecs.hub import Block, merge_blocks
from llmgateway.codecs.messages import MESSAGES_CODEC, MESSAGES_DOOR
from llmgateway.types.http import Headers
from tests.codecs.messages.grammar import gathered
from tests.codecs.messages.recordings import context, split

JSON = dict[str, Any]

WORDS = st.text(min_size=1, max_size=12).filter(str.strip)
IDS = st.from_regex(r"toolu_[A-Za-z0-9]{6}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
INPUTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=3)


def block(kind: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Block]:
    return st.fixed_dictionaries({"type": st.just(kind), **members})


TEXT = block("text", text=WORDS)
CITED = block(
    "text",
    text=WORDS,
    citations=st.lists(
        block(
            "page_location",
            cited_text=WORDS,
            document_index=st.integers(0, 3),
            document_title=WORDS,
            start_page_number=st.just(1),
            end_page_number=st.just(2),
        ),
        min_size=1,
        max_size=2,
    ),
)
THINKING = block("thinking", thinking=st.text(max_size=12), signature=WORDS)
REDACTED = block("redacted_thinking", data=WORDS)
SEARCH = block("server_tool_use", id=IDS, name=st.just("web_search"), input=INPUTS)
FOUND = block("web_search_tool_result", tool_use_id=IDS, content=st.just([]))
CALL = block("tool_use", id=IDS, name=st.just("find"), input=INPUTS)
CONTENT = st.lists(
    st.one_of(TEXT, CITED, THINKING, REDACTED, SEARCH, FOUND, CALL), min_size=1, max_size=7
)


def ids_differ(content: list[Block]) -> bool:
    ids = [one["id"] for one in content if "id" in one]
    return len(ids) == len(set(ids))


CONTENT = CONTENT.filter(ids_differ)


def message(content: list[Block]) -> JSON:
    has_calls = any(one["type"] == "tool_use" for one in content)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-6",
        "content": content,
        "stop_reason": "tool_use" if has_calls else "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def events(content: list[Block]) -> list[Event]:
    """Return a stream of a message, pieces and all."""
    bodies: list[JSON] = [
        {"type": "message_start", "message": {**message([]), "stop_reason": None}}
    ]
    for index, one in enumerate(content):
        bodies += [{**body, "index": index} for body in block_events(one)]
    reason = {"stop_reason": message(content)["stop_reason"]}
    bodies += [{"type": "message_delta", "delta": reason, "usage": {"output_tokens": 1}}]
    raws = [orjson.dumps(body) for body in [*bodies, {"type": "message_stop"}]]
    return split([b"data: " + raw + b"\n\n" for raw in raws])


def block_events(one: Block) -> list[JSON]:
    start, deltas = dict(one), []
    for name, kind in (("text", "text_delta"), ("thinking", "thinking_delta")):
        if name in one:
            start[name] = ""
            deltas += [{"type": kind, name: piece} for piece in halves(one[name])]
    if one["type"] == "thinking":
        start["signature"] = ""
        deltas.append({"type": "signature_delta", "signature": one["signature"]})
    if "input" in one:
        start["input"] = {}
        raw = orjson.dumps(one["input"]).decode() if one["input"] else ""
        deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in halves(raw)]
    for citation in start.pop("citations", []):
        deltas.append({"type": "citations_delta", "citation": citation})
    return [
        {"type": "content_block_start", "content_block": start},
        *({"type": "content_block_delta", "delta": delta} for delta in deltas),
        {"type": "content_block_stop"},
    ]


def halves(text: str) -> list[str]:
    return [piece for piece in (text[: len(text) // 2], text[len(text) // 2 :]) if piece]


def sent_back(turn: JSON) -> list[Block]:
    """Return what the provider gets of an assistant's turn in the next request."""
    calls = turn.get("tool_calls") or []
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in calls
    ] or [{"role": "user", "content": "And?"}]
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", **turn}, *results]
    asked = {"model": "m", "messages": messages, "reasoning_effort": "low"}
    ctx = context("claude-sonnet-4-6")
    body = CHAT_DOOR.decode_request(asked, {}, Headers()).body
    sent = MESSAGES_CODEC.encode_request(body, ctx).body["messages"]
    assert ["user", "assistant", "user"] == [one["role"] for one in sent]
    assert [call["id"] for call in calls] == [
        one["tool_use_id"] for one in sent[2]["content"] if one["type"] == "tool_result"
    ]
    content: list[Block] = sent[1]["content"]
    return content


@pytest.mark.parametrize("compliance", [True, False])
@settings(max_examples=150, deadline=None)
@given(content=CONTENT)
def test_blocks_come_back_through_the_chat_door(content: list[Block], compliance: bool) -> None:
    ctx = replace(context("claude-sonnet-4-6"), compliance=compliance)
    read = MESSAGES_CODEC.decode_response(message(content), ctx)
    answer = CHAT_DOOR.encode_response(read, ctx)

    assert content == sent_back(answer["choices"][0]["message"])


@pytest.mark.parametrize("compliance", [True, False])
@settings(max_examples=150, deadline=None)
@given(content=CONTENT)
def test_streamed_blocks_come_back_too(content: list[Block], compliance: bool) -> None:
    """A client gathers deltas as OpenAI's SDK and LangChain do: lists by index, texts appended."""
    request = {"stream": True, "stream_options": {"include_usage": True}}
    ctx = replace(context("claude-sonnet-4-6"), compliance=compliance, request=request)
    decoder, encoder = MESSAGES_CODEC.decode_stream(ctx), CHAT_DOOR.encode_stream(ctx)
    chunks = [chunk for event in events(content) for chunk in decoder.feed(event)]
    raw = b"".join(encoder.feed(chunk) for chunk in [*chunks, *decoder.close()]) + encoder.close()

    assert content == sent_back(client_turn(raw))


def client_turn(raw: bytes) -> JSON:
    turn: JSON = {"content": ""}
    blocks: dict[int, Block] = {}
    calls: dict[int, JSON] = {}
    for event in split([raw])[:-1]:
        for choice in orjson.loads(event.data)["choices"]:
            delta = choice["delta"]
            turn["content"] += delta.get("content") or ""
            if "extra_content" in delta:
                turn["extra_content"] = delta["extra_content"]
            for entry in delta.get("content_blocks", []):
                inner = entry.pop("delta", {})
                merge_blocks(blocks, [{**entry, **inner}])
            for call in delta.get("tool_calls", []):
                known = calls.setdefault(call["index"], {"function": {"arguments": ""}})
                known["function"]["arguments"] += call.get("function", {}).get("arguments", "")
                name = call.get("function", {}).get("name")
                known["function"] |= {"name": name} if name else {}
                known |= {key: call[key] for key in ("id", "type", "extra_content") if key in call}
    if blocks:
        turn["content_blocks"] = [one for _, one in sorted(blocks.items())]
    if calls:
        turn["tool_calls"] = [one for _, one in sorted(calls.items())]
    return turn


@settings(max_examples=150, deadline=None)
@given(content=CONTENT)
def test_blocks_come_back_through_the_messages_door(content: list[Block]) -> None:
    """As a client of Messages whose target is translated to Messages again, elsewhere served."""
    ctx = context("claude-sonnet-4-6")
    read = MESSAGES_CODEC.decode_response(message(content), ctx)
    whole = MESSAGES_DOOR.encode_response(read, ctx)["content"]
    decoder, encoder = MESSAGES_CODEC.decode_stream(ctx), MESSAGES_DOOR.encode_stream(ctx)
    chunks = [chunk for event in events(content) for chunk in decoder.feed(event)]
    raw = b"".join(encoder.feed(chunk) for chunk in [*chunks, *decoder.close()]) + encoder.close()
    streamed = gathered(raw)["content"]

    assert content == without_nulls(whole) == without_nulls(streamed)
    assert content == through_door(whole) == through_door(streamed)


def without_nulls(content: list[Block]) -> list[Block]:
    return [{key: value for key, value in one.items() if value is not None} for one in content]


def through_door(content: list[Block]) -> list[Block]:
    results = [
        {"type": "tool_result", "tool_use_id": one["id"], "content": "done"}
        for one in content
        if one["type"] == "tool_use"
    ]
    turns = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": [*results, {"type": "text", "text": "And?"}]},
    ]
    asked = MESSAGES_DOOR.decode_request({"model": "m", "messages": turns}, {}, Headers()).body
    sent = MESSAGES_CODEC.encode_request(asked, context("claude-sonnet-4-6")).body
    found: list[Block] = sent["messages"][1]["content"]
    return found


# ---- what other providers sign

FOREIGN = st.one_of(
    block("text", text=WORDS, signature=WORDS),
    block("text", text=st.just(""), signature=WORDS),
    block("opaque", wire=st.just("generate_content"), value=INPUTS),
    block("thinking", thinking=WORDS, signature=WORDS),
    TEXT,
)


@settings(max_examples=150, deadline=None)
@given(blocks=st.lists(FOREIGN, min_size=1, max_size=5), signature=WORDS)
def test_what_another_provider_signs_survives_a_client_of_messages(
    blocks: list[Block], signature: str
) -> None:
    calls = [
        {
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": "find", "arguments": f'{{"n":{n}}}'},
            **({"extra_content": {"thought_signature": signature}} if n == 0 else {}),
        }
        for n in range(2)
    ]
    text = "".join(one.get("text", "") for one in blocks if one["type"] == "text")
    answer: JSON = {"content": text, "content_blocks": blocks, "tool_calls": calls}
    ctx = context("m")
    whole = MESSAGES_DOOR.encode_response({"choices": [{"message": answer}]}, ctx)["content"]
    encoder = MESSAGES_DOOR.encode_stream(ctx)
    chunks = [{"content_blocks": [{"index": n, **one}]} for n, one in enumerate(blocks)] + [
        {"tool_calls": [{"index": n, **call} for n, call in enumerate(calls)]}
    ]
    raw = b"".join(encoder.feed({"choices": [{"index": 0, "delta": one}]}) for one in chunks)
    streamed = gathered(raw + encoder.close())["content"]

    for content in (whole, streamed):
        turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]
        asked = MESSAGES_DOOR.decode_request({"model": "m", "messages": turns}, {}, Headers())
        turn = asked.body["messages"][1]
        assert calls == turn["tool_calls"]
        if "content_blocks" in turn:
            assert blocks == [
                {key: value for key, value in one.items() if value is not None}
                for one in turn["content_blocks"]
            ]
        else:
            assert text == turn["content"]
