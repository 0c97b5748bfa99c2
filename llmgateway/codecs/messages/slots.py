"""Where words stand in Messages: requests, answers and the events of a stream.

Each content block is a channel of its own, named by its kind and its index: `text:0`,
`reasoning:1`, `call:2`, `result:3`; a block's start and its deltas name the same one. Quotes of
sources (`cited_text`) are copies in channels of their own, `quote:0.0`, since they repeat a part
of what was told elsewhere.

A thinking block is signed: whoever puts another text there makes its signature invalid, and the API
refuses the turn. The signature is left in place; which thoughts may change is the caller's choice.
Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from llmgateway.codecs.messages.shape import as_list, kind_of, text_of
from llmgateway.codecs.slots import (
    WHOLE_STREAM,
    Part,
    Place,
    Slot,
    SlotKind,
    end_slot,
    json_slot,
    leaf_slots,
    nowhere,
    objects_in,
    text_slot,
)
from llmgateway.types import JSON

_SYSTEM: Final = -1


@dataclass(frozen=True, slots=True)
class _At:
    """Where a block stands."""

    index: int = 0
    """Within its message."""
    role: str = "assistant"
    turn: int = 0
    kind: SlotKind = SlotKind.TEXT
    """Of the texts that deltas may go on with."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """The names of the tools that were called, by the call's id."""

    def facts(self, channel: str, place: Place = Place.TEXT) -> dict[str, Any]:
        """Return a slot's facts."""
        return {
            "role": self.role,
            "turn": self.turn,
            "place": place,
            "channel": f"{channel}:{self.index}",
        }


_Reader = Callable[[JSON, _At], list[Slot]]


def slots(body: JSON, part: Part) -> list[Slot]:
    """Return every place where words stand; implements `Format.slots`."""
    if part is Part.REQUEST:
        return _request(body)
    return _answer(body) if part is Part.RESPONSE else _event(body)


def count_slots(body: JSON, part: Part) -> list[Slot]:
    """Likewise for a count of tokens, whose answer has no words."""
    return _request(body) if part is Part.REQUEST else []


# ---- whole bodies


def _request(body: JSON) -> list[Slot]:
    found = _content(body, "system", _At(role="system", turn=_SYSTEM))
    messages = objects_in(body.get("messages"))
    tools = _tool_names(block for _, one in messages for block in as_list(one.get("content")))
    for turn, message in messages:
        said_by = text_of(message.get("role"))
        role = said_by if said_by in ("assistant", "system") else "user"
        found += _content(message, "content", _At(role=role, turn=turn, tools=tools))
    for index, tool in objects_in(body.get("tools")):
        at = _At(index, role="system", turn=_SYSTEM)
        found += text_slot(tool, "description", **at.facts("tool", Place.OTHER))
    return found


def _answer(message: JSON) -> list[Slot]:
    at = _At(tools=_tool_names(as_list(message.get("content"))))
    return _content(message, "content", at) + _end(message)


def _end(holder: JSON) -> list[Slot]:
    """Return the slots of what tells why an answer ended."""
    details = holder.get("stop_details")
    found = text_slot(holder, "stop_sequence", channel="stop_sequence", place=Place.OTHER)
    if isinstance(details, dict):
        found += text_slot(details, "explanation", channel="refusal", place=Place.REFUSAL)
    return found


def _tool_names(blocks: Any) -> dict[str, str]:
    calls = (block for block in blocks if kind_of(block).endswith("tool_use"))
    return {text_of(call.get("id")): text_of(call.get("name")) for call in calls}


# ---- events


def _event(event: JSON) -> list[Slot]:
    index = event.get("index")
    at = _At(index if isinstance(index, int) else 0, kind=SlotKind.DELTA)
    kind = kind_of(event)
    if kind == "message_stop":
        return [end_slot(choice=WHOLE_STREAM)]
    if kind == "content_block_stop":  # which does not say of which kind the block was
        return [end_slot(f"{name}:{at.index}") for name in ("text", "reasoning", "call")]
    within = _MEMBER.get(kind)
    told = event.get(within) if within else None
    if not isinstance(told, dict):
        return []
    if within == "message":
        return _answer(told)
    if within == "content_block":
        return _block(told, at)
    if kind == "content_block_delta":
        return _delta(told, at)
    has_reason = isinstance(told.get("stop_reason"), str)
    return _end(told) + ([end_slot()] if has_reason else [])


_MEMBER: Final = {
    "message_start": "message",
    "content_block_start": "content_block",
    "content_block_delta": "delta",
    "message_delta": "delta",
}
"""Where each type of event holds what it tells."""


def _delta(delta: JSON, at: _At) -> list[Slot]:
    """Return the slots of the next piece of a block. The tool of a call was told at its start."""
    kind = kind_of(delta)
    if kind == "citations_delta":
        return _citation(delta.get("citation"), at, 0)
    if kind not in _PIECES:
        return []
    key, name, place = _PIECES[kind]
    is_json = place is Place.TOOL_ARGUMENTS
    return text_slot(
        delta,
        key,
        kind=SlotKind.DELTA,
        place=place,
        channel=f"{name}:{at.index}",
        is_json=is_json,
    )


