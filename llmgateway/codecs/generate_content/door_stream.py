"""Writes a hub stream as events that are each a GenerateContentResponse.

Calls of tools go out whole, once all their arguments are there; a finish waits for usage, which
belongs to the last event.
"""

from __future__ import annotations

from typing import Final

import orjson

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context
from llmgateway.codecs.generate_content.carried import encode_block
from llmgateway.codecs.generate_content.door_answer import (
    call_part,
    envelope,
    extras,
    picture_parts,
)
from llmgateway.codecs.generate_content.finish import encode_finish
from llmgateway.codecs.generate_content.shape import an_object, number, objects, string
from llmgateway.types import JSON

_MEMBERS: Final = {"text": "text", "thinking": "thinking"}


class GenerateContentEncoder:
    """Turns hub chunks into one caller's stream; implements `StreamEncoder`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._head: JSON = {}
        self._candidates: dict[int, _Candidate] = {}

    def feed(self, chunk: JSON) -> bytes:
        """Return the events that the next chunk becomes."""
        for name in ("id", "model", "usage"):
            if chunk.get(name):
                self._head[name] = chunk[name]
        found = []
        for choice in objects(chunk.get("choices")):
            index = number(choice.get("index")) or 0
            candidate = self._candidates.setdefault(index, _Candidate(index))
            parts = candidate.feed(choice)
            if parts:
                found.append({"content": {"role": "model", "parts": parts}, "index": index})
        return self._event(found) if found else b""

    def close(self) -> bytes:
        """Return the last event: calls, finish reasons and usage."""
        if not self._candidates:
            self._candidates[0] = _Candidate(0)
        return self._event([candidate.close() for candidate in self._candidates.values()])

    def _event(self, candidates: list[JSON]) -> bytes:
        if "id" not in self._head:
            self._head["id"] = self._ctx.new_id("resp_")
        return b"data: " + orjson.dumps(envelope(self._head, self._ctx, candidates)) + b"\n\n"


class _Candidate:
    """Follows one choice."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._blocks: dict[int, hub.Block] = {}
        self._has_opaque = False
        self._open: int | None = None
        """The block that was begun and whose signature may still come."""
        self._calls: dict[int, JSON] = {}
        self._unsent: list[JSON] = []
        """Those of the calls that may not be whole yet."""
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._annotations: list[JSON] = []
        self._tokens: list[JSON] = []
        self._finish = ""

    def feed(self, choice: JSON) -> list[JSON]:
        """Take a choice of a chunk; return the parts that it becomes."""
        delta = an_object(choice.get("delta"))
        self._finish = string(choice.get("finish_reason")) or self._finish
        self._refusal.append(string(delta.get("refusal")))
        self._annotations += objects(delta.get("annotations"))
        self._tokens += objects(an_object(choice.get("logprobs")).get("content"))
        parts = self._plain(delta)
        for entry in objects(delta.get("content_blocks")):
            parts += self._block(entry)
        for call in objects(delta.get("tool_calls")):
            parts += self._call(call)
        if self._open is None and not self._has_opaque:
            parts += picture_parts(delta.get("images"))
        return parts

    def close(self) -> JSON:
        """Return the candidate with all that the end owes."""
        parts = self._end_block() + self._end_calls()
        refusal = "".join(self._refusal)
        if refusal and not parts and not self._text:
            parts = [{"text": refusal}]
        candidate: JSON = {
            "content": {"role": "model", "parts": parts or [{"text": ""}]},
            "finishReason": encode_finish(self._finish),
            "index": self._index,
        }
        if refusal:
            candidate["finishMessage"] = refusal
        logprobs = {"content": self._tokens}
        return {**candidate, **extras(self._annotations, "".join(self._text), logprobs)}

    def _plain(self, delta: JSON) -> list[JSON]:
        """Return the parts of a delta that has no blocks."""
        if delta.get("content_blocks"):
            return []
        parts: list[JSON] = []
        if thought := string(delta.get("reasoning_content")):
            parts.append({"text": thought, "thought": True})
        if text := string(delta.get("content")):
            self._text.append(text)
            parts.append({"text": text})
        return self._end_calls() + parts if parts else parts

    # ---- blocks

    def _block(self, entry: JSON) -> list[JSON]:
        index = number(entry.get("index")) or 0
        parts = []
        if index != self._open:
            parts = self._end_block() + self._end_calls()
            self._open = index
        before = self._blocks.get(index, {})
        hub.merge_blocks(self._blocks, [{**entry, "index": index}])
        block = self._blocks.get(index, before)
        self._has_opaque = self._has_opaque or block.get("type") == "opaque"
        member = _MEMBERS.get(string(block.get("type")))
        if member is None or (before and "signature" in before):
            return parts
        piece = string(entry.get(member))
        if member == "text":
            self._text.append(piece)
        if not piece or "signature" in entry:
            return parts
        thought = {"thought": True} if member == "thinking" else {}
        self._blocks[index] = {**block, member: ""}
        return [*parts, {"text": piece, **thought}]

    def _end_block(self) -> list[JSON]:
        """Return what is left of the open block: its signature, or all of an opaque one."""
        if self._open is None:
            return []
        block, self._open = self._blocks.get(self._open, {}), None
        part = encode_block(block) if block.get("type") else None
        return [] if part is None else [part]

    # ---- calls

    def _call(self, delta: JSON) -> list[JSON]:
        """Add to a call; calls are whole once other parts follow, or at the end."""
        index = number(delta.get("index")) or 0
        if index not in self._calls:
            if not delta.get("function"):
                return []
            self._calls[index] = {**delta, "function": {**an_object(delta.get("function"))}}
            self._unsent.append(self._calls[index])
            return self._end_block()
        call = self._calls[index]
        for name, value in an_object(delta.get("function")).items():
            appends = name == "arguments" and isinstance(value, str)
            if appends:
                hub.append(call["function"], name, value)
            else:
                call["function"][name] = value
        if delta.get("id"):
            call["id"] = delta["id"]
        extra = {**an_object(call.get("extra_content")), **an_object(delta.get("extra_content"))}
        if extra:
            call["extra_content"] = extra
        return []

    def _end_calls(self) -> list[JSON]:
        """Return the calls that are whole. What comes for them later is of no use here."""
        parts = [call_part(call) for call in self._unsent]
        self._unsent.clear()
        return parts
