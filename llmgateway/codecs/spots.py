"""Finds texts in bodies of which nothing is sure, and makes slots of them.

A *spot* is a container and the key or index at which a text stands in it. What has another type is
passed over, so that no body is too odd to be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from llmgateway.codecs.slots import Place, Slot, SlotKind, member
from llmgateway.types import JSON

Spot = tuple[Any, Any]


def spots(container: JSON, *keys: str) -> list[Spot]:
    """Return those members that hold a text."""
    return [(container, key) for key in keys if _is_text(container.get(key))]


def texts(container: JSON, key: str) -> list[Spot]:
    """Return a member that is a text, or the texts of a list."""
    value = container.get(key)
    if not isinstance(value, list):
        return spots(container, key)
    return [(value, number) for number, entry in enumerate(value) if _is_text(entry)]


def objects(value: object) -> list[JSON]:
    """Return a list's objects; none where it is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def obj(value: object) -> JSON:
    """Return an object; an empty one in the place of anything else."""
    return value if isinstance(value, dict) else {}


def text_of(spot: Spot) -> str:
    """Return the text that stands there."""
    container, key = spot
    text: str = container[key]
    return text


@dataclass(frozen=True, slots=True)
class Found:
    """A text somewhere below a value."""

    spot: Spot
    name: str
    """The nearest member's name; elements of lists have the list's."""
    place: str
    """The same for the same path in another body, and unlikely to be another path's."""


def walk(value: object, name: str = "") -> Iterator[Found]:
    """Yield every text below an object or list, in the order in which they stand.

    Neither depth nor size costs more than the JSON itself: paths are told by their checksum.
    """
    waiting: list[tuple[Any, str, int]] = [(value, name, crc32(name.encode("utf-8", "replace")))]
    while waiting:
        container, name, path = waiting.pop()
        if isinstance(container, Found):
            yield container
            continue
        is_dict = isinstance(container, dict)
        entries: Iterable[tuple[Any, Any]] = (
            container.items() if is_dict else enumerate(_list(container))
        )
        below: list[tuple[Any, str, int]] = []
        for key, entry in entries:
            if not entry or not isinstance(entry, str | dict | list):
                continue
            own = str(key) if is_dict else name
            mark = crc32(str(key).encode("utf-8", "replace"), path)
            if isinstance(entry, str):
                entry = Found((container, key), own, f"{mark:08x}")
            below.append((entry, own, mark))
        waiting.extend(reversed(below))


def words_under(value: object, names: Collection[str]) -> list[Spot]:
    """Return the texts below a value that stand under one of these names."""
    return [found.spot for found in walk(value) if found.name in names]


@dataclass(frozen=True, slots=True)
class Source:
    """One of the places in which a message tells a text; the first that has it owns it."""

    name: str
    spots: list[Spot]
    is_closing: bool = False
    """Whether, in a stream, it repeats what earlier events have told."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Who says something, and where: what all slots of one message have in common."""

    role: str = "assistant"
    kind: SlotKind = SlotKind.TEXT
    choice: int = 0
    turn: int = 0
    is_event: bool = False
    """Pieces of a text in an event are all of one channel."""
    prefix: str = ""
    """What the names of the channels begin with."""

    def facts(self, channel: str, place: Place, **others: Any) -> dict[str, Any]:
        """Return all of a slot but its text and what writes it."""
        return {
            "role": self.role,
            "kind": self.kind,
            "place": place,
            "choice": self.choice,
            "channel": self.prefix + channel,
            "turn": self.turn,
            **others,
        }

    def whole(self, channel: str, place: Place, **others: Any) -> dict[str, Any]:
        """Return the facts of a text that comes whole, in a stream as well."""
        is_delta = self.kind is SlotKind.DELTA
        kind = SlotKind.TEXT if is_delta else self.kind
        return self.facts(channel, place, **{"kind": kind, **others})

    def slot(self, spot: Spot, channel: str, place: Place, **others: Any) -> Slot:
        """Return the slot of a text."""
        return Slot(text_of(spot), member(*spot), **self.facts(channel, place, **others))

    def text(self, container: JSON, key: str, place: Place, tool: str | None) -> Slot:
        """Return what `slot` gives for a member that is a text, in the channel `text`; quickly."""
        put = member(container, key)
        said, channel = container[key], self.prefix + "text"
        return Slot(
            said, put, self.role, self.kind, place, self.choice, channel, self.turn, tool=tool
        )

    def all(self, found: list[Spot], channel: str, place: Place, **others: Any) -> list[Slot]:
        """Return the slots of texts that come whole, each in a channel of its own."""
        return [
            Slot(text_of(spot), member(*spot), **self.whole(f"{channel}:{number}", place, **others))
            for number, spot in enumerate(found)
        ]

    def end(self) -> Slot:
        """Return what tells that all texts of the choice end with this event."""
        return Slot("", _nowhere, **self.facts("", Place.TEXT, kind=SlotKind.END))

    def told(
        self, channel: str, place: Place, sources: Iterable[Source], **facts: Any
    ) -> list[Slot]:
        """Return the slots of a text that may be told in several places.

        The first that tells it owns it, and the others are copies as far as they say the same, of
        the owner's channels. What says something else is a text of its own, so that nothing can
        be hidden from a check behind a harmless one.
        """
        owners: list[Slot] = []
        slots: list[Slot] = []
        for source in sources:
            if not source.spots:
                continue
            if source.is_closing and self.is_event and not owners:
                slots.append(self._copy(source.spots, self.prefix + channel, place, facts))
                continue
            copied = _copied(owners, source.spots)
            if copied is not None:
                slots += [self._copy(*pair, place, facts) for pair in copied]
                continue
            own = f"{channel}/{source.name}" if owners else channel
            found = self._owned(source.spots, own, place, facts)
            owners = owners or found
            slots += found
        return slots

    def _owned(
        self, found: list[Spot], channel: str, place: Place, facts: dict[str, Any]
    ) -> list[Slot]:
        is_one = self.is_event or len(found) == 1
        return [
            self.slot(spot, channel if is_one else f"{channel}:{number}", place, **facts)
            for number, spot in enumerate(found)
        ]

    def _copy(self, found: list[Spot], channel: str, place: Place, facts: dict[str, Any]) -> Slot:
        """Return the slot of a copy; what is put in one of several pieces goes into the first."""

        def put(text: str) -> None:
            for number, (container, key) in enumerate(found):
                container[key] = "" if number else text

        text = "".join(map(text_of, found))
        own = {"kind": SlotKind.COPY, "channel": channel}
        return Slot(text, put, **{**self.facts("", place, **facts), **own})


def choice_end(choice: JSON, voice: Voice) -> list[Slot]:
    """Return the end of an event's choice, if the event finishes it."""
    return [voice.end()] if isinstance(choice.get("finish_reason"), str) else []


def _nowhere(text: str) -> None:
    """Write nothing: there is no place."""


def _copied(owners: list[Slot], found: list[Spot]) -> list[tuple[list[Spot], str]] | None:
    """Return with each text, or with all together, the channel that they repeat.

    None if they say something else.
    """
    said = [text_of(spot) for spot in found]
    if said == [owner.text for owner in owners]:
        return [([spot], owner.channel) for spot, owner in zip(found, owners, strict=True)]
    channels = {owner.channel for owner in owners}
    if len(channels) == 1 and "".join(said) == "".join(owner.text for owner in owners):
        return [(found, owners[0].channel)]
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
