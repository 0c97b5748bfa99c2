"""What guardrails write in Messages: a message put into a request, and a stream's end."""

from __future__ import annotations

from typing import Any, Final

import orjson

from llmgateway.codecs.messages.shape import as_list, kind_of
from llmgateway.types import JSON

_LEADING: Final = frozenset({"tool_result", "thinking", "redacted_thinking"})
"""Blocks that must come first in their messages."""


def insert(body: JSON, role: str, text: str) -> None:
    """Add a message to a request, in place; implements `Format.insert`.

    As a block within the last message of the role that says something of its own, since turns
    alternate and the results of tools must follow their calls at once.
    """
    if role in ("system", "developer"):
        body["system"] = [_text(text), *_blocks(body.get("system"))] if body.get("system") else text
        return
    role = "assistant" if role == "assistant" else "user"
    messages = body.get("messages")
    if not isinstance(messages, list):
        messages = body["messages"] = []
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == role:
            blocks = _blocks(message.get("content"))
            own = [at for at, block in enumerate(blocks) if kind_of(block) not in _LEADING]
            if own:
                message["content"] = [*blocks[: own[0]], _text(text), *blocks[own[0] :]]
                return
    messages.append({"role": role, "content": text})


def _text(text: str) -> JSON:
    return {"type": "text", "text": text}


def _blocks(content: Any) -> list[Any]:
    """Return content as blocks; the API refuses those that have no text."""
    if isinstance(content, str):
        return [_text(content)] if content else []
    return as_list(content)


class MessagesDenial:
    """Ends a stream as refused; implements `Denial`."""

    def __init__(self) -> None:
        self._open: dict[int, None] = {}
        self._output_tokens = 0

    def see(self, event: JSON) -> None:
        """Take the next event that went out."""
        kind, index = event.get("type"), event.get("index")
        if kind == "content_block_start" and isinstance(index, int):
            self._open[index] = None
        elif kind == "content_block_stop" and isinstance(index, int):
            self._open.pop(index, None)
        elif kind in ("message_start", "message_delta"):
            message = event.get("message")
            usage = (message if isinstance(message, dict) else event).get("usage")
            tokens = usage.get("output_tokens") if isinstance(usage, dict) else None
            self._output_tokens = tokens if isinstance(tokens, int) else self._output_tokens

    def write(self, hook_results: JSON) -> bytes:
        """Return the ends of the open blocks, and the reason with the results beside it.

        No `message_stop`: the error event that follows ends the stream.
        """
        events: list[JSON] = [
            {"type": "content_block_stop", "index": index} for index in self._open
        ]
        self._open.clear()
        delta = {
            "stop_reason": "refusal",
            "stop_sequence": None,
            "stop_details": {"type": "refusal", "category": None, "explanation": None},
        }
        usage = {"output_tokens": self._output_tokens}
        told = {"delta": delta, "usage": usage, "hook_results": hook_results}
        events.append({"type": "message_delta", **told})
        return b"".join(map(_framed, events))

    def report(self, hook_results: JSON) -> bytes | None:
        """Return None: `message_stop` tells them itself; of pings, clients see nothing."""
        return None


def _framed(event: JSON) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))
