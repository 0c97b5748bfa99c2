"""What becomes of the events of one stream whose texts pass through windows."""

from __future__ import annotations

from collections.abc import Sequence

from llmgateway.codecs.base import Denial, Event, Format
from llmgateway.codecs.slots import Place, Slot, SlotKind
from llmgateway.engine.collected import Key, Pairs, alone, is_quote, written
from llmgateway.engine.windows import Channel, Windows


class Passage:
    """Lets texts through, event by event. Its methods raise `Denied`."""

    def __init__(self, wire: Format, windows: Windows, denial: Denial) -> None:
        self._format = wire
        self._windows = windows
        self._denial = denial
        self._channels: dict[Key, Channel] = {}
        self._last_of: dict[Key, Event] = {}
        """By channel: the event that brought the last piece of it."""
        self.has_said = False
        """Whether any text has been let out."""

    async def take(self, event: Event, pairs: Pairs) -> tuple[list[bytes], bool]:
        """Rewrite an event's body; return what goes out before it, and whether it has changed."""
        if self._windows.is_idle:
            self.has_said = self.has_said or any(slot.text for _, slot in pairs)
            return [], False
        came, changed = await self._judge(event, pairs)
        ends = [slot for _, slot in pairs if slot.kind is SlotKind.END]
        out: list[bytes] = []
        if ends:
            out, put = await self._close(ends, pairs)
            changed = changed or put
        return out, self._repeat(pairs, came) or changed

    async def close(self) -> list[bytes]:
        """Return what says all that was held back."""
        out, _ = await self._close([Slot("", _nowhere, kind=SlotKind.END, choice=-1)], ())
        return out

    def passed(self, key: Key) -> str | None:
        """Return what checks have made of a text; None where it passes as it comes."""
        channel = self._channels.get(key)
        return None if channel is None or channel.is_plain else "".join(channel.passed)

    async def _judge(self, event: Event, pairs: Pairs) -> tuple[dict[Key, str], bool]:
        """Let through what may go out of an event's texts.

        Return the pieces that it brought, and whether anything differs.
        """
        came: dict[Key, str] = {}
        changed = False
        for key, slot in pairs:
            if not self._is_first_told(key, slot):
                continue
            channel = self._channels.get(key)
            if channel is None:
                channel = self._channels[key] = self._windows.open(slot)
            piece = await channel.feed(slot.text)
            if slot.kind is SlotKind.DELTA:
                self._last_of[key] = event
                came[key] = came.get(key, "") + slot.text
            else:
                piece += await channel.close()
            self.has_said = self.has_said or bool(piece)
            changed = _put(slot, piece) or changed
        return came, changed

    def _is_first_told(self, key: Key, slot: Slot) -> bool:
        """Tell whether a slot says what has not been said: a copy does, if it comes first."""
        if slot.kind is SlotKind.COPY:
            return key not in self._channels and slot.place is not Place.OTHER
        return slot.kind in (SlotKind.TEXT, SlotKind.DELTA)

    async def _close(self, ends: Sequence[Slot], pairs: Pairs) -> tuple[list[bytes], bool]:
        """Let out what was held back of texts that end with an event: in it, or before it."""
        out: list[bytes] = []
        changed = False
        for key, channel in self._channels.items():
            if not any(_is_end_of(end, key) for end in ends):
                continue
            rest = await channel.close()
            if not rest:
                continue
            self.has_said = True
            here = [slot for k, slot in pairs if k == key and slot.kind is SlotKind.DELTA]
            if here:
                changed = _put(here[-1], here[-1].text + rest)
            else:
                out += self._made_of(self._last_of[key], key, rest)
        return out, changed

    def _made_of(self, event: Event, key: Key, text: str) -> list[bytes]:
        """Return an event like one that went out, which says nothing but this text."""
        body = alone(self._format, event, key, text)
        if body is None:
            return []
        self._denial.see(body)
        return [written(body, event)]

    def _repeat(self, pairs: Pairs, came: dict[Key, str]) -> bool:
        """Bring what an event tells again in line with what went out; tell whether it differs."""
        changed = False
        for key, slot in pairs:
            if slot.kind is SlotKind.TOKEN:
                if self._windows.judges(slot):
                    changed = _put(slot, "") or changed
            elif slot.kind is SlotKind.COPY:
                changed = self._repeat_one(key, slot, pairs, came) or changed
        return changed

    def _repeat_one(self, key: Key, slot: Slot, pairs: Pairs, came: dict[Key, str]) -> bool:
        channel = self._channels.get(key)
        if channel is None:
            return is_quote(slot) and self._differs(slot.choice) and _put(slot, "")
        if channel.is_plain:
            return False
        if slot.text == came.get(key) != "".join(channel.came):
            # It tells this event's piece again, not all of the text.
            told = [s.text for k, s in pairs if k == key and s.kind is SlotKind.DELTA]
            return _put(slot, "".join(told))
        return _put(slot, "".join(channel.out))

    def _differs(self, choice: int) -> bool:
        """Tell whether a choice has said anything else than what went out."""
        return any(one.differs for one in self._channels.values() if one.like.choice == choice)


def _put(slot: Slot, text: str) -> bool:
    """Write another text in a slot's place; tell whether it is another."""
    if text == slot.text:
        return False
    slot.put(text)
    slot.text = text
    return True


def _is_end_of(end: Slot, key: Key) -> bool:
    choice, channel = key
    return end.choice < 0 or (end.choice == choice and end.channel in ("", channel))


def _nowhere(text: str) -> None:
    pass
