"""Reads a provider's whole chat completion into the hub's form."""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.base import Context
from llmgateway.codecs.chat.pieces import (
    argument_text,
    calls_of,
    finish_reason,
    pieces_of,
    sane_members,
    signed_details,
)
from llmgateway.codecs.chat.turns import WIRE
from llmgateway.codecs.choices import usage_object
from llmgateway.codecs.hub import Block, append, counters, text_of_blocks
from llmgateway.codecs.usage import read_usage
from llmgateway.types import JSON


def decode_response(body: JSON, ctx: Context) -> JSON:
    """Read an answer; members that we do not know stay where they are."""
    choices = body.get("choices")
    found = choices if isinstance(choices, list) else []
    answer: JSON = {
        **body,
        "id": body.get("id") or ctx.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": body.get("created") or ctx.now,
        "model": body.get("model") or ctx.model,
        "choices": [
            _choice(choice, number, ctx)
            for number, choice in enumerate(found)
            if isinstance(choice, dict)
        ],
    }
    usage = read_usage(usage_object(body))
    answer.pop("usage", None)
    return answer if usage is None else {**answer, "usage": counters(usage)}


def _choice(choice: JSON, number: int, ctx: Context) -> JSON:
    message = choice.get("message")
    read = _message(message if isinstance(message, dict) else {}, ctx)
    word = choice.get("finish_reason")
    return {
        **choice,
        "index": number,
        "message": read,
        "finish_reason": finish_reason(word, bool(read.get("tool_calls"))),
        "native_finish_reason": choice.get("native_finish_reason") or word or None,
    }


def _message(message: JSON, ctx: Context) -> JSON:
    blocks = _blocks(message)
    read = sane_members(message)
    read["role"] = "assistant"
    read["content"] = text_of_blocks(blocks) or None
    if blocks:
        read["content_blocks"] = blocks
    if thinking := "".join(b["thinking"] for b in blocks if b["type"] == "thinking"):
        read["reasoning_content"] = thinking
    if calls := calls_of(message):
        read["tool_calls"] = [_call(call, ctx) for call in calls]
    return read


def _blocks(message: JSON) -> list[Block]:
    blocks: list[Block] = []
    for kind, value in pieces_of(message):
        if kind == "opaque":
            blocks.append({"type": kind, "wire": WIRE, "value": value})
        elif blocks and blocks[-1]["type"] == kind:
            append(blocks[-1], kind, value)
        else:
            blocks.append({"type": kind, kind: value})
    if details := signed_details(message.get("reasoning_details")):
        blocks.append({"type": "opaque", "wire": WIRE, "value": {"reasoning_details": details}})
    return blocks


def _call(call: JSON, ctx: Context) -> JSON:
    """Return a call with its id and its arguments as text."""
    read: dict[str, Any] = {key: value for key, value in call.items() if key != "index"}
    read["id"] = str(call.get("id") or ctx.new_id("call_"))
    kind, member = ("custom", "input") if isinstance(call.get("custom"), dict) else _FUNCTION
    given = call.get(kind)
    within: JSON = given if isinstance(given, dict) else {}
    text = argument_text(within.get(member)) or ("{}" if kind == "function" else "")
    function = {**within, "name": str(within.get("name") or ""), member: text}
    return {**read, "type": kind, kind: function}


_FUNCTION: Final = ("function", "arguments")
