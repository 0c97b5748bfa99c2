"""Where words stand in the items of Responses and in the parts of their content.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from llmgateway.codecs.logprobs import entry_tokens
from llmgateway.codecs.slots import (
    Place,
    Slot,
    SlotKind,
    json_slot,
    leaf_slots,
    objects_in,
    text_slot,
)
from llmgateway.codecs.spots import Voice
from llmgateway.types import JSON


@dataclass(frozen=True, slots=True)
class At:
    """Where an item stands, in the input or in the output."""

    index: int = 0
    role: str = "assistant"
    """Of a message that names none."""
    turn: int = 0
    kind: SlotKind = SlotKind.TEXT
    tools: Mapping[str, str] = field(default_factory=dict)
    """The names of the tools that were called, by the call's id."""

    def facts(self, name: str, place: Place = Place.TEXT) -> dict[str, Any]:
        """Return a slot's facts; its channel is `name` and the index."""
        return {
            "role": self.role,
            "turn": self.turn,
            "kind": self.kind,
            "place": place,
            "channel": f"{name}:{self.index}",
        }


def item_slots(item: JSON, at: At) -> list[Slot]:
    """Return the slots of one item of the input or the output."""
    kind = item.get("type")
    if kind is None or kind == "message":
        return _message(item, at)
    if isinstance(kind, str) and kind in _READERS:
        return _READERS[kind](item, at)
    return _other(item, at)


# ---- messages and thoughts


def _message(item: JSON, at: At) -> list[Slot]:
    said_by = item.get("role")
    role = _ROLES.get(said_by, at.role) if isinstance(said_by, str) else at.role
    at = replace(at, role=role)
    found = text_slot(item, "content", **at.facts("text"))
    for number, part in objects_in(item.get("content")):
        found += part_slots(part, at, f"{at.index}.{number}")
    return found


_ROLES: Final = {
    "assistant": "assistant",
    "user": "user",
    "system": "system",
    "developer": "system",
    "tool": "tool",
}


def part_slots(part: JSON, at: At, where: str) -> list[Slot]:
    """Return the slots of a part of content that stands at `where`: `0.0`, `1.s0`."""
    kind = part.get("type")
    if kind == "refusal":
        facts = {**at.facts("", Place.REFUSAL), "channel": f"refusal:{where}"}
        return text_slot(part, "refusal", **facts)
    if kind in ("reasoning_text", "summary_text"):
        facts = {**at.facts("", Place.REASONING), "channel": f"reasoning:{where}"}
        return text_slot(part, "text", **facts)
    facts = {**at.facts(""), "channel": f"text:{where}"}
    found = text_slot(part, "text", **facts)
    found += text_slot(part, "transcript", **{**facts, "channel": f"transcript:{where}"})
    found += entry_tokens(part.get("logprobs"), Voice(role=at.role, turn=at.turn), f"text:{where}")
    notes = {**at.facts("", Place.OTHER), "channel": f"quote:{where}"}
    return found + leaf_slots(part, "annotations", **notes)


def _reasoning(item: JSON, at: At) -> list[Slot]:
    at = replace(at, role="assistant")
    found: list[Slot] = []
    for key, prefix in (("summary", "s"), ("content", "")):
        for number, part in objects_in(item.get(key)):
            facts = at.facts("reasoning", Place.REASONING)
            facts["channel"] += f".{prefix}{number}"
            found += text_slot(part, "text", **facts)
    return found


# ---- calls and their results


def _function_call(item: JSON, at: At) -> list[Slot]:
    """Return the slot of arguments that are JSON, be it as a text or as an object."""
    return json_slot(item, "arguments", **_call(item, at))


def _custom_call(item: JSON, at: At) -> list[Slot]:
    return text_slot(item, "input", **_call(item, at))


def _mcp_call(item: JSON, at: At) -> list[Slot]:
    facts = _gave(item, at)
    name = facts.pop("channel")
    return (
        _function_call(item, at)
        + text_slot(item, "output", channel=name, **facts)
        + leaf_slots(item, "error", channel=f"{name}.error", **facts)
    )


