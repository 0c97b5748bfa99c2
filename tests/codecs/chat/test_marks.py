"""What the chat door wrote into a history, and what it must leave there."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.chat import CHAT_DOOR
from tests.codecs.crossing import JSON

GOOGLES = {"google": {"thought_signature": "c2ln"}}
ASK = {"role": "user", "content": "Hi", "extra_content": {"content_blocks": []}}


def cleaned(turn: JSON) -> tuple[JSON, tuple[str, ...]]:
    body: JSON = {"model": "m", "messages": [ASK, turn]}
    plain = CHAT_DOOR.without_marks(body)
    assert (plain.body is body) == (not plain.adjusted)
    assert ASK is plain.body["messages"][0]
    return plain.body["messages"][1], plain.adjusted


def call(**members: Any) -> JSON:
    function = {"name": "f", "arguments": "{}"}
    return {"id": "c", "type": "function", "function": function, **members}


def turn(**members: Any) -> JSON:
    return {"role": "assistant", "content": "Hello", **members}


KEPT = {"content_blocks": [{"index": 0, "type": "thinking", "thinking": "hm", "at": 0}]}
BLOCKS = "messages.content_blocks"
EXTRA = "messages.extra_content"
CALLS = "messages.tool_calls.extra_content"
OURS = {"thought_signature": "s", "blocks_before": 1, "messages": {"index": 0}}


@pytest.mark.parametrize(
    ("given", "left", "named"),
    [
        (turn(extra_content=KEPT, reasoning_content="hm"), turn(), (BLOCKS, EXTRA)),
        (turn(extra_content={**KEPT, **GOOGLES}), turn(extra_content=GOOGLES), (BLOCKS, EXTRA)),
        (turn(**KEPT, images=[], audio={}, annotations=[]), turn(), (BLOCKS,)),
        (turn(content=None, **KEPT), turn(content=""), (BLOCKS,)),
        (turn(tool_calls=[call(extra_content=OURS)]), turn(tool_calls=[call()]), (CALLS,)),
        (
            turn(tool_calls=[call(), call(extra_content={**GOOGLES, **OURS})]),
            turn(tool_calls=[call(), call(extra_content=GOOGLES)]),
            (CALLS,),
        ),
        (
            turn(
                tool_calls=[call(function={"name": "f", "arguments": "", "thought_signature": "s"})]
            ),
            turn(tool_calls=[call(function={"name": "f", "arguments": ""})]),
            (CALLS,),
        ),
    ],
    ids=["strict", "beside-googles", "loose", "blocks-alone", "call", "second-call", "portkeys"],
)
def test_our_members_go(given: JSON, left: JSON, named: tuple[str, ...]) -> None:
    assert (left, named) == cleaned(given)


@pytest.mark.parametrize(
    "given",
    [
        turn(reasoning_content="hm", annotations=[], images=[{}]),
        turn(extra_content=GOOGLES, tool_calls=[call(extra_content=GOOGLES)]),
        turn(extra_content="?", tool_calls="?"),
        turn(extra_content={}, tool_calls=["?", {"function": "?"}]),
    ],
    ids=["reasoning", "googles", "no-objects", "no-calls"],
)
def test_what_others_wrote_stays(given: JSON) -> None:
    assert (given, ()) == cleaned(given)


@pytest.mark.parametrize("body", [{}, {"messages": "?"}, {"messages": ["?"]}])
def test_a_body_without_history_stays_as_it_is(body: JSON) -> None:
    assert body is CHAT_DOOR.without_marks(body).body
