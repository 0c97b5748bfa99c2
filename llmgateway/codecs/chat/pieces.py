"""Reads what providers put into a message or a delta: text, thinking, calls, finish reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from llmgateway.codecs.hub import texts_of
from llmgateway.types import JSON

_FINISHES: Final = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "max_length": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "context_length_exceeded": "length",
    "insufficient_system_resource": "length",
    "safety": "content_filter",
    "refusal": "content_filter",
    "sensitive": "content_filter",
    "recitation": "content_filter",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
"""OpenAI's word for each of the providers' own; whatever is missing (`eos`, …) is a `stop`."""
REASONING_MEMBERS: Final = ("reasoning_content", "reasoning")


def finish_reason(word: object, has_calls: bool) -> str:
    """Return OpenAI's finish reason; calls of tools end with `tool_calls`, however they are told.

    Source: https://platform.openai.com/docs/api-reference/chat/object#chat-object-choices
    """
    found = _FINISHES.get(word.lower(), "stop") if isinstance(word, str) else "stop"
    return "tool_calls" if has_calls and found == "stop" else found


def pieces_of(message: JSON) -> Iterator[tuple[str, Any]]:
    """Yield what a message or delta says, in order: `thinking`, `text` and `opaque` pieces."""
    if thinking := _thinking(message):
        yield "thinking", thinking
    content = message.get("content")
    if isinstance(content, str):
        if content:
            yield "text", content
    elif isinstance(content, list):
        for part in content:
            yield from _of_part(part)
    elif isinstance(content, dict):  # Cloudflare's JSON mode (seen 2026-01)
        yield "text", orjson.dumps(content).decode()


def _thinking(message: JSON) -> str:
    for member in REASONING_MEMBERS:
        text = message.get(member)
        if isinstance(text, str) and text:
            return text
    details = message.get("reasoning_details")
    if not isinstance(details, list):
        return ""
    return "".join(
        text
        for detail in details
        if isinstance(detail, dict) and isinstance(text := detail.get("text"), str)
    )


def _of_part(part: Any) -> Iterator[tuple[str, Any]]:
    """Read one part of content; Mistral and Databricks think in parts of their own."""
    kind = part.get("type") if isinstance(part, dict) else "text"
    if isinstance(kind, str) and kind in _THOUGHTS:
        text = "".join(texts_of(part.get(_THOUGHTS[kind])))
        piece = ("thinking", text)
    elif kind == "text":
        piece = ("text", "".join(texts_of([part])))
    else:
        yield "opaque", part
        return
    if piece[1]:
        yield piece


_THOUGHTS: Final = {"thinking": "thinking", "reasoning": "summary"}
"""By the type of a part that holds thoughts: the member that holds them."""


def signed_details(details: object) -> list[JSON]:
    """Return OpenRouter's reasoning details if they hold what must come back with the next turn.

    Source: https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks
    """
    if not isinstance(details, list):
        return []
    found = [detail for detail in details if isinstance(detail, dict)]
    return found if any(detail.get("signature") or detail.get("data") for detail in found) else []


def sane_members(message: JSON) -> JSON:
    """Return the members of a message or delta that are handed on as they are.

    One of a kind that callers cannot read is left out.
    """
    return {
        key: value
        for key, value in message.items()
        if value and key in _HANDED_ON and isinstance(value, _HANDED_ON[key])
    }


_HANDED_ON: Final[Mapping[str, type]] = {
    "refusal": str,
    "audio": dict,
    "annotations": list,
    "images": list,
    "executed_tools": list,
    "extra_content": dict,
}


def legacy_call(message: JSON) -> list[JSON]:
    """Return a call as functions had it before tools; empty where there is none."""
    call = message.get("function_call")
    if not isinstance(call, dict) or not (call.get("name") or call.get("arguments")):
        return []
    return [{"index": 0, "type": "function", "function": call}]


def argument_text(arguments: object) -> str:
    """Return a call's arguments as JSON text; some providers send the object itself."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else orjson.dumps(arguments).decode()


def calls_of(message: JSON) -> list[JSON]:
    """Return the calls in a message or delta, the older form as the newer."""
    calls = message.get("tool_calls")
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return found or legacy_call(message)
