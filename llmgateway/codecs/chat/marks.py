"""Takes out of a chat history what the chat door wrote into it.

Providers of this format refuse members that they do not know. `extra_content` is also Google's own
word (https://ai.google.dev/gemini-api/docs/openai), so only our keys within it go.
"""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.base import Unmarked
from llmgateway.codecs.hub import EXTRAS
from llmgateway.types import JSON

_EXTRA: Final = "extra_content"
_BLOCKS: Final = "content_blocks"
_BESIDE: Final = frozenset({_BLOCKS, "annotations", "audio", "images", "reasoning_content"})
"""What the door writes of a turn whose blocks it has written, beside OpenAI's own members."""


def without_marks(body: JSON) -> Unmarked:
    """Return the request without our marks; implements `Door.without_marks`."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return Unmarked(body)
    found: dict[str, None] = {}
    cleaned = [_message(message, found) for message in messages]
    return Unmarked({**body, "messages": cleaned}, tuple(found)) if found else Unmarked(body)


def _message(message: Any, found: dict[str, None]) -> Any:
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    turn = message
    if _has_blocks(message):
        found["messages.content_blocks"] = None
        turn = {key: value for key, value in turn.items() if key not in _BESIDE}
        if not turn.get("content") and not turn.get("tool_calls") and not turn.get("refusal"):
            turn["content"] = ""  # it had nothing but blocks, and null is refused
    if (plain := _without_extras(turn)) is not turn:
        found["messages.extra_content"] = None
    calls = plain.get("tool_calls")
    if not isinstance(calls, list):
        return plain
    cleaned = [_call(call) for call in calls]
    if all(new is old for new, old in zip(cleaned, calls, strict=True)):
        return plain
    found["messages.tool_calls.extra_content"] = None
    return {**plain, "tool_calls": cleaned}


def _has_blocks(message: JSON) -> bool:
    extra = message.get(_EXTRA)
    return _BLOCKS in message or (isinstance(extra, dict) and _BLOCKS in extra)


def _call(call: Any) -> Any:
    if not isinstance(call, dict):
        return call
    plain = _without_extras(call)
    function = plain.get("function")
    if isinstance(function, dict) and _SIGNATURE in function:
        # Portkey's place for it, which callers of loose compliance see.
        bare = {key: value for key, value in function.items() if key != _SIGNATURE}
        return {**plain, "function": bare}
    return plain


_SIGNATURE: Final = "thought_signature"


def _without_extras(holder: JSON) -> JSON:
    """Return a message or call without our keys in `extra_content`; itself if there are none."""
    extra = holder.get(_EXTRA)
    if not isinstance(extra, dict) or EXTRAS.isdisjoint(extra):
        return holder
    kept = {key: value for key, value in extra.items() if key not in EXTRAS}
    return {
        key: kept if key == _EXTRA else value
        for key, value in holder.items()
        if key != _EXTRA or kept
    }
