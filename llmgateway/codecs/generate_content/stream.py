"""Reads a streamed answer: each event is a whole answer in small, to be added to the last.

Unsigned texts of one kind that follow each other are one block; a part with a signature is a block
of its own, since it must go back as it came.
Source: https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from typing import Any

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context, Event
from llmgateway.codecs.generate_content.answer import (
    Pieces,
    add_media,
    decode_call,
    decode_logprobs,
    is_kept,
    natives,
    text_block,
)
from llmgateway.codecs.generate_content.finish import block_of, decode_finish, refusal_of
from llmgateway.codecs.generate_content.grounding import decode_annotations
from llmgateway.codecs.generate_content.partial import PartialCall, is_open
from llmgateway.codecs.generate_content.shape import an_object, number, objects, pick, string
from llmgateway.codecs.generate_content.turns import WIRE
from llmgateway.codecs.generate_content.usage import counts_tokens, read_usage
from llmgateway.codecs.generate_content.watch import parse_event
from llmgateway.types import JSON


class GenerateContentDecoder:
    """Turns one stream into hub chunks; implements `StreamDecoder`.

    Ends are told by `close`: providers repeat a finish reason, and have sent text after it.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._id = ""
        self._model = ctx.model
        self._counted: JSON = {}
        """The last `usageMetadata` that counts tokens; each event has one, and one is read."""
        self._blocked: tuple[str, str] | None = None
        self._candidates: dict[int, _Candidate] = {}

    def feed(self, event: Event) -> list[JSON]:
        """Take the next event."""
        body = an_object(parse_event(event.data))
        self._id = self._id or string(pick(body, "responseId")) or self._ctx.new_id("chatcmpl-")
        self._model = string(pick(body, "modelVersion")) or self._model
        metadata = pick(body, "usageMetadata")
        if counts_tokens(metadata):
            self._counted = metadata
        self._blocked = block_of(body) or self._blocked
        choices = []
        for candidate in objects(body.get("candidates")):
            index = number(candidate.get("index")) or 0
            choices += self._candidate(index).feed(candidate)
        return [self._chunk(choice) for choice in choices]

    def close(self) -> list[JSON]:
        """Return the finish of each candidate, and usage."""
        if not self._candidates:
            self._candidate(0).blocked = self._blocked
        choices = [
            choice for candidate in self._candidates.values() for choice in candidate.close()
        ]
        chunks = [self._chunk(choice) for choice in choices]
        usage = read_usage(self._counted)
        if usage is not None:
            chunks.append({**self._chunk(), "usage": hub.counters(usage)})
        return chunks

    def _candidate(self, index: int) -> _Candidate:
        return self._candidates.setdefault(index, _Candidate(index, self._ctx))

    def _chunk(self, *choices: JSON) -> JSON:
        self._id = self._id or self._ctx.new_id("chatcmpl-")
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._ctx.now,
            "model": self._model,
            "choices": list(choices),
        }


