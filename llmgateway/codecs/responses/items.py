"""The output items of a Response while they are written, each with the events that tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from llmgateway.codecs.hub import Block
from llmgateway.codecs.responses.sealed import seal
from llmgateway.types import JSON

Told = tuple[str, JSON]
"""The type of an event, and its members but for the sequence number."""
COMPLETED: Final = "completed"


class Item(Protocol):
    """One item of an output."""

    index: int
    """Its place in the output."""

    def begin(self) -> Iterator[Told]:
        """Tell that it is there."""
        ...

    def end(self, status: str) -> Iterator[Told]:
        """Tell that it is whole, or cut short."""
        ...

    def value(self) -> JSON:
        """Return it as it is now."""
        ...


def _added(item: Item) -> Told:
    return "response.output_item.added", {"output_index": item.index, "item": item.value()}


def _done(item: Item) -> Told:
    return "response.output_item.done", {"output_index": item.index, "item": item.value()}


@dataclass(slots=True)
class ReasoningItem:
    """A thought, or what else must come back with the next turn: always with its packed content."""

    index: int
    id: str
    block: Block
    """The block as far as it is known; the thought itself is gathered in `pieces`."""
    packed: str | None = None
    """What is packed instead of a block."""
    pieces: list[str] = field(default_factory=list)
    """Of the thought."""
    is_done: bool = False

    @property
    def text(self) -> str:
        """The thought so far."""
        return "".join(self.pieces)

    def begin(self) -> Iterator[Told]:
        """Tell that it is there."""
        yield _added(self)

    def think(self, text: str) -> Iterator[Told]:
        """Add to the thought."""
        place = self._place()
        if not self.pieces:
            part = {"type": "summary_text", "text": ""}
            yield "response.reasoning_summary_part.added", {**place, "part": part}
        self.pieces.append(text)
        yield "response.reasoning_summary_text.delta", {**place, "delta": text}

    def end(self, status: str) -> Iterator[Told]:
        """Tell that it is whole."""
        self.is_done = True
        if text := self.text:
            place, part = self._place(), {"type": "summary_text", "text": text}
            yield "response.reasoning_summary_text.done", {**place, "text": text}
            yield "response.reasoning_summary_part.done", {**place, "part": part}
        yield _done(self)

    def value(self) -> JSON:
        """Return the item; its packed content is known once it is whole."""
        item: JSON = {"type": "reasoning", "id": self.id, "summary": []}
        if text := self.text:
            item["summary"] = [{"type": "summary_text", "text": text}]
        if self.is_done:
            thought = {"thinking": text} if self.block.get("type") == "thinking" else {}
            item["encrypted_content"] = self.packed or seal({**self.block, **thought})
        return item

    def _place(self) -> JSON:
        return {"item_id": self.id, "output_index": self.index, "summary_index": 0}


@dataclass(slots=True)
class MessageItem:
    """A message: one text, one refusal, or both."""

    index: int
    id: str
    at: int
    """How many characters of the answer's text precede its own."""
    parts: list[JSON] = field(default_factory=list)
    status: str = "in_progress"
    pieces: list[str] = field(default_factory=list)
    """Of the last part."""

    def begin(self) -> Iterator[Told]:
        """Tell that it is there."""
        yield _added(self)

    def write(self, text: str, logprobs: list[Any]) -> Iterator[Told]:
        """Add to the text."""
        if not self._is_at("output_text"):
            yield from self._open(
                {"type": "output_text", "annotations": [], "logprobs": []}, "text"
            )
        self.pieces.append(text)
        if logprobs:
            self.parts[-1]["logprobs"] += logprobs
        place = self._place()
        yield "response.output_text.delta", {**place, "delta": text, "logprobs": logprobs}

    def refuse(self, text: str) -> Iterator[Told]:
        """Add to the refusal."""
        if not self._is_at("refusal"):
            yield from self._open({"type": "refusal"}, "refusal")
        self.pieces.append(text)
        yield "response.refusal.delta", {**self._place(), "delta": text}

    def annotate(self, note: JSON) -> Iterator[Told]:
        """Add an annotation to the text; of an item that is whole, only the Response has it."""
        for number, part in enumerate(self.parts):
            if part["type"] == "output_text":
                part["annotations"].append(note)
                if self.status == "in_progress":
                    place = {**self._place(), "content_index": number}
                    count = len(part["annotations"]) - 1
                    told = {**place, "annotation_index": count, "annotation": note}
                    yield "response.output_text.annotation.added", told
                return

    def end(self, status: str) -> Iterator[Told]:
        """Tell that it is whole, or cut short."""
        yield from self._close()
        self.status = status
        yield _done(self)

    def value(self) -> JSON:
        """Return the item."""
        content = [dict(part) for part in self.parts]
        return {
            "type": "message",
            "id": self.id,
            "role": "assistant",
            "status": self.status,
            "content": content,
        }

    def _is_at(self, kind: str) -> bool:
        return bool(self.parts) and self.parts[-1]["type"] == kind

    def _place(self) -> JSON:
        return {
            "item_id": self.id,
            "output_index": self.index,
            "content_index": len(self.parts) - 1,
        }

    def _open(self, part: JSON, member: str) -> Iterator[Told]:
        yield from self._close()
        self.parts.append({**part, member: ""})
        self.pieces = []
        yield "response.content_part.added", {**self._place(), "part": {**self.parts[-1]}}

    def _close(self) -> Iterator[Told]:
        if not self.parts:
            return
        part, whole = self.parts[-1], "".join(self.pieces)
        place = self._place()
        if part["type"] == "refusal":
            part["refusal"] = whole
            yield "response.refusal.done", {**place, "refusal": whole}
        else:
            part["text"] = whole
            told = {**place, "text": whole, "logprobs": part["logprobs"]}
            yield "response.output_text.done", told
        yield "response.content_part.done", {**place, "part": {**part}}


