"""Reads a provider's stream of chat chunks into the hub's.

A finish reason is handed on at the end only: some providers send more after it, and a stream that
breaks off must not look finished.
"""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.base import Context, Event
from llmgateway.codecs.chat.calls import Calls
from llmgateway.codecs.chat.pieces import (
    calls_of,
    finish_reason,
    pieces_of,
    sane_members,
    signed_details,
)
from llmgateway.codecs.chat.turns import WIRE
from llmgateway.codecs.choices import parse_object, usage_object
from llmgateway.codecs.hub import append, counters
from llmgateway.codecs.sse import DONE
from llmgateway.codecs.usage import read_usage
from llmgateway.types import JSON
from llmgateway.types.usage import Usage

_OWN: Final = frozenset({"id", "object", "created", "model", "choices", "usage", "obfuscation"})


class ChatReader:
    """Reads one stream; implements `StreamDecoder`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._envelope: JSON = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        self._is_over = False

    def feed(self, event: Event) -> list[JSON]:
        """Take the next event."""
        if event.data.startswith(DONE):
            return self.close()
        chunk = parse_object(event.data)
        found = chunk.get("choices")
        usage = usage_object(chunk)
        if usage:
            self._usage = read_usage(usage) or self._usage
        if not isinstance(found, list) or not found:
            return []
        envelope = self._envelope or self._open(chunk)
        others = {k: v for k, v in chunk.items() if k not in _OWN and v is not None}
        chunks: list[JSON] = []
        for choice in found:
            if isinstance(choice, dict):
                for piece in self._choice(choice).read(choice):
                    chunks.append({**envelope, **others, "choices": [piece]})
        return chunks

    def close(self) -> list[JSON]:
        """Return what a good end owes: calls without arguments, the finish reasons, the usage."""
        if self._is_over:
            return []
        self._is_over = True
        envelope = self._envelope or self._open({})
        chunks: list[JSON] = [
            {**envelope, "choices": [piece]}
            for _, choice in sorted(self._choices.items())
            for piece in choice.close()
        ]
        if self._usage is not None:
            chunks.append({**envelope, "choices": [], "usage": counters(self._usage)})
        return chunks

    def _open(self, chunk: JSON) -> JSON:
        self._envelope = {
            "id": chunk.get("id") or self._ctx.new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": chunk.get("created") or self._ctx.now,
            "model": chunk.get("model") or self._ctx.model,
        }
        return self._envelope

    def _choice(self, choice: JSON) -> _Choice:
        index = choice.get("index")
        number = index if isinstance(index, int) else 0
        found = self._choices.get(number)
        if found is None:
            found = self._choices[number] = _Choice(number, self._ctx)
        return found


class _Choice:
    """What is known of one choice of a stream."""

    def __init__(self, number: int, ctx: Context) -> None:
        self._number = number
        self._calls = Calls(ctx)
        self._is_begun = False
        self._has_text = False
        self._kind: str | None = None
        self._block = -1
        self._details: dict[int, JSON] = {}
        self._word: str | None = None
        self._native: str | None = None

    def read(self, choice: JSON) -> list[JSON]:
        """Return the hub's pieces of the next chunk's choice."""
        pieces = []
        if not self._is_begun:
            self._is_begun = True
            pieces.append(self._piece({"role": "assistant"}))
        message, is_whole = choice.get("delta"), False
        if not isinstance(message, dict):
            message, is_whole = choice.get("message"), True
        delta = self._delta(message, is_whole) if isinstance(message, dict) else {}
        piece = self._piece(delta)
        for key, value in choice.items():
            if value is not None and key not in _READ:
                piece[key] = value
        if delta or len(piece) > 3:
            pieces.append(piece)
        self._word = choice.get("finish_reason") or self._word
        self._native = choice.get("native_finish_reason") or self._native
        return pieces

    def close(self) -> list[JSON]:
        """Return what is owed."""
        pieces = []
        if calls := self._calls.close():
            pieces.append(self._piece({"tool_calls": calls}))
        if details := signed_details([detail for _, detail in sorted(self._details.items())]):
            block = self._entry("opaque", {"reasoning_details": details})
            pieces.append(self._piece({"content_blocks": [block]}))
        end = self._piece({})
        end["finish_reason"] = finish_reason(self._word, bool(self._calls))
        end["native_finish_reason"] = self._native or self._word
        return [*pieces, end]

    def _piece(self, delta: JSON) -> JSON:
        return {"index": self._number, "delta": delta, "finish_reason": None}

    def _delta(self, message: JSON, is_whole: bool) -> JSON:
        """Return a delta of the hub; a whole message at the end repeats what was streamed."""
        delta = sane_members(message)
        if not (is_whole and self._has_text):
            self._read_texts(message, delta)
        if isinstance(details := message.get("reasoning_details"), list):
            self._gather(details)
        if calls := self._calls.feed(calls_of(message), whole=is_whole):
            delta["tool_calls"] = calls
        return delta

    def _read_texts(self, message: JSON, delta: JSON) -> None:
        entries = []
        for kind, value in pieces_of(message):
            entries.append(self._entry(kind, value))
            if kind != "opaque":
                member = "content" if kind == "text" else "reasoning_content"
                append(delta, member, value)
        if entries:
            self._has_text = True
            delta["content_blocks"] = entries

    def _entry(self, kind: str, value: Any) -> JSON:
        """Return the entry of a piece; one of the same kind as the last goes on with its block."""
        if kind == "opaque":
            self._kind, self._block = None, self._block + 1
            return {"index": self._block, "type": kind, "wire": WIRE, "value": value}
        if kind == self._kind:
            return {"index": self._block, kind: value}
        self._kind, self._block = kind, self._block + 1
        return {"index": self._block, "type": kind, kind: value}

    def _gather(self, details: list[Any]) -> None:
        for place, detail in enumerate(details):
            if isinstance(detail, dict):
                index = detail.get("index")
                number = index if isinstance(index, int) else place
                known = self._details.setdefault(number, {})
                for key, value in detail.items():
                    if key not in _APPENDED:
                        known[key] = value
                    elif isinstance(value, str):
                        append(known, key, value)


_APPENDED: Final = frozenset({"text", "summary", "data", "signature"})
"""Members of a reasoning detail that come in pieces."""
_READ: Final = frozenset({"index", "delta", "message", "finish_reason", "native_finish_reason"})
