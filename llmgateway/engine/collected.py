"""The texts of a stream, put together from its events; and events that say something else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from llmgateway.codecs.base import Event, Format
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from llmgateway.types import JSON

Key = tuple[int, str]
"""The choice and the channel of a text."""
Pairs = Sequence[tuple[Key, Slot]]
"""The slots of an event, each with the text that it belongs to."""


def parsed(event: Event) -> JSON | None:
    """Return an event's data, if it is a JSON object."""
    data = event.data.lstrip()
    if not data.startswith(b"{"):
        return None
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            # Many clients take half a surrogate pair; no check may fail at it.
            read = json.dumps(json.loads(data), ensure_ascii=False)
            body = orjson.loads(_SURROGATE.sub("\ufffd", read))
        except (ValueError, RecursionError):
            return None
    return body if isinstance(body, dict) else None


def written(body: JSON, like: Event) -> bytes:
    """Return an event that has another's name and these data."""
    name = b"" if like.name is None else b"event: " + like.name.encode() + b"\n"
    try:
        data = orjson.dumps(body)
    except TypeError:  # deeper than orjson writes
        data = json.dumps(body, separators=(",", ":")).encode()
    return name + b"data: " + data + b"\n\n"


_SURROGATE = re.compile("[\ud800-\udfff]")


class Keys:
    """Tells the texts of one stream apart; takes all of its slots, in order."""

    def __init__(self) -> None:
        self._whole: dict[Key, int] = {}

    def pairs(self, slots: Sequence[Slot]) -> list[tuple[Key, Slot]]:
        """Return an event's slots with their texts."""
        return [(self._of(slot), slot) for slot in slots]

    def _of(self, slot: Slot) -> Key:
        key = (slot.choice, slot.channel)
        if slot.kind is not SlotKind.TEXT:
            return key
        # Each that comes whole is a text of its own, also where two have one name.
        count = self._whole[key] = self._whole.get(key, 0) + 1
        return key if count == 1 else (slot.choice, f"{slot.channel}#{count}")


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

    def add(self, pairs: Pairs) -> None:
        """Take the slots of an event; what only tells again is not taken."""
        for key, slot in pairs:
            if slot.kind in (SlotKind.TOKEN, SlotKind.END) or self.is_over:
                continue
            text = self._texts.get(key)
            if text is None:
                text = self._texts[key] = _Text(slot, is_copy=slot.kind is SlotKind.COPY)
            elif slot.kind is SlotKind.COPY or text.is_copy:
                continue
            size = len(slot.text)
            if not slot.text.isascii():
                size = len(slot.text.encode("utf-8", "surrogatepass"))
            self._left -= size
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


def is_quote(slot: Slot) -> bool:
    """Tell whether a slot may hold any part of what an answer says, or of what it rests on."""
    is_copy = slot.kind is SlotKind.COPY and slot.place is Place.OTHER
    return is_copy and slot.role != "system"  # an echo of the request


class Rewriter:
    """Puts changed texts in the place of what events said."""

    def __init__(self, wire: Format, changed: Mapping[Key, str]) -> None:
        self._format = wire
        self._changed = changed
        self._keys = Keys()
        self._said: set[Key] = set()
        self._choices = {choice for choice, _ in changed}

    def rewrite(self, event: Event) -> bytes:
        """Return the event with the new texts: each whole where its first piece stood."""
        body = parsed(event)
        if body is None:
            return event.raw
        touched = False
        pairs = self._keys.pairs(self._format.slots(body, Part.EVENT))
        news = {key: self._new(key, slot) for key, slot in pairs if slot.kind is SlotKind.DELTA}
        olds = _joined(pairs)
        for key, slot in pairs:
            if slot.choice in self._choices and (is_quote(slot) or slot.kind is SlotKind.TOKEN):
                slot.put("")
            elif key not in self._changed or slot.kind in (SlotKind.TOKEN, SlotKind.END):
                continue
            elif slot.kind is SlotKind.DELTA:
                slot.put(news[key])
                news[key] = ""
            elif slot.kind is SlotKind.COPY and slot.text == olds.get(key):
                slot.put("" if key in self._said else self._changed[key])
            else:
                slot.put(self._changed[key])
            touched = True
        self._said.update(key for key, slot in pairs if slot.kind is SlotKind.DELTA)
        return written(body, event) if touched else event.raw

    def _new(self, key: Key, slot: Slot) -> str:
        return "" if key in self._said else self._changed.get(key, "")


def _joined(pairs: Pairs) -> dict[Key, str]:
    """Return the piece that an event tells of each text."""
    found: dict[Key, str] = {}
    for key, slot in pairs:
        if slot.kind is SlotKind.DELTA:
            found[key] = found.get(key, "") + slot.text
    return found


# ---- events that say one text alone

_NAMING: Final = frozenset(
    {
        "command_index",
        "content_index",
        "created",
        "index",
        "item_id",
        "jsonPath",
        "json_path",
        "model",
        "modelVersion",
        "object",
        "output_index",
        "responseId",
        "role",
        "sequence_number",
        "summary_index",
        "thought",
        "type",
        "willContinue",
        "will_continue",
    }
)
"""Members that tell which text a piece belongs to, and that may be told twice."""


def alone(wire: Format, event: Event, key: Key, text: str) -> JSON | None:
    """Return what an event like one that has been says if it says nothing but this text.

    Names, ids and counts are left out: clients add up what comes twice. None: it holds no such
    text.
    """
    body = parsed(event) or {}
    for slot in reversed(wire.slots(body, Part.EVENT)):
        if slot.kind is SlotKind.DELTA and (slot.choice, slot.channel) == key:
            slot.put(_MARK)
            found: JSON | None = _path_to_mark(body, text)
            if found is not None and "id" in body:
                found["id"] = body["id"]
            return found
    return None


_MARK: Final = "\ue000the place of the text\ue000"


def _is_naming(member: tuple[str, Any]) -> bool:
    name, value = member
    # A role is added up too, by clients that know of one only at the beginning.
    return value is None or (name in _NAMING and value != "assistant")


def _path_to_mark(value: Any, text: str) -> Any:
    """Return a value with nothing but the path to the mark, and the text there; None: no mark."""
    if isinstance(value, dict):
        for name, item in value.items():
            if (found := _path_to_mark(item, text)) is not None:
                return {**dict(filter(_is_naming, value.items())), name: found}
    if isinstance(value, list):
        for item in value:
            if (found := _path_to_mark(item, text)) is not None:
                return [found]
    return text if value == _MARK else None
