"""What holds for the slots of any format: texts land in their places, and no body is too odd."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from llmgateway.codecs.base import Format
from llmgateway.codecs.slots import Part, Slot, SlotKind

JSON = dict[str, Any]
MARK = "<mark/>"


def rows(format: Format, body: Any, part: Part) -> list[tuple[Any, ...]]:
    """Return each slot as kind, place, role, choice, turn, channel and text."""
    return [
        (s.kind.value, s.place.value, s.role, s.choice, s.turn, s.channel, s.text)
        for s in format.slots(body, part)
    ]


def worded(format: Format, body: JSON, part: Part) -> list[Slot]:
    """Return the slots that have a text."""
    return [slot for slot in format.slots(body, part) if slot.kind is not SlotKind.END]


def check_puts(format: Format, body: JSON, part: Part) -> None:
    """Put a mark into each slot alone: it lands in the slot's place and nowhere else."""
    for number, slot in enumerate(worded(format, body, part)):
        changed = deepcopy(body)
        worded(format, changed, part)[number].put(MARK)
        differing = _differing(leaves(body), leaves(changed))
        assert differing
        assert all(MARK in f"{path}{value}" or value == "" for path, value in differing.items())
        assert slot.kind in (SlotKind.TOKEN, SlotKind.COPY) or slot.is_json or len(differing) == 1


def check_all_marked(format: Format, body: JSON, part: Part) -> None:
    """Put a mark into every slot: read again, the body says nothing else."""
    changed = deepcopy(body)
    for slot in worded(format, changed, part):
        slot.put(MARK)
    for slot in worded(format, changed, part):
        assert slot.text == MARK or json.loads(slot.text) == {"text": MARK}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> dict[Any, Any]:
    """Return every value that is no container, by its path; a token's bytes count as one."""
    if path and path[-1] == "bytes" and isinstance(value, list):
        return {path: _decoded(value)}
    if isinstance(value, dict | list) and value:
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        return {p: v for key, entry in entries for p, v in leaves(entry, (*path, key)).items()}
    return {path: value}


def _decoded(value: list[Any]) -> Any:
    try:
        return bytes(value).decode()
    except (ValueError, TypeError):
        return str(value)


def _differing(before: dict[Any, Any], after: dict[Any, Any]) -> dict[Any, Any]:
    """Return what stands where something else or nothing stood before."""
    return {
        path: value for path, value in after.items() if path not in before or before[path] != value
    }


def odd_json(names: list[str]) -> st.SearchStrategy[JSON]:
    """Return arbitrary objects of the members that a format knows, with values of any type."""
    scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
    words = st.sampled_from(["user", "system", "tool", "text", "thinking", "a"])
    keys = st.sampled_from(names) | st.text(max_size=3)

    def grown(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(values, max_size=4) | st.dictionaries(keys, values, max_size=6)

    values = st.recursive(scalars | words, grown, max_leaves=40)
    return st.dictionaries(st.sampled_from(names), values, max_size=6)
