"""Writes hub chunks as the stream of a chat completion: one envelope, one role, one finish."""

from __future__ import annotations

from typing import Any, Final

import orjson

from llmgateway.codecs.base import Context
from llmgateway.codecs.chat.kept import gather, kept_entries
from llmgateway.codecs.chat.usage import any_usage, chat_usage
from llmgateway.codecs.hub import Block
from llmgateway.types import JSON
from llmgateway.types.usage import Usage

_ENVELOPE: Final = frozenset({"id", "object", "created", "model", "choices", "usage"})
_OPENAI_CHOICE: Final = frozenset({"index", "delta", "finish_reason", "logprobs"})


class ChatWriter:
    """Writes one stream; implements `StreamEncoder`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._envelope: JSON = {}
        self._choices: dict[int, _Choice] = {}
        self._usage: Usage | None = None
        options = ctx.request.get("stream_options")
        self._shows_usage = isinstance(options, dict) and options.get("include_usage") is True

    def feed(self, chunk: JSON) -> bytes:
        """Return the events that the next chunk becomes."""
        self._usage = any_usage(chunk.get("usage")) or self._usage
        envelope = self._envelope or self._open(chunk)
        choices = chunk.get("choices") or []
        written = [piece for choice in choices for piece in self._choice(choice).write(choice)]
        if not written:
            return b""
        others = other_members(chunk, self._ctx)
        return b"".join(_event({**envelope, **others, "choices": [piece]}) for piece in written)

    def close(self) -> bytes:
        """Return the usage, if the caller asked for it, and the sentinel."""
        last = b""
        if self._shows_usage and self._usage is not None:
            envelope = self._envelope or self._open({})
            last = _event({**envelope, "choices": [], "usage": chat_usage(self._usage)})
        return last + b"data: [DONE]\n\n"

    def _open(self, chunk: JSON) -> JSON:
        self._envelope = {
            "id": chunk.get("id") or self._ctx.new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": chunk.get("created") or self._ctx.now,
            "model": chunk.get("model") or self._ctx.model,
        }
        if self._shows_usage:
            self._envelope["usage"] = None
        return self._envelope

    def _choice(self, choice: JSON) -> _Choice:
        number = choice.get("index") or 0
        found = self._choices.get(number)
        if found is None:
            found = self._choices[number] = _Choice(number, self._ctx)
        return found


def other_members(body: JSON, ctx: Context) -> JSON:
    """Return what an answer or chunk says beside its envelope, as far as it says anything."""
    if body.keys() <= _ENVELOPE:
        return {}
    return {
        key: value
        for key, value in body.items()
        if key not in _ENVELOPE
        and value is not None
        and (key != "service_tier" or value in _TIERS or not ctx.compliance)
    }


_TIERS: Final = ("auto", "default", "flex", "scale", "priority")


def _event(chunk: JSON) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


class _Choice:
    """What is known of one choice of a stream."""

    def __init__(self, number: int, ctx: Context) -> None:
        self._number = number
        self._compliance = ctx.compliance
        self._has_role = False
        self._has_finish = False
        self._has_calls = False
        self._blocks: dict[int, Block] = {}
        self._places: dict[int, int] = {}
        """By the hub's number of a block: the dense one that clients gather by."""
        self._lists: dict[str, list[Any]] = {}
        """Lists that clients cannot gather piece by piece; they go out whole, at the end."""

    def write(self, choice: JSON) -> list[JSON]:
        """Return the choices of the chunks that this one becomes."""
        delta = self._delta(choice.get("delta") or {})
        others = self._others(choice)
        written = []
        if delta or others or not self._has_role:
            if not self._has_role:
                self._has_role = True
                delta = {"role": "assistant", "content": "", **delta}
            written.append(self._piece(delta, None, others))
        finish = choice.get("finish_reason")
        if finish and not self._has_finish:
            self._has_finish = True
            written += self._end(finish, choice)
        return written

    def _piece(self, delta: JSON, finish: str | None, others: JSON) -> JSON:
        return {"index": self._number, "delta": delta, "finish_reason": finish, **others}

    def _others(self, choice: JSON) -> JSON:
        if choice.keys() <= _PLAIN_CHOICE:
            return {}
        return {
            key: value
            for key, value in choice.items()
            if key not in _PLAIN_CHOICE
            and value is not None
            and (key in _OPENAI_CHOICE or not self._compliance)
        }

    def _delta(self, delta: JSON) -> JSON:
        """Return a delta as this caller sees it; what cannot be sent yet is put by."""
        shown: JSON = {}
        for key, value in delta.items():
            if key == "content_blocks":
                entries = self._numbered(value)
                if entries and not self._compliance:
                    shown[key] = entries
            elif key == "tool_calls":
                if value:
                    self._has_calls, shown[key] = True, value
            elif isinstance(value, list):
                self._lists.setdefault(key, []).extend(value)
            elif key != "role" and value is not None:
                shown[key] = value
        return shown

    def _numbered(self, entries: Any) -> list[JSON]:
        """Gather the blocks, and return Portkey's entries for them.

        An entry is `{index, type?, delta: {text | thinking | signature | data}}`; the type stands
        in the first of a block.
        """
        if self._compliance:
            gather(self._blocks, entries)
            return []
        numbered = []
        for entry in entries or []:
            index = entry.get("index")
            if not isinstance(index, int):
                continue
            known = self._places.get(index)
            place = self._places.setdefault(index, len(self._places))
            kind = {"type": entry["type"]} if known is None and "type" in entry else {}
            inner = {key: value for key, value in entry.items() if key not in ("index", "type")}
            if inner or kind:
                numbered.append({"index": place, **kind, "delta": inner})
        return numbered

    def _end(self, finish: str, choice: JSON) -> list[JSON]:
        last: JSON = {}
        if kept := kept_entries([block for _, block in sorted(self._blocks.items())]):
            last["extra_content"] = {"content_blocks": kept}
        for key, values in self._lists.items():
            if key == "annotations" and self._compliance:
                values = [note for note in values if is_openai_note(note)]
            if values:
                last[key] = values
        native = choice.get("native_finish_reason")
        shows_native = native is not None and not self._compliance
        others = {"native_finish_reason": native} if shows_native else {}
        end = self._piece({}, finish, others)
        return [self._piece(last, None, {}), end] if last else [end]


_PLAIN_CHOICE: Final = frozenset({"index", "delta", "finish_reason", "native_finish_reason"})


def is_openai_note(note: object) -> bool:
    """Whether an annotation is of a kind that OpenAI knows."""
    return isinstance(note, dict) and note.get("type") == "url_citation"