class _Candidate:
    """Follows one candidate."""

    def __init__(self, index: int, ctx: Context) -> None:
        self.blocked: tuple[str, str] | None = None
        self._index = index
        self._ctx = ctx
        self._has_role = False
        self._texts: list[str] = []
        self._blocks = 0
        self._kept = 0
        """How many of the blocks must come back."""
        self._open: str | None = None
        """The kind of the last block, if more of it may come."""
        self._calls = 0
        self._unplaced: list[int] = []
        """The numbers of calls that no block has followed yet."""
        self._partial: PartialCall | None = None
        self._images = 0
        self._last: JSON = {}

    def feed(self, candidate: JSON) -> list[JSON]:
        """Take what an event says of the candidate; return choices of chunks."""
        for name, value in candidate.items():
            # An empty `groundingMetadata` comes with each event until the last.
            if value or name not in self._last:
                self._last[name] = value
        choices = self._first()
        for part in objects(an_object(candidate.get("content")).get("parts")):
            choices += [self._choice(delta) for delta in self._part(part)]
        logprobs = decode_logprobs(pick(candidate, "logprobsResult"))
        if logprobs is not None:
            choices.append({**self._choice({}), "logprobs": logprobs})
        return choices

    def close(self) -> list[JSON]:
        """Return what the end owes."""
        choices = self._first() + [self._choice(delta) for delta in self._end_call()]
        reason, said = self.blocked or (None, None)
        native = reason or string(pick(self._last, "finishReason"))
        delta: JSON = {}
        if refusal := said or refusal_of(self._last, native):
            delta["refusal"] = refusal
        if annotations := decode_annotations(self._last, "".join(self._texts)):
            delta["annotations"] = annotations
        if delta:
            choices.append(self._choice(delta))
        finish = decode_finish(native, has_calls=self._calls > 0)
        last = {
            **self._choice({}),
            "finish_reason": "content_filter" if reason else finish,
            "native_finish_reason": native or None,
        }
        return [*choices, {**last, **natives(self._last, self._ctx)}]

    def _first(self) -> list[JSON]:
        if self._has_role:
            return []
        self._has_role = True
        return [self._choice({"role": "assistant", "content": ""})]

    def _choice(self, delta: JSON) -> JSON:
        return {"index": self._index, "delta": delta, "finish_reason": None}

    def _part(self, part: JSON) -> list[JSON]:
        call = pick(part, "functionCall")
        if isinstance(call, dict):
            return self._call(part, call)
        if isinstance(part.get("text"), str):
            return self._text(part)
        return self._opaque(part) if part else []

    # ---- calls

    def _call(self, part: JSON, call: JSON) -> list[JSON]:
        if self._partial is None:
            if not is_open(call) and pick(call, "partialArgs") is None:
                return self._whole_call(part, call)
            self._partial = PartialCall(part, call)
        elif string(call.get("name")):
            return self._end_call() + self._call(part, call)
        else:
            self._partial.add(call)
        return [] if is_open(call) else self._end_call()

    def _end_call(self) -> list[JSON]:
        partial, self._partial = self._partial, None
        return [] if partial is None else self._whole_call(*partial.whole())

    def _whole_call(self, part: JSON, call: JSON) -> list[JSON]:
        found = {"index": self._calls, **decode_call(call, part, self._ctx)}
        self._unplaced.append(self._calls)
        self._calls += 1
        self._open = None
        return [{"tool_calls": [found]}]

    # ---- blocks

    def _text(self, part: JSON) -> list[JSON]:
        block = text_block(part)
        kind, text = block["type"], part["text"]
        if not text and "signature" not in block:
            return []
        if kind == "text":
            self._texts.append(text)
        if self._open == kind and "signature" not in block:
            piece: JSON = {"index": self._blocks - 1, kind: text}
            return [{**_plain(kind, text), "content_blocks": [piece]}]
        deltas = self._begin(block, _plain(kind, text))
        self._open = None if "signature" in block else kind
        return deltas

    def _opaque(self, part: JSON) -> list[JSON]:
        shown = Pieces()
        add_media(part, shown, self._ctx)
        plain: JSON = {}
        if shown.images:
            plain["images"] = [{**shown.images[0], "index": self._images}]
            self._images += 1
        if shown.audio is not None:
            plain["audio"] = shown.audio
        self._open = None
        return self._begin({"type": "opaque", "wire": WIRE, "value": part}, plain)

    def _begin(self, block: hub.Block, plain: JSON) -> list[JSON]:
        """Begin a block; calls that it follows are told their place."""
        deltas = []
        if self._unplaced:
            placed: dict[str, Any] = {"blocks_before": self._kept}
            deltas.append({
                "tool_calls": [
                    {"index": call, "function": {"arguments": ""}, "extra_content": placed}
                    for call in self._unplaced
                ]
            })  # fmt: skip
            self._unplaced = []
        deltas.append({**plain, "content_blocks": [{"index": self._blocks, **block}]})
        self._blocks += 1
        self._kept += is_kept(block)
        return deltas


def _plain(kind: str, text: str) -> JSON:
    """Return what a client without blocks reads."""
    return {"content" if kind == "text" else "reasoning_content": text}
