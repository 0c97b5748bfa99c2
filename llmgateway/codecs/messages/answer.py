"""A whole answer of the API → the hub's."""

from __future__ import annotations

from typing import Any

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context
from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.blocks import Turn, dump, read_content
from llmgateway.codecs.messages.citations import annotations_of
from llmgateway.codecs.messages.shape import as_list
from llmgateway.codecs.messages.structured import json_tool
from llmgateway.codecs.messages.usage import read_usage
from llmgateway.codecs.messages.words import finish_of
from llmgateway.types import JSON


def decode(body: JSON, ctx: Context) -> JSON:
    """Read a message as a chat completion."""
    content = _unwrapped(body.get("content"), json_tool(ctx.request, ctx.capabilities))
    turn = read_content(content)
    stop_reason = body.get("stop_reason")
    answer: JSON = {
        "id": body.get("id") or ctx.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": ctx.now,
        "model": body.get("model") or ctx.model,
        "choices": [
            {
                "index": 0,
                "message": _message(turn, body.get("stop_details")),
                "finish_reason": finish_of(stop_reason, has_calls=bool(turn.calls)),
                "native_finish_reason": stop_reason,
                "logprobs": None,
            }
        ],
    }
    usage = read_usage(body.get("usage"))
    if usage is not None:
        answer["usage"] = hub.counters(usage)
    return answer


def _message(turn: Turn, stop_details: Any) -> JSON:
    text = hub.text_of_blocks(turn.blocks)
    message: JSON = {"role": "assistant", "content": text if text or not turn.calls else None}
    message["refusal"] = refusal_of(stop_details)
    if turn.blocks:
        message["content_blocks"] = turn.blocks
    thoughts = [
        block["thinking"]
        for block in turn.blocks
        if block.get("type") == "thinking" and isinstance(block.get("thinking"), str)
    ]
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    if annotations := _annotations(turn.blocks):
        message["annotations"] = annotations
    if turn.calls:
        message["tool_calls"] = turn.calls
    return message


def refusal_of(stop_details: Any) -> str | None:
    """Return the words of a refusal, where the API gives a reason."""
    words = stop_details.get("explanation") if isinstance(stop_details, dict) else None
    return words if isinstance(words, str) and words else None


def _annotations(blocks: list[Block]) -> list[JSON]:
    found: list[JSON] = []
    offset = 0
    for block in blocks:
        if block.get("type") == "text":
            found += annotations_of(block, offset)
            offset += len(block["text"]) if isinstance(block.get("text"), str) else 0
    return found


def _unwrapped(content: Any, tool: str | None) -> Any:
    """Return the content with the call of the JSON tool as the text that it stands for."""
    if tool is None:
        return content
    return [
        {"type": "text", "text": dump(item.get("input"))}
        if isinstance(item, dict) and item.get("type") == "tool_use" and item.get("name") == tool
        else item
        for item in as_list(content)
    ]
