"""Answer → history → request is the identity on blocks and calls, whatever the client shows."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming._deltas import accumulate_delta

from llmgateway.codecs.chat import CHAT_DOOR
from llmgateway.types.http import Headers
from tests.codecs.crossing import JSON, context, written
from tests.codecs.grammar import chat_chunks, check_chat
from tests.codecs.turns import messages, streamed, whole

both = pytest.mark.parametrize("compliance", [True, False], ids=["strict", "loose"])


def gathered(raw: bytes) -> JSON:
    """Return the message that the SDK's own function makes of a stream."""
    message: dict[object, object] = {}
    for chunk in chat_chunks(raw):
        for choice in chunk["choices"]:
            accumulate_delta(message, choice["delta"])
    return cast(JSON, message)


def brought_back(message: JSON) -> JSON:
    """Return a turn of a client's history as the hub gets it."""
    body = json.loads(json.dumps({"messages": [message]}))
    turn: JSON = CHAT_DOOR.decode_request(body, {}, Headers()).body["messages"][0]
    return turn


def blocks_of(turn: JSON) -> list[Any]:
    """Return a turn's blocks; a text alone needs none."""
    content = turn.get("content")
    plain = [{"type": "text", "text": content}] if content else []
    return list(turn.get("content_blocks") or plain)


def calls_of(turn: JSON) -> list[JSON]:
    """Return a turn's calls, without the indexes that gathered ones have."""
    calls = turn.get("tool_calls") or []
    return [{key: value for key, value in call.items() if key != "index"} for call in calls]


@both
@given(message=messages())
def test_a_whole_answer_comes_back(compliance: bool, message: JSON) -> None:
    answer = CHAT_DOOR.encode_response(whole(message), context(compliance=compliance))
    turn = brought_back(answer["choices"][0]["message"])

    assert blocks_of(message) == blocks_of(turn)
    assert calls_of(message) == calls_of(turn)


@both
@given(message=messages(), size=st.integers(1, 20))
def test_a_stream_comes_back(compliance: bool, message: JSON, size: int) -> None:
    raw = written(CHAT_DOOR, streamed(message, size), context(compliance=compliance))
    check_chat(raw, asked=True)
    turn = brought_back(gathered(raw))

    assert blocks_of(message) == blocks_of(turn)
    assert calls_of(message) == calls_of(turn)


@given(message=messages())
def test_a_client_that_drops_the_extras_loses_no_text(message: JSON) -> None:
    answer = CHAT_DOOR.encode_response(whole(message), context())
    kept = {"role": "assistant", "content": answer["choices"][0]["message"]["content"]}

    assert (message["content"] or "") == (brought_back(kept)["content"] or "")


@given(message=messages(), text=st.text(max_size=30))
def test_a_changed_text_is_kept_whole(message: JSON, text: str) -> None:
    """Whoever masks or edits `content` has the last word on the text."""
    answer = CHAT_DOOR.encode_response(whole(message), context())
    turn = brought_back({**answer["choices"][0]["message"], "content": text})
    said = "".join(block["text"] for block in blocks_of(turn) if block["type"] == "text")

    assert text == said
