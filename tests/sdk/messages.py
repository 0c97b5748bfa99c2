"""What the tests of the `anthropic` SDK share: what they ask, and how they read answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
from anthropic.types import Message, TextBlock, ToolUseBlock
from pydantic import BaseModel

from tests.sdk.replay import PIXEL_BASE64

Sdk = Callable[[str], anthropic.Anthropic]

HELLO: Any = [{"role": "user", "content": "Hello you"}]
WEATHER: Any = {
    "name": "weather",
    "description": "Tells the weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
PICTURE: Any = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL_BASE64},
}
FAKE: Any = {"model": "fake", "max_tokens": 64}
CLAUDE: Any = {"model": "claude-opus-4-6", "max_tokens": 4096}
GEMINI: Any = {"model": "gemini-2.5-pro", "max_tokens": 4096}

THINKING_OF_CLAUDE: Any = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-6",
    "content": [
        {"type": "thinking", "thinking": "Two cities.", "signature": "c2lnbmVk"},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 7},
}
THINKING_OF_GEMINI: Any = [
    {"text": "Two cities.", "thought": True},
    {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2lnbmVk"},
    {"functionCall": {"name": "weather", "args": {"city": "Rome"}}},
]
GEMINI_SAYS_FINE: Any = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "Fine."}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
}


class Trip(BaseModel):
    """What a structured answer is to hold."""

    city: str
    nights: int


def text_of(message: Message) -> str:
    """Return all words of a message."""
    return "".join(block.text for block in message.content if isinstance(block, TextBlock))


def calls_of(message: Message) -> list[ToolUseBlock]:
    """Return the tools that a message calls."""
    return [block for block in message.content if isinstance(block, ToolUseBlock)]


def results_of(message: Message, *texts: str) -> Any:
    """Return the turn that answers every call of a message."""
    pairs = zip(calls_of(message), texts, strict=True)
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": text} for call, text in pairs
    ]
    return {"role": "user", "content": results}


def ask(client: anthropic.Anthropic, streamed: bool, **options: Any) -> Message:
    """Ask for a message, as a whole or by the stream helper."""
    if not streamed:
        message: Message = client.messages.create(**options)
        return message
    with client.messages.stream(**options) as stream:
        return stream.get_final_message()


def gemini(parts: Any, finish: str | None = "STOP") -> Any:
    """Return an answer of Gemini's, or a piece of one."""
    ending = {"finishReason": finish} if finish else {}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 5, "thoughtsTokenCount": 2}
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, **ending, "index": 0}],
        "usageMetadata": {**usage, "totalTokenCount": 16},
        "modelVersion": "gemini-2.5-pro",
    }


def events_of(message: Any) -> Iterator[Any]:
    """Yield a message as the events of a stream."""
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        yield from _events_of_block(index, block)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}
    yield {"type": "message_stop"}


def _events_of_block(index: int, block: Any) -> Iterator[Any]:
    begun, deltas = block, []
    if block["type"] == "thinking":
        begun = {**block, "thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    elif block["type"] == "tool_use":
        begun = {**block, "input": {}}
        deltas = [
            {"type": "input_json_delta", "partial_json": '{"city":'},
            {"type": "input_json_delta", "partial_json": ' "Oslo"}'},
        ]
    yield {"type": "content_block_start", "index": index, "content_block": begun}
    yield from ({"type": "content_block_delta", "index": index, "delta": d} for d in deltas)
    yield {"type": "content_block_stop", "index": index}
