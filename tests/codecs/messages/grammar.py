"""What a stream of the format must obey, and what its events add up to.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from __future__ import annotations

import json
from typing import Any

from tests.codecs.messages.recordings import split
from tests.codecs.messages.schemas import check_event

JSON = dict[str, Any]

_PIECES = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
_FITTING = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}


def gathered(raw: bytes, *, schema: bool = True) -> JSON:
    """Return the message that a stream adds up to; fails at the first breach of the grammar."""
    events = split([raw])
    assert b"".join(event.raw for event in events) == raw
    bodies: list[JSON] = []
    for event in events:
        body = json.loads(event.data)
        assert event.name == body["type"]
        if schema:
            check_event(body)
        bodies.append(body)
    kinds = [body["type"] for body in bodies]
    assert kinds[0] == "message_start" and kinds.count("message_start") == 1
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("message_delta") == kinds.count("message_stop") == 1

    message: JSON = bodies[0]["message"]
    assert message["content"] == [] and message["stop_reason"] is None
    message["content"] = _blocks(bodies[1:-2])
    message |= bodies[-2]["delta"]
    message["usage"] = {**message["usage"], **bodies[-2]["usage"]}
    return message


def _blocks(bodies: list[JSON]) -> list[JSON]:
    blocks: list[JSON] = []
    pieces: list[str] = []
    is_open = False
    for body in bodies:
        kind = body["type"]
        if kind == "content_block_start":
            assert not is_open and body["index"] == len(blocks)
            is_open, pieces = True, []
            blocks.append(dict(body["content_block"]))
            continue
        assert is_open and body["index"] == len(blocks) - 1
        if kind == "content_block_stop":
            is_open = False
            if pieces:
                blocks[-1]["input"] = json.loads("".join(pieces))
            continue
        assert kind == "content_block_delta"
        _apply(blocks[-1], body["delta"], pieces)
    assert not is_open
    return blocks


def _apply(block: JSON, delta: JSON, pieces: list[str]) -> None:
    kind = delta["type"]
    assert _FITTING[kind] == block["type"]
    if kind == "input_json_delta":
        pieces.append(delta["partial_json"])
    elif kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or []), delta["citation"]]
    else:
        block[_PIECES[kind]] += delta[_PIECES[kind]]