@dataclass(slots=True)
class CallItem:
    """The call of a function."""

    index: int
    id: str
    call_id: str
    name: str
    pieces: list[str] = field(default_factory=list)
    status: str = "in_progress"

    def begin(self) -> Iterator[Told]:
        """Tell that it is there."""
        yield _added(self)

    def argue(self, text: str) -> Iterator[Told]:
        """Add to the arguments."""
        self.pieces.append(text)
        place = {"item_id": self.id, "output_index": self.index}
        yield "response.function_call_arguments.delta", {**place, "delta": text}

    def end(self, status: str) -> Iterator[Told]:
        """Tell that it is whole, or cut short."""
        self.status = status
        told = {"item_id": self.id, "output_index": self.index, "name": self.name}
        arguments = "".join(self.pieces)
        yield "response.function_call_arguments.done", {**told, "arguments": arguments}
        yield _done(self)

    def value(self) -> JSON:
        """Return the item."""
        return {
            "type": "function_call",
            "id": self.id,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": "".join(self.pieces),
            "status": self.status,
        }


@dataclass(slots=True)
class CustomCallItem(CallItem):
    """The call of a custom tool, whose one argument is its input."""

    is_done: bool = False

    def argue(self, text: str) -> Iterator[Told]:
        """Add to the arguments; the input is known once they are whole."""
        self.pieces.append(text)
        yield from ()

    def end(self, status: str) -> Iterator[Told]:
        """Tell that it is whole."""
        self.is_done = True
        place = {"item_id": self.id, "output_index": self.index}
        given = self._input()
        yield "response.custom_tool_call_input.delta", {**place, "delta": given}
        yield "response.custom_tool_call_input.done", {**place, "input": given}
        yield _done(self)

    def value(self) -> JSON:
        """Return the item."""
        return {
            "type": "custom_tool_call",
            "id": self.id,
            "call_id": self.call_id,
            "name": self.name,
            "input": self._input() if self.is_done else "",
        }

    def _input(self) -> str:
        arguments = "".join(self.pieces)
        try:
            value = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return arguments
        given = value.get("input") if isinstance(value, dict) else None
        return given if isinstance(given, str) else arguments
