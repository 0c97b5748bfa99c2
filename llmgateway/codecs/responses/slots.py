"""Where words stand in Responses: requests, answers and the events of a stream.

Channels are named by the output index and the place within the item: `text:0.0`, `refusal:0.1`,
`reasoning:1.0`, `reasoning:1.s0` (a summary), `call:2`, `result:2`. Deltas, closing events, items
and whole responses name the same ones.

All but deltas are copies in a stream. Where no delta came before (items that come whole, parts of
`output_item.done`), the copy is the first telling of its channel, and must be judged as such.
Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.logprobs import entry_tokens
from llmgateway.codecs.responses.parts import At, item_slots, part_slots
from llmgateway.codecs.slots import (
    WHOLE_STREAM,
    Part,
    Place,
    Slot,
    SlotKind,
    end_slot,
    leaf_slots,
    objects_in,
    text_slot,
)
from llmgateway.codecs.spots import Voice
from llmgateway.types import JSON

_SYSTEM: Final = -1


def slots(body: JSON, part: Part) -> list[Slot]:
    """Return every place where words stand; implements `Format.slots`."""
    if part is Part.REQUEST:
        return _request(body)
    return _response(body, SlotKind.TEXT) if part is Part.RESPONSE else _event(body)


# ---- whole bodies


def _request(body: JSON) -> list[Slot]:
    system = At(role="system", turn=_SYSTEM)
    found = _instructions(body, **system.facts("instructions"))
    found += _variables(body, **At(role="user").facts("variables"))
    items = objects_in(body.get("input"))
    tools = {
        call_id: str(item["name"])
        for _, item in items
        if isinstance(call_id := item.get("call_id"), str) and isinstance(item.get("name"), str)
    }
    found += text_slot(body, "input", **At(role="user").facts("text"))
    for turn, item in items:
        found += item_slots(item, At(index=turn, role="user", turn=turn, tools=tools))
    for index, tool in objects_in(body.get("tools")):
        facts = At(index=index, role="system", turn=_SYSTEM).facts("tool", Place.OTHER)
        found += text_slot(tool, "description", **facts)
    return found


def _response(body: JSON, kind: SlotKind) -> list[Slot]:
    """Return the slots of a response; it repeats what the request said, too."""
    echo = At(role="system", kind=SlotKind.COPY)
    found = _instructions(body, **echo.facts("instructions", Place.OTHER))
    found += _variables(body, **echo.facts("variables", Place.OTHER))
    for index, item in objects_in(body.get("output")):
        found += item_slots(item, At(index=index, kind=kind))
    found += text_slot(body, "output_text", kind=SlotKind.COPY, channel="output_text")
    return found


def _instructions(body: JSON, channel: str, **facts: Any) -> list[Slot]:
    """Return the slots of instructions: a text, or a prompt's items."""
    return leaf_slots(body, "instructions", channel=channel, skip=_MEDIA, **facts)


def _variables(body: JSON, channel: str, **facts: Any) -> list[Slot]:
    """Return the slots of what is filled into a stored prompt."""
    prompt = body.get("prompt")
    variables = prompt.get("variables") if isinstance(prompt, dict) else None
    if not isinstance(variables, dict):
        return []
    found: list[Slot] = []
    for name, value in variables.items():
        within = f"{channel}.{name}"
        found += text_slot(variables, name, channel=within, **facts)
        if isinstance(value, dict):
            found += text_slot(value, "text", channel=within, **facts)
    return found


_MEDIA: Final = frozenset(
    {"type", "role", "id", "status", "detail", "image_url", "file_url", "file_id", "file_data"}
)

# ---- events


