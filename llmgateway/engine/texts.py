"""From the slots of a body to what checks are given, and from what they change back into the body.

A text is what belongs together for its reader: all blocks of one place of one choice. Log
probabilities and what is told again are never judged; they follow the text that they repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmgateway.codecs.slots import Place, Slot, SlotKind, json_slot, leaf_slots, text_slot
from llmgateway.guardrails import Scope, Stage, Subject
from llmgateway.types import JSON

_SAID = frozenset({Place.TEXT, Place.REFUSAL})
_ASKED = frozenset({Place.TEXT, Place.TOOL_RESULT})

TOLD_OF_CALLER = ("user", "metadata", "safety_identifier", "prompt_cache_key", "labels")
"""Members of a request that tell who asks and what for."""
_DECLARED = (
    *("tools", "functions", "response_format", "text", "output_format", "output_config"),
    *("generationConfig", "generation_config", "stop", "stop_sequences", "suffix"),
)
"""Members that hold schemas, descriptions and words that end an answer."""


@dataclass(frozen=True, slots=True)
class Group:
    """The slots that one run of a check looks at."""

    slots: tuple[Slot, ...]

    def subject(self, base: Subject) -> Subject:
        """Return what the check is given; `base` has all but the texts."""
        return replace(
            base,
            texts=tuple([slot.text for slot in self.slots]),
            places=tuple([slot.place.value for slot in self.slots]),
            roles=tuple([slot.role for slot in self.slots]),
            tools=tuple([slot.tool for slot in self.slots]),
            is_json=tuple([slot.is_json for slot in self.slots]),
        )

    def take(self, texts: Sequence[str]) -> bool:
        """Put new texts in; tell whether any is another than before."""
        changed = False
        for slot, text in zip(self.slots, texts, strict=True):
            if text != slot.text:
                slot.put(text)
                slot.text = text
                changed = True
        return changed


def groups_of(slots: Sequence[Slot], stage: Stage, scope: Scope) -> list[Group]:
    """Return what a check of this scope looks at: at the output, each choice for itself.

    There is always at least one group, which may be empty: no text is for the check to judge.
    """
    texts = [slot for slot in slots if slot.kind is SlotKind.TEXT]
    if stage == "input":
        last = max((slot.turn for slot in texts if slot.place in _ASKED), default=0)
        return [Group(tuple([slot for slot in texts if _is_asked(slot, scope, last)]))]
    choices = sorted({slot.choice for slot in slots}) or [0]
    judged = [slot for slot in texts if is_in_scope(slot, scope)]
    return [Group(tuple([s for s in judged if s.choice == choice])) for choice in choices]


def rest_of(body: JSON, slots: Sequence[Slot]) -> list[Slot]:
    """Return what a request says beside the texts that checks judge.

    A mask is for all of it, since all of it is sent: names and descriptions of tools, schemas, who
    asks. Of schemas the strings only: their numbers are bounds, and may look like telephones.
    """
    facts: dict[str, Any] = {"role": "system", "place": Place.OTHER, "turn": -1}
    found = [slot for slot in slots if slot.kind is SlotKind.TEXT and slot.place is Place.OTHER]
    for name in TOLD_OF_CALLER:
        read = text_slot if isinstance(body.get(name), str) else json_slot
        found += read(body, name, channel=name, **facts)
    for name in _DECLARED:
        found += leaf_slots(body, name, channel=name, **facts)
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            found += text_slot(message, "name", channel="name", **facts)
    return found


def _is_asked(slot: Slot, scope: Scope, last: int) -> bool:
    """Tell whether a check of this scope looks at a text of a request."""
    if scope == "last":
        return slot.place in _ASKED and slot.turn == last
    if scope == "system":
        return slot.role == "system" and slot.place in _ASKED
    return is_in_scope(slot, scope)


def is_in_scope(slot: Slot, scope: Scope) -> bool:
    """Tell whether a check of this scope looks at a text of an answer."""
    if scope == "all":
        return slot.place is not Place.OTHER
    if scope == "tool_arguments":
        return slot.place is Place.TOOL_ARGUMENTS
    if scope == "tool_results":
        return slot.place is Place.TOOL_RESULT
    return scope == "last" and slot.place in _SAID


def follow(slots: Sequence[Slot], before: Sequence[str]) -> None:
    """Bring copies and log probabilities in line with the texts that they repeat.

    `before` holds what each of `slots` said before checks changed some. A copy has the turn and the
    channel of its text and becomes what that is now; another that holds a changed text, and log
    probabilities of a choice with one, are emptied.
    """
    new: dict[tuple[int, int, str], str] = {}
    gone: dict[int, list[str]] = {}
    for slot, old in zip(slots, before, strict=True):
        if slot.kind is SlotKind.TEXT:
            place = _place(slot)
            new[place] = new.get(place, "") + slot.text
            if slot.text != old:
                gone.setdefault(slot.choice, []).append(old)
    if not gone:
        return
    for slot, old in zip(slots, before, strict=True):
        changed = gone.get(slot.choice, ())
        if slot.kind is SlotKind.TOKEN and changed:
            slot.put("")
        elif slot.kind is SlotKind.COPY and any(text in old or old in text for text in changed):
            slot.put(new.get(_place(slot), ""))


def _place(slot: Slot) -> tuple[int, int, str]:
    return slot.choice, slot.turn, slot.channel
