"""The texts of a stream, put together from its events; and events that say something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from llmgateway.codecs.base import Event, Format
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from llmgateway.types import JSON

Key = tuple[int, str]
"""The choice and the channel of a text."""


def parsed(event: Event) -> JSON | None:
    """Return an event's data, if it is a JSON object."""
    if not event.data.startswith(b"{"):
        return None
    try:
        body = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def written(body: JSON, like: Event) -> bytes:
    """Return an event that has another's name and these data."""
    name = b"" if like.name is None else b"event: " + like.name.encode() + b"\n"
    return name + b"data: " + orjson.dumps(body) + b"\n\n"


def key_of(slot: Slot) -> Key:
    """Return which text of a stream a slot is a piece of."""
    return slot.choice, slot.channel


@dataclass(slots=True)
class _Text:
    like: Slot
    pieces: list[str] = field(default_factory=list)
    is_copy: bool = False


class Texts:
    """What a stream has said so far, up to a bound."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._texts: dict[Key, _Text] = {}
        self.is_over = False
        """Whether the bound was met; then nothing more is kept."""

    def add(self, slots: Sequence[Slot]) -> None:
        """Take the slots of an event; what only tells again is not taken."""
        for slot in slots:
            if slot.kind in (SlotKind.TOKEN, SlotKind.END) or self.is_over:
                continue
            text = self._texts.get(key_of(slot))
            if text is None:
                text = self._texts[key_of(slot)] = _Text(
                    slot, is_copy=slot.kind is SlotKind.COPY and bool(slot.text)
                )
            elif slot.kind is SlotKind.COPY or text.is_copy:
                continue
            self._left -= len(slot.text.encode("utf-8", "surrogatepass"))
            if self._left < 0:
                self.is_over = True
            else:
                text.pieces.append(slot.text)

    def slots(self) -> dict[Key, Slot]:
        """Return each text as the slot of a whole one; what is put there stays there."""
        return {key: _whole(text) for key, text in self._texts.items()}


def _whole(text: _Text) -> Slot:
    like = text.like
    return Slot(
        "".join(text.pieces),
        lambda new: None,
        role=like.role,
        place=like.place,
        choice=like.choice,
        channel=like.channel,
        tool=like.tool,
        is_json=like.is_json,
    )


class Rewriter:
    """Puts changed texts in the place of what events said."""

    def __init__(self, wire: Format, changed: Mapping[Key, str]) -> None:
        self._format = wire
        self._changed = changed
        self._said: set[Key] = set()
        self._choices = {choice for choice, _ in changed}

    def rewrite(self, event: Event) -> bytes:
        """Return the event with the new texts: each whole where its first piece stood."""
        body = parsed(event)
        if body is None:
            return event.raw
        touched = False
        for slot in self._format.slots(body, Part.EVENT):
            key = key_of(slot)
            is_quote = slot.kind is SlotKind.COPY and slot.place is Place.OTHER
            if (is_quote or slot.kind is SlotKind.TOKEN) and slot.choice in self._choices:
                slot.put("")
                touched = True
            elif key not in self._changed or slot.kind in (SlotKind.TOKEN, SlotKind.END):
                continue
            elif slot.kind is SlotKind.COPY or key not in self._said:
                slot.put(self._changed[key])
            else:
                slot.put("")
            if slot.kind is not SlotKind.COPY:
                self._said.add(key)
            touched = True
        return written(body, event) if touched else event.raw