def _code(item: JSON, at: At) -> list[Slot]:
    return text_slot(item, "code", **_call(item, at)) + _outputs(item, at)


def _outputs(item: JSON, at: At) -> list[Slot]:
    """Return the slots of what a program wrote; pictures have none."""
    facts = _gave(item, at)
    name, found = facts.pop("channel"), []
    for number, output in objects_in(item.get("outputs")):
        if output.get("type") != "image":
            found += leaf_slots({"output": output}, "output", channel=f"{name}.{number}", **facts)
    return found


def _output(item: JSON, at: At) -> list[Slot]:
    """Return the slots of a tool's output: a text, or parts of content."""
    facts = _gave(item, at)
    return leaf_slots(item, "output", skip=_OUTPUT_OPAQUE, **facts)


def _search(item: JSON, at: At) -> list[Slot]:
    """Return the slots of a search: what was asked for, and what was found."""
    found = leaf_slots(item, "queries", **_call(item, at))
    action = item.get("action")
    if isinstance(action, dict):
        facts = _call(item, at)
        channel = facts.pop("channel")
        for key in action:
            if key not in ("type", "sources"):
                found += leaf_slots(action, key, channel=f"{channel}.{key}", **facts)
        found += leaf_slots(action, "sources", **_gave(item, at))
    return found + leaf_slots(item, "results", **_gave(item, at))


def _command(item: JSON, at: At) -> list[Slot]:
    """Return the slots of what shall be run: a command of a shell, a step on a computer."""
    found = leaf_slots(item, "action", **_call(item, at))
    return found + leaf_slots(item, "operation", **_call(item, at))


def _approval(item: JSON, at: At) -> list[Slot]:
    return text_slot(item, "reason", **replace(at, role="user").facts("text"))


def _picture(item: JSON, at: At) -> list[Slot]:
    return text_slot(item, "revised_prompt", **_call(item, at))


def _other(item: JSON, at: At) -> list[Slot]:
    """Return the slots of an item of a kind not known here, by what its name says of it."""
    is_result = str(item.get("type")).endswith("_output")
    return leaf_slots({"item": item}, "item", **(_gave(item, at) if is_result else _call(item, at)))


def _nothing(item: JSON, at: At) -> list[Slot]:
    return []


def _call(item: JSON, at: At) -> dict[str, Any]:
    name = item.get("name")
    tool = name if isinstance(name, str) and name else None
    return {**replace(at, role="assistant").facts("call", Place.TOOL_ARGUMENTS), "tool": tool}


def _gave(item: JSON, at: At) -> dict[str, Any]:
    call, name = item.get("call_id"), item.get("name")
    tool = at.tools.get(call) if isinstance(call, str) else None
    if tool is None and isinstance(name, str):
        tool = name or None
    return {**replace(at, role="tool").facts("result", Place.TOOL_RESULT), "tool": tool}


_OUTPUT_OPAQUE: Final = frozenset({"type", "detail", "image_url", "file_id", "file_data"})

_READERS: Final[Mapping[str, Callable[[JSON, At], list[Slot]]]] = {
    "reasoning": _reasoning,
    "function_call": _function_call,
    "tool_search_call": _function_call,
    "mcp_approval_request": _function_call,
    "mcp_approval_response": _approval,
    "mcp_call": _mcp_call,
    "mcp_list_tools": _nothing,
    "custom_tool_call": _custom_call,
    "code_interpreter_call": _code,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "local_shell_call_output": _output,
    "shell_call_output": _output,
    "apply_patch_call_output": _output,
    "computer_call_output": _output,
    "web_search_call": _search,
    "file_search_call": _search,
    "local_shell_call": _command,
    "shell_call": _command,
    "apply_patch_call": _command,
    "computer_call": _command,
    "image_generation_call": _picture,
    "tool_search_output": _nothing,
    "compaction": _nothing,
    "item_reference": _nothing,
}