_PIECES: Final = {
    "text_delta": ("text", "text", Place.TEXT),
    "thinking_delta": ("thinking", "reasoning", Place.REASONING),
    "compaction_delta": ("content", "reasoning", Place.REASONING),
    "input_json_delta": ("partial_json", "call", Place.TOOL_ARGUMENTS),
}
"""Of each type of delta: the member, and the name and place of its channel."""

# ---- content blocks


def _content(holder: JSON, key: str, at: _At) -> list[Slot]:
    """Return the slots of content that is a text or a list of blocks."""
    found = text_slot(holder, key, **at.facts("text"))
    for index, block in objects_in(holder.get(key)):
        found += _block(block, replace(at, index=index))
    return found


def _block(block: JSON, at: _At) -> list[Slot]:
    kind = kind_of(block)
    if kind in _READERS:
        return _READERS[kind](block, at)
    if kind.endswith("tool_use"):
        return _call(block, at)
    if kind.endswith("tool_result"):
        return _result(block, at)
    return leaf_slots({"block": block}, "block", **at.facts("text"))


def _text(block: JSON, at: _At) -> list[Slot]:
    found = text_slot(block, "text", kind=at.kind, **at.facts("text"))
    for number, citation in enumerate(as_list(block.get("citations"))):
        found += _citation(citation, at, number)
    return found


def _citation(citation: Any, at: _At, number: int) -> list[Slot]:
    if not isinstance(citation, dict):
        return []
    facts = at.facts("quote", Place.OTHER)
    facts["channel"] += f".{number}"
    found = text_slot(citation, "cited_text", kind=SlotKind.COPY, **facts)
    for key in ("document_title", "title", "url"):
        found += text_slot(citation, key, **{**facts, "channel": f"{facts['channel']}.{key}"})
    return found


def _thinking(block: JSON, at: _At) -> list[Slot]:
    facts = at.facts("reasoning", Place.REASONING)
    return text_slot(block, "thinking", kind=at.kind, **facts)


def _compaction(block: JSON, at: _At) -> list[Slot]:
    """Return the slot of a summary that the model wrote for itself."""
    return text_slot(block, "content", kind=at.kind, **at.facts("reasoning", Place.REASONING))


def _call(block: JSON, at: _At) -> list[Slot]:
    facts = at.facts("call", Place.TOOL_ARGUMENTS)
    facts["tool"] = text_of(block.get("name")) or None
    if at.kind is SlotKind.DELTA and not block.get("input"):  # its deltas do not say the name again
        return [Slot("", nowhere, is_json=True, kind=SlotKind.DELTA, **facts)]
    return json_slot(block, "input", **facts)


def _result(block: JSON, at: _At) -> list[Slot]:
    """Return the slots of what a tool gave, be it the caller's or one that the provider runs."""
    facts = replace(at, role="tool").facts("result", Place.TOOL_RESULT)
    facts["tool"] = at.tools.get(text_of(block.get("tool_use_id"))) or None
    channel = facts.pop("channel")
    found = text_slot(block, "content", channel=channel, **facts)
    within = block.get("content")
    parts = [(0, within)] if isinstance(within, dict) else objects_in(within)
    for number, inner in parts:
        found += _sourced(inner, f"{channel}.{number}", facts)
    return found


def _source_block(block: JSON, at: _At) -> list[Slot]:
    facts = at.facts("text")
    return _sourced(block, facts.pop("channel"), facts)


def _sourced(block: JSON, channel: str, facts: dict[str, Any]) -> list[Slot]:
    """Return the slots of a block that quotes the world: a document, a hit of a search, an output.

    Titles are words of the source too, but no more than its name to the reader.
    """
    kind = kind_of(block)
    if kind == "image":
        return []
    if kind == "web_fetch_result":
        document = block.get("content")
        found = text_slot(block, "url", channel=f"{channel}.url", **facts)
        inner = document if isinstance(document, dict) else {}
        return found + _document(inner, channel, facts)
    if kind == "document":
        return _document(block, channel, facts)
    if kind == "search_result":
        return _titles(block, ("title", "source"), channel, facts) + leaf_slots(
            block, "content", channel=channel, **facts
        )
    return leaf_slots({"block": block}, "block", channel=channel, **facts)


def _document(block: JSON, channel: str, facts: dict[str, Any]) -> list[Slot]:
    found = _titles(block, ("title", "context"), channel, facts)
    source = block.get("source")
    if isinstance(source, dict):
        key = {"text": "data", "content": "content"}.get(kind_of(source), "")
        found += leaf_slots(source, key, channel=channel, **facts)
    return found


def _titles(block: JSON, keys: tuple[str, ...], channel: str, facts: dict[str, Any]) -> list[Slot]:
    named = {**facts, "place": Place.OTHER}
    return [
        slot for key in keys for slot in text_slot(block, key, channel=f"{channel}.{key}", **named)
    ]


def _nothing(block: JSON, at: _At) -> list[Slot]:
    return []


_READERS: Final[Mapping[str, _Reader]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _nothing,
    "compaction": _compaction,
    "document": _source_block,
    "search_result": _source_block,
    "image": _nothing,
    "container_upload": _nothing,
}
"""Of kinds that end in `tool_use` or `tool_result` there are many; see `_block`."""