def _event(event: JSON) -> list[Slot]:
    kind = event.get("type")
    if not isinstance(kind, str):
        return []
    if kind in _PIECES:
        return _piece(event, *_PIECES[kind])
    if kind in _PARTS and isinstance(part := event.get("part"), dict):
        return _closing(kind, part_slots(part, _at(event), _PARTS[kind].format(**_places(event))))
    if kind in _ITEMS and isinstance(item := event.get("item"), dict):
        return _closing(kind, item_slots(item, _at(event)))
    if kind == "response.output_text.annotation.added":
        channel = "quote:{output_index}.{content_index}.{annotation_index}"
        facts = _at(event).facts("", Place.OTHER)
        facts["channel"] = channel.format(**_places(event))
        return leaf_slots(event, "annotation", **facts)
    if isinstance(response := event.get("response"), dict):
        found = _response(response, SlotKind.COPY)
        return found + ([end_slot(choice=WHOLE_STREAM)] if kind in _ENDS else [])
    return []


def _closing(kind: str, found: list[Slot]) -> list[Slot]:
    """Add the ends of what an event tells again, if it is the last to do so in pieces."""
    if not kind.endswith(".done"):
        return found
    copies = [slot for slot in found if slot.kind is SlotKind.COPY]
    channels = dict.fromkeys(slot.channel for slot in copies if slot.place is not Place.OTHER)
    return found + [end_slot(channel) for channel in channels]


def _piece(event: JSON, key: str, name: str, within: str, place: Place) -> list[Slot]:
    """Return the slots of a text's next piece, or of all of it at its end."""
    kind = SlotKind.DELTA if key == "delta" else SlotKind.COPY
    channel = f"{name}:{_number(event.get('output_index'))}"
    if within:
        mark = "s" if within == "summary_index" else ""
        channel += f".{mark}{_number(event.get(within))}"
    is_json = event["type"] in _JSON
    found = text_slot(event, key, kind=kind, place=place, channel=channel, is_json=is_json)
    if "logprobs" in event:
        found += entry_tokens(event["logprobs"], Voice(), channel)
    return found if kind is SlotKind.DELTA else [*found, end_slot(channel)]


def _at(event: JSON) -> At:
    return At(index=_places(event)["output_index"], kind=SlotKind.COPY)


def _places(event: JSON) -> dict[str, int]:
    """Return the indices of an event, 0 for those that it leaves out."""
    return {name: _number(event.get(name)) for name in _INDICES}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


_INDICES: Final = (
    "output_index",
    "content_index",
    "summary_index",
    "annotation_index",
)


def _both(
    event: str, key: str, name: str, within: str, place: Place
) -> dict[str, tuple[str, str, str, Place]]:
    """Return the readings of a text's deltas and of its end, which has all of it as `key`."""
    return {
        f"response.{event}.delta": ("delta", name, within, place),
        f"response.{event}.done": (key, name, within, place),
    }


_PIECES: Final = {
    **_both("output_text", "text", "text", "content_index", Place.TEXT),
    **_both("audio.transcript", "transcript", "transcript", "", Place.TEXT),
    **_both("refusal", "refusal", "refusal", "content_index", Place.REFUSAL),
    **_both("reasoning_text", "text", "reasoning", "content_index", Place.REASONING),
    **_both("reasoning_summary_text", "text", "reasoning", "summary_index", Place.REASONING),
    **_both("function_call_arguments", "arguments", "call", "", Place.TOOL_ARGUMENTS),
    **_both("mcp_call_arguments", "arguments", "call", "", Place.TOOL_ARGUMENTS),
    **_both("custom_tool_call_input", "input", "call", "", Place.TOOL_ARGUMENTS),
    **_both("code_interpreter_call_code", "code", "call", "", Place.TOOL_ARGUMENTS),
    **_both("shell_call_command", "command", "call", "command_index", Place.TOOL_ARGUMENTS),
}
"""Of each type of event: the member, the name of its channel, its index within the item if it has
one, and its place."""

_JSON: Final = frozenset(kind for kind in _PIECES if "call_arguments" in kind)

_PARTS: Final = {
    "response.content_part.added": "{output_index}.{content_index}",
    "response.content_part.done": "{output_index}.{content_index}",
    "response.reasoning_summary_part.added": "{output_index}.s{summary_index}",
    "response.reasoning_summary_part.done": "{output_index}.s{summary_index}",
}
"""Where the part of each type of event stands."""

_ITEMS: Final = frozenset({"response.output_item.added", "response.output_item.done"})

_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
