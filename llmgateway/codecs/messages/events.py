"""Hub chunks → a stream of Messages events, by one state machine.

Source of the grammar: https://platform.claude.com/docs/en/build-with-claude/streaming. One block is
open at a time. A call of a tool stays open until its arguments are whole JSON; what another block
says meanwhile waits, so that parallel calls whose pieces come mixed still go out one by one.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import orjson

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context
from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.blocks import own_extra
from llmgateway.codecs.messages.carrier import pack
from llmgateway.codecs.messages.citations import citation_of
from llmgateway.codecs.messages.drafts import Draft, call_draft, draft_of, written_draft
from llmgateway.codecs.messages.outbound import (
    call_id,
    foreign_extra,
    message_id,
    stop_details,
    stop_sequence,
)
from llmgateway.codecs.messages.shape import as_list, text_of
from llmgateway.codecs.messages.usage import write_delta_usage, write_usage
from llmgateway.codecs.messages.watch import STOP
from llmgateway.codecs.messages.words import stop_reason_of
from llmgateway.types import JSON
from llmgateway.types.usage import Usage

_LOOSE: Final = -1
"""The index of text and thoughts that come without blocks."""


class MessagesEncoder:
    """Writes one stream; implements `StreamEncoder`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._out: list[bytes] = []
        self._has_begun = False
        self._count = 0
        self._drafts: deque[Draft] = deque()
        self._open_calls: dict[int, Draft] = {}
        """Those of the drafts that are calls, by number."""
        self._calls: dict[int, str] = {}
        """The id of each call, by its number; they stay known when the call is closed."""
        self._said = {"text": "", "refusal": ""}
        """All of the answer's words so far."""
        self._finish: Any = None
        self._native: Any = None
        self._usage: Usage | None = None

    def feed(self, chunk: JSON) -> bytes:
        """Return the events that the next chunk becomes."""
        self._begin(chunk)
        self._usage = hub.usage_of(chunk.get("usage")) or self._usage
        for choice in as_list(chunk.get("choices")):
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                delta = choice.get("delta")
                self._take(delta if isinstance(delta, dict) else {})
                self._finish = choice.get("finish_reason") or self._finish
                self._native = choice.get("native_finish_reason") or self._native
        self._advance()
        return self._sent()

    def close(self) -> bytes:
        """Return what ends the stream: open blocks, the reason, the usage."""
        self._begin({})
        while self._drafts:
            self._finish_first()
        reason = stop_reason_of(
            self._finish,
            self._native,
            has_calls=bool(self._calls),
            has_refusal=bool(self._said["refusal"]),
        )
        delta = {
            "stop_reason": reason,
            "stop_sequence": stop_sequence(reason, self._ctx),
            "stop_details": stop_details(reason, self._said["refusal"]),
        }
        usage = write_delta_usage(self._usage)
        self._send({"type": "message_delta", "delta": delta, "usage": usage})
        self._out.append(STOP)
        return self._sent()

    # ---- reading chunks

    def _begin(self, chunk: JSON) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        message: JSON = {
            "id": message_id(chunk.get("id"), self._ctx),
            "type": "message",
            "role": "assistant",
            "model": str(chunk.get("model") or self._ctx.model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(None),
        }
        self._send({"type": "message_start", "message": message})

    def _take(self, delta: JSON) -> None:
        """Take one delta; where blocks say what `content` says too, they are the truth."""
        entries = [one for one in as_list(delta.get("content_blocks")) if isinstance(one, dict)]
        for entry in entries:
            index = entry.get("index")
            self._grow(index if isinstance(index, int) else 0, entry)
        said = {key for entry in entries for key in entry}
        for name, kind in (("reasoning_content", "thinking"), ("content", "text")):
            words = delta.get(name)
            if isinstance(words, str) and words and kind not in said:
                self._grow(_LOOSE, {"type": kind, kind: words})
        if refusal := text_of(delta.get("refusal")):
            if self._said["text"] == self._said["refusal"]:  # the model said nothing else
                self._grow(_LOOSE, {"type": "text", "text": refusal})
            hub.append(self._said, "refusal", refusal)
        if "citations" not in said:
            self._cite(delta.get("annotations"))
        for call in as_list(delta.get("tool_calls")):
            if isinstance(call, dict):
                self._take_call(call)

    def _grow(self, index: int, entry: Block) -> None:
        if not self._drafts or not self._drafts[-1].goes_on_with(index, entry):
            self._drafts.append(draft_of(index, entry))
        draft = self._drafts[-1]
        for name, value in entry.items():
            if name != "index":
                draft.add(name, value)
        if isinstance(entry.get("text"), str):
            hub.append(self._said, "text", entry["text"])

    def _cite(self, annotations: Any) -> None:
        found = (citation_of(one, self._said["text"]) for one in as_list(annotations))
        citations = [one for one in found if one is not None]
        if citations:
            self._grow(_LOOSE, {"type": "text", "citations": citations})

    def _take_call(self, call: JSON) -> None:
        given = call.get("index")
        number = given if isinstance(given, int) else 0
        is_new = number not in self._calls
        if is_new:
            self._calls[number] = call_id(call.get("id"), self._ctx)
        if extra := foreign_extra(call):
            carrier = pack({"call": self._calls[number], "extra": extra})
            self._drafts.append(written_draft(carrier))
        if is_new:
            self._open_calls[number] = call_draft(number, self._calls[number], own_extra(call))
            self._drafts.append(self._open_calls[number])
        draft = self._open_calls.get(number)
        function = call.get("function")
        if draft is not None and isinstance(function, dict):
            draft.argue(function.get("name"), function.get("arguments"))

    # ---- writing events

    def _advance(self) -> None:
        """Finish the blocks that others have followed; say what the one now open can say."""
        while len(self._drafts) > 1 and self._drafts[0].is_complete:
            self._finish_first()
        if self._drafts and self._drafts[0].can_start:
            self._speak(self._drafts[0])

    def _speak(self, draft: Draft) -> None:
        if not draft.is_started:
            draft.is_started = True
            start = {"index": self._count, "content_block": draft.start()}
            self._send({"type": "content_block_start", **start})
        for delta in draft.deltas:
            self._send({"type": "content_block_delta", "index": self._count, "delta": delta})
        draft.deltas.clear()

    def _finish_first(self) -> None:
        draft = self._drafts.popleft()
        self._open_calls.pop(draft.call, None)
        carried = draft.carried
        if not draft.is_silent:
            draft.end()
            self._speak(draft)
            self._send({"type": "content_block_stop", "index": self._count})
            self._count += 1
        if carried is not None:
            self._drafts.appendleft(written_draft(carried))

    def _send(self, event: JSON) -> None:
        name = event["type"].encode("ascii")
        self._out.append(b"event: " + name + b"\ndata: " + orjson.dumps(event) + b"\n\n")

    def _sent(self) -> bytes:
        sent = b"".join(self._out)
        self._out.clear()
        return sent
