"""Blocks of a stream on their way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from llmgateway.codecs.hub import APPENDED, Block, append
from llmgateway.codecs.messages.arguments import Arguments
from llmgateway.codecs.messages.carrier import pack, signature_for
from llmgateway.codecs.messages.citations import own_citations
from llmgateway.codecs.messages.outbound import write_block
from llmgateway.types import JSON

NO_CALL: Final = -1


@dataclass(slots=True)
class Draft:
    """One block: what of it is known, and what waits to be sent."""

    index: int
    """Of the hub's block that it shows."""
    block: Block
    """All that is known of it."""
    call: int = NO_CALL
    deltas: list[JSON] = field(default_factory=list)
    arguments: Arguments = field(default_factory=Arguments)
    """Of a call, so far."""
    is_started: bool = False
    is_written: bool = False
    """Whether `block` is in this format's own terms already."""

    @property
    def kind(self) -> str:
        """The block's type."""
        return str(self.block.get("type"))

    @property
    def is_spoken(self) -> bool:
        """Whether it goes out piece by piece, not whole at its end."""
        return self.kind in ("text", "thinking", "tool_use") and not self.is_written

    @property
    def is_complete(self) -> bool:
        """Whether another block may follow now."""
        return self.call == NO_CALL or self.arguments.is_object

    @property
    def can_start(self) -> bool:
        """Whether its first event can be written before its end."""
        if self.call != NO_CALL:
            return bool(self.block["name"])
        return self.is_spoken and bool(self.deltas)

    @property
    def is_silent(self) -> bool:
        """Whether it is a text that never said anything."""
        return self.kind == "text" and not self.is_started and not self.deltas

    @property
    def carried(self) -> Block | None:
        """The carrier that must follow it: of a signature that only texts of other makers have."""
        if self.kind != "text" or self.is_written or not self.block.get("signature"):
            return None
        if self.is_silent:
            return pack({"block": self.block})
        return pack({"signature": self.block["signature"]})

    def goes_on_with(self, index: int, entry: Block) -> bool:
        """Whether an entry belongs to this block, which is the last one so far."""
        if self.call != NO_CALL or self.is_written or self.index != index:
            return False
        return str(entry.get("type", self.kind)) == self.kind

    def add(self, name: str, value: Any) -> None:
        """Take one member of an entry; pieces of texts are appended."""
        if name in APPENDED and isinstance(value, str):
            append(self.block, name, value)
        else:
            self.block[name] = value
        if not value or self.is_written:
            return
        if name == self.kind and isinstance(value, str):
            self.deltas.append({"type": f"{name}_delta", name: value})
        elif name == "citations" and self.kind == "text":
            self.deltas += [
                {"type": "citations_delta", "citation": one} for one in own_citations(value)
            ]

    def argue(self, name: Any, arguments: Any) -> None:
        """Take a piece of a call."""
        if isinstance(name, str) and not self.is_started:
            append(self.block, "name", name)
        if isinstance(arguments, str) and arguments:
            self.arguments.add(arguments)
            self.deltas.append({"type": "input_json_delta", "partial_json": arguments})

    def end(self) -> None:
        """Sign a thought; who made it, and thus how to sign it, is known for sure at its end."""
        if self.kind == "thinking" and not self.is_written:
            signature = signature_for(self.block)
            self.deltas.append({"type": "signature_delta", "signature": signature})

    def start(self) -> Block:
        """Return the block as its first event has it."""
        if self.is_written:
            return self.block
        match self.kind:
            case "text":
                return {"type": "text", "text": "", "citations": None}
            case "thinking":
                return {"type": "thinking", "thinking": "", "signature": ""}
            case "tool_use":
                return {**self.block, "input": {}}
        return write_block(self.block)[0]


def draft_of(index: int, entry: Block) -> Draft:
    """Begin a block with the entry of a hub chunk; where it tells no type, its members do."""
    guessed = next((kind for name, kind in _GUESSES.items() if name in entry), "opaque")
    return Draft(index, {"type": entry.get("type", guessed)})


_GUESSES: Final = {
    "thinking": "thinking",
    "signature": "thinking",
    "text": "text",
    "citations": "text",
    "data": "redacted_thinking",
}


def written_draft(block: Block) -> Draft:
    """Return a block of this format as a draft: a carrier."""
    return Draft(-1, block, is_written=True)


def call_draft(number: int, call_id: str, extra: JSON) -> Draft:
    """Begin a tool's call; `extra` are members of the block that the hub has no word for."""
    block = {**extra, "type": "tool_use", "id": call_id, "name": ""}
    return Draft(-1, block, call=number)
