"""A streamed answer of the API → the hub's chunks.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context, Event
from llmgateway.codecs.choices import parse_object
from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.answer import refusal_of
from llmgateway.codecs.messages.blocks import PLACE, dump, read_block, read_call
from llmgateway.codecs.messages.citations import annotations_of
from llmgateway.codecs.messages.parts import WIRE
from llmgateway.codecs.messages.structured import json_tool
from llmgateway.codecs.messages.usage import merge, read_usage
from llmgateway.codecs.messages.words import finish_of
from llmgateway.types import JSON


@dataclass(slots=True)
class _Open:
    """A block that has begun."""

    index: int
    """Its place in the answer."""
    block: Block
    """Our own copy, which deltas are added to."""
    kind: str
    """text, thinking, call, answer (the JSON tool's) or whole."""
    call: int = -1
    """Which of the tool calls it is."""
    is_told: bool = False
    """Whether a chunk has named its type."""
    pieces: list[str] = field(default_factory=list)
    """The JSON text of its input so far."""


class MessagesDecoder:
    """Reads one stream; implements `StreamDecoder`.

    Texts, thoughts and arguments go on as they come; blocks that the hub has no word for go on
    whole, when they end.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._json_tool = json_tool(ctx.request, ctx.capabilities)
        self._id = ""
        self._model = ctx.model
        self._has_begun = False
        self._has_ended = False
        self._base = 0
        """What is added to the provider's indexes, where one stream holds several messages."""
        self._next = 0
        self._open: dict[int, _Open] = {}
        self._calls: list[int] = []
        """The place of each tool call."""
        self._pinned = 0
        self._length = 0
        self._figures: JSON = {}
        self._stop_reason: object = None
        self._stop_details: object = None

    def feed(self, event: Event) -> list[JSON]:
        """Take the next event; unknown types give nothing."""
        body = parse_object(event.data)
        handle = _HANDLERS.get(str(body.get("type")))
        return [] if handle is None else handle(self, body)

    def close(self) -> list[JSON]:
        """Return the finish and the usage, where no `message_stop` brought them."""
        return self._end() if self._has_begun else []

    def _message_start(self, body: JSON) -> list[JSON]:
        message = body.get("message")
        given: JSON = message if isinstance(message, dict) else {}
        self._figures = merge(self._figures, given.get("usage"))
        chunks: list[JSON] = []
        if not self._has_begun:
            self._has_begun = True
            self._id = str(given.get("id") or self._ctx.new_id("chatcmpl-"))
            self._model = str(given.get("model") or self._model)
            chunks.append(self._chunk({"role": "assistant", "content": ""}))
        self._base = self._next
        content = given.get("content")
        for place, block in enumerate(content if isinstance(content, list) else []):
            if isinstance(block, dict):
                event = {"index": place, "content_block": block}
                chunks += [*self._block_start(event), *self._block_stop(event)]
        return chunks

    def _block_start(self, body: JSON) -> list[JSON]:
        block = body.get("content_block")
        index = self._index(body)
        if not isinstance(block, dict):
            return []
        self._next = max(self._next, index + 1)
        kind = self._kind(block)
        opened = self._open[index] = _Open(index, dict(block), kind)
        if kind == "call":
            return self._begin_call(opened)
        pins = self._pins()
        if kind in ("text", "thinking"):
            members = (kind, "signature") if kind == "thinking" else (kind,)
            said = [chunk for name in members for chunk in self._say(opened, name, block.get(name))]
            return [*pins, *said]
        return pins

    def _kind(self, block: Block) -> str:
        match block.get("type"):
            case "text":
                return "text"
            case "thinking":
                return "thinking"
            case "tool_use":
                return "answer" if block.get("name") == self._json_tool else "call"
        return "whole"

    def _begin_call(self, opened: _Open) -> list[JSON]:
        opened.call = len(self._calls)
        self._calls.append(opened.index)
        call = read_call(opened.block, None)
        given = opened.block.get("input")
        opened.pieces = [dump(given)] if given else []
        call["function"]["arguments"] = "".join(opened.pieces)
        return [self._chunk({"tool_calls": [{"index": opened.call, **call}]})]

    def _pins(self) -> list[JSON]:
        """Say where the calls stand that something now follows."""
        places = self._calls[self._pinned :]
        pins = [
            {"index": self._pinned + n, "extra_content": {WIRE: {PLACE: place}}}
            for n, place in enumerate(places)
        ]
        self._pinned = len(self._calls)
        return [self._chunk({"tool_calls": pins})] if pins else []

    def _block_delta(self, body: JSON) -> list[JSON]:
        opened = self._open.get(self._index(body))
        delta = body.get("delta")
        if opened is None or not isinstance(delta, dict):
            return []
        match delta.get("type"):
            case "text_delta":
                return self._say(opened, "text", delta.get("text"))
            case "thinking_delta":
                return self._say(opened, "thinking", delta.get("thinking"))
            case "signature_delta":
                return self._say(opened, "signature", delta.get("signature"))
            case "input_json_delta":
                return self._argue(opened, delta.get("partial_json"))
            case "citations_delta":
                if not isinstance(opened.block.get("citations"), list):
                    opened.block["citations"] = []
                opened.block["citations"].append(delta.get("citation"))
                return []
        _grow(opened, delta)
        return []

    def _say(self, opened: _Open, member: str, words: Any) -> list[JSON]:
        """Pass on a piece of a text, a thought or a signature."""
        if not isinstance(words, str) or not words:
            return []
        if opened.kind not in ("text", "thinking"):
            _grow(opened, {member: words})
            return []
        entry: JSON = {"index": opened.index}
        if not opened.is_told:
            opened.is_told = True
            entry |= {"type": opened.kind, opened.kind: ""}
        entry[member] = words
        delta: JSON = {"content_blocks": [entry]}
        if member == "text":
            delta = {"content": words, **delta}
            opened.pieces.append(words)
            self._length += len(words)
        elif member == "thinking":
            delta = {"reasoning_content": words, **delta}
        return [self._chunk(delta)]

    def _argue(self, opened: _Open, piece: Any) -> list[JSON]:
        if not isinstance(piece, str) or not piece:
            return []
        opened.pieces.append(piece)
        if opened.kind == "call":
            call = {"index": opened.call, "function": {"arguments": piece}}
            return [self._chunk({"tool_calls": [call]})]
        if opened.kind == "answer":
            return self._answer(opened, piece)
        return []

    def _answer(self, opened: _Open, piece: str) -> list[JSON]:
        """Pass on a piece of the JSON tool's input as the answer's text."""
        entry: JSON = {"index": opened.index, "text": piece}
        if not opened.is_told:
            opened.is_told = True
            entry["type"] = "text"
        self._length += len(piece)
        return [self._chunk({"content": piece, "content_blocks": [entry]})]

    def _block_stop(self, body: JSON) -> list[JSON]:
        opened = self._open.pop(self._index(body), None)
        return [] if opened is None else _STOPS[opened.kind](self, opened)

    def _stop_text(self, opened: _Open) -> list[JSON]:
        citations = opened.block.get("citations")
        if not citations or not opened.is_told:
            return []
        cited = {"text": "".join(opened.pieces), "citations": citations}
        delta: JSON = {"content_blocks": [{"index": opened.index, "citations": citations}]}
        if annotations := annotations_of(cited, self._length - len(cited["text"])):
            delta["annotations"] = annotations
        return [self._chunk(delta)]

    def _stop_thinking(self, opened: _Open) -> list[JSON]:
        return []

    def _stop_call(self, opened: _Open) -> list[JSON]:
        if opened.pieces:
            return []
        call = {"index": opened.call, "function": {"arguments": "{}"}}
        return [self._chunk({"tool_calls": [call]})]

    def _stop_answer(self, opened: _Open) -> list[JSON]:
        return [] if opened.pieces else self._answer(opened, dump(opened.block.get("input") or {}))

    def _stop_whole(self, opened: _Open) -> list[JSON]:
        block = opened.block
        if opened.pieces:
            block = {**block, "input": _parsed("".join(opened.pieces))}
        entry = {**read_block(block), "index": opened.index}
        return [self._chunk({"content_blocks": [entry]})]

    def _message_delta(self, body: JSON) -> list[JSON]:
        self._figures = merge(self._figures, body.get("usage"))
        delta = body.get("delta")
        if isinstance(delta, dict):
            self._stop_reason = delta.get("stop_reason") or self._stop_reason
            self._stop_details = delta.get("stop_details") or self._stop_details
        return []

    def _end(self) -> list[JSON]:
        if self._has_ended:
            return []
        self._has_ended = True
        chunks: list[JSON] = []
        for opened in list(self._open.values()):
            chunks += _STOPS[opened.kind](self, opened)
        refusal = refusal_of(self._stop_details)
        finish = finish_of(self._stop_reason, has_calls=bool(self._calls))
        last = self._chunk({} if refusal is None else {"refusal": refusal})
        last["choices"][0] |= {"finish_reason": finish, "native_finish_reason": self._stop_reason}
        chunks.append(last)
        usage = read_usage(self._figures)
        if usage is not None:
            chunks.append({**self._chunk({}), "choices": [], "usage": hub.counters(usage)})
        return chunks

    def _index(self, body: JSON) -> int:
        index = body.get("index")
        return self._base + (index if isinstance(index, int) else 0)

    def _chunk(self, delta: JSON) -> JSON:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._ctx.now,
            "model": self._model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
        }


def _grow(opened: _Open, delta: JSON) -> None:
    """Add a delta of a kind of its own (`compaction_delta`) to the block that it belongs to."""
    for key, value in delta.items():
        if key == "type" or value is None:
            continue
        if isinstance(value, str):
            hub.append(opened.block, key, value)
        else:
            opened.block[key] = value


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"arguments": text}


_HANDLERS: Final[dict[str, Callable[[MessagesDecoder, JSON], list[JSON]]]] = {
    "message_start": MessagesDecoder._message_start,
    "content_block_start": MessagesDecoder._block_start,
    "content_block_delta": MessagesDecoder._block_delta,
    "content_block_stop": MessagesDecoder._block_stop,
    "message_delta": MessagesDecoder._message_delta,
}
_STOPS: Final[dict[str, Callable[[MessagesDecoder, _Open], list[JSON]]]] = {
    "text": MessagesDecoder._stop_text,
    "thinking": MessagesDecoder._stop_thinking,
    "call": MessagesDecoder._stop_call,
    "answer": MessagesDecoder._stop_answer,
    "whole": MessagesDecoder._stop_whole,
}
