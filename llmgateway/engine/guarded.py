"""A streamed answer under guardrails, let through in windows or watched.

It works on what goes out to the caller, event by event, in the caller's own format; so a native
and a translated target are guarded alike. Until anything of the answer has gone out, a denial is an
outcome like any other; after that the stream ends as its format says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import orjson

from llmgateway.codecs.base import Event, Format, Framing
from llmgateway.codecs.generate_content import ArrayFrames
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from llmgateway.codecs.sse import DONE, SSESplitter
from llmgateway.engine.bind import BoundHook, StreamMode
from llmgateway.engine.collected import Key, Texts, key_of, parsed, written
from llmgateway.engine.guard import HookResult, Matter, Runner, Told
from llmgateway.engine.outcome import Outcome, Streamed
from llmgateway.engine.streaming import done_within
from llmgateway.engine.windows import Channel, Denied, Windows
from llmgateway.errors import GatewayError, HooksFailed, StreamAborted
from llmgateway.guardrails import Subject
from llmgateway.settings import Limits
from llmgateway.types import JSON
from llmgateway.types.usage import Usage


@dataclass(frozen=True, slots=True)
class Way:
    """What a stream's guardrails go by."""

    wire: Format
    """The caller's."""
    runner: Runner
    told: Told
    subject: Subject
    limits: Limits
    request_id: str
    hooks: Sequence[BoundHook]
    """Those that the answer waits for."""
    begin_beside: Callable[[Matter], None]
    """Start those that it does not."""
    status: Callable[[int], int]
    """What becomes of a status by what the hooks have told."""
    tells_events: bool = False
    """Whether the caller wants results as events of their own."""
    is_array: bool = False
    """Whether the events go out as the elements of one array."""

    @property
    def mode(self) -> StreamMode:
        """The strictest that any of the hooks wants."""
        return max((hook.mode for hook in self.hooks), default=StreamMode.MONITOR)

    def splitter(self) -> SSESplitter:
        """Return what cuts the answer into events; a little looser than what let them in."""
        cap = self.wire.max_event_bytes or self.limits.max_event_bytes
        return SSESplitter(Framing.SSE, 2 * cap + 4096)


class GuardedStream:
    """A stream and its guardrails; see `Streamed`. `begin` comes first.

    `ahead` has been read of it already, and `reading` is a read that is under way.
    """

    def __init__(
        self,
        inner: Streamed,
        way: Way,
        ahead: Sequence[bytes] = (),
        reading: asyncio.Task[bytes] | None = None,
    ) -> None:
        self._inner = inner
        self._way = way
        self._ahead = list(ahead)
        self._reading = reading
        self._splitter = way.splitter()
        self._frames = ArrayFrames() if way.is_array else None
        self._denial = way.wire.denial()
        windowed = [hook for hook in way.hooks if hook.mode is StreamMode.WINDOW]
        self._late = [hook for hook in way.hooks if hook.mode is not StreamMode.WINDOW]
        self._windows = Windows(windowed, way.runner, way.subject)
        self._channels: dict[Key, Channel] = {}
        self._last_of: dict[Key, Event] = {}
        """By channel: the event that brought the last piece of it."""
        self._texts = Texts(way.limits.guard_hold_bytes)
        self._queued: list[bytes] = []
        self._advancing: asyncio.Task[bytes | None] | None = None
        self._has_said = False
        """Whether any text has been let out."""
        self._has_told = False
        self._is_over = False
        self._has_ended_well = False
        self._broken: GatewayError | None = None

    # ---- what `Streamed` asks for

    @property
    def usage(self) -> Usage:
        """The usage that has passed so far."""
        return self._inner.usage

    @property
    def error(self) -> GatewayError | None:
        """Why the stream ended badly, if it did."""
        return self._broken or self._inner.error

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return what goes out next."""
        if self._queued:
            queued, self._queued = b"".join(self._queued), []
            return queued
        task, self._advancing = self._advancing, None
        piece = await (self._advance() if task is None else task)
        if piece is not None:
            return piece
        if self.error is not None:
            raise StreamAborted
        raise StopAsyncIteration

    async def cut(self, error: GatewayError) -> None:
        """End with an error of ours; see `Streamed`."""
        self._queued.clear()
        await self._inner.cut(error)

    async def aclose(self) -> None:
        """Stop reading and close the upstream."""
        for task in (self._advancing, self._reading):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
                if not task.cancelled():
                    task.exception()  # looked at, so that nobody warns of it
        self._advancing = self._reading = None
        await self._inner.aclose()

    # ---- the beginning

    async def begin(self, outcome: Outcome) -> Outcome:
        """Read until some text may go out; return what becomes of the outcome.

        That is a denial or a failed try where a guardrail or the provider has ended it before.
        """
        way = self._way
        if way.tells_events and way.told.before:
            self._queued.append(self._framed(_hook_event(way.told.as_json())))
        until = way.runner.world.monotonic() + way.limits.hold_s
        while way.mode is StreamMode.WINDOW and not (self._has_said or self._is_over):
            self._advancing = asyncio.create_task(self._advance())
            if not await done_within(self._advancing, until - way.runner.world.monotonic()):
                break
            piece = self._advancing.result()
            self._advancing = None
            if piece is not None:
                self._queued.append(piece)
        if self._broken is not None and not self._has_said:
            await self.aclose()
            return Outcome.denied(self._broken, outcome, self.usage)
        if self.error is not None and not self._has_said:
            await self.aclose()
            return Outcome.failed(self.error, headers=outcome.headers)
        return replace(outcome, stream=self, status=way.status(outcome.status))

    # ---- the way of an event

    async def _advance(self) -> bytes | None:
        """Return the next bytes that go out, or None at the end, good or bad."""
        while not self._is_over:
            out: list[bytes] = []
            try:
                piece = await self._next_piece()
                for event in self._events(piece):
                    out += await self._take(event)
                if piece is None:
                    self._is_over = self._has_ended_well = True
                    out += await self._conclude()
            except Denied:
                self._is_over = True
                self._broken = HooksFailed(await self._tell_denial())
                if self._has_said or self._queued:
                    out += self._ending()
            except StreamAborted:
                self._is_over = True
            framed = b"".join(map(self._framed, out))
            if self._frames is not None and self._has_ended_well:
                framed += self._frames.close()
            if framed:
                return framed
        return None

    async def _next_piece(self) -> bytes | None:
        if self._ahead:
            return self._ahead.pop(0)
        reading, self._reading = self._reading, None
        try:
            return await (self._inner.__anext__() if reading is None else reading)
        except StopAsyncIteration:
            return None

    def _events(self, piece: bytes | None) -> list[Event]:
        return self._splitter.flush() if piece is None else self._splitter.feed(piece)

    async def _take(self, event: Event) -> list[bytes]:
        """Return what an event becomes."""
        if event.data == DONE:
            return [*await self._conclude(), event.raw]
        body = parsed(event)
        if body is None:
            return [event.raw]
        slots = self._way.wire.slots(body, Part.EVENT)
        if not slots:
            self._denial.see(body)
            return [event.raw]
        self._texts.add(slots)
        ends = [slot for slot in slots if slot.kind is SlotKind.END]
        changed = await self._judge(event, slots)
        out = await self._close(ends, slots)
        changed = self._repeat(slots) or changed
        if any(slot.choice < 0 for slot in ends):
            out += await self._conclude_at(body)
            changed = changed or self._has_told
        self._denial.see(body)
        return [*out, written(body, event) if changed else event.raw]

    async def _judge(self, event: Event, slots: Sequence[Slot]) -> bool:
        """Let through what may go out of an event's texts; tell whether it differs."""
        changed = False
        for slot in slots:
            key = key_of(slot)
            is_new = key not in self._channels
            if slot.kind not in (SlotKind.TEXT, SlotKind.DELTA):
                is_first = is_new and slot.place is not Place.OTHER
                if slot.kind is not SlotKind.COPY or not is_first:
                    continue
            if is_new:
                self._channels[key] = self._windows.open(slot)
            channel = self._channels[key]
            piece = await self._windows.feed(channel, slot.text)
            if slot.kind is SlotKind.DELTA:
                self._last_of[key] = event
            else:
                piece += await self._windows.close(channel)
            self._has_said = self._has_said or bool(piece)
            if piece != slot.text:
                slot.put(piece)
                slot.text = piece
                changed = True
        return changed

    async def _close(self, ends: Sequence[Slot], slots: Sequence[Slot]) -> list[bytes]:
        """Let out what was held back of texts that end with this event: in it, or before it."""
        out: list[bytes] = []
        for end in ends:
            for key, channel in self._channels.items():
                choice, name = key
                if end.choice >= 0 and (end.choice != choice or end.channel not in ("", name)):
                    continue
                rest = await self._windows.close(channel)
                if not rest:
                    continue
                self._has_said = True
                here = [s for s in slots if key_of(s) == key and s.kind is SlotKind.DELTA]
                if here:
                    here[-1].put(here[-1].text + rest)
                    here[-1].text += rest
                else:
                    out.append(self._made_of(self._last_of[key], key, rest))
        return out

    def _made_of(self, event: Event, key: Key, text: str) -> bytes:
        """Return an event like one that went out, which says nothing but this text."""
        body = parsed(event) or {}
        for slot in self._way.wire.slots(body, Part.EVENT):
            if slot.kind is SlotKind.DELTA and key_of(slot) == key:
                slot.put(text)
                text = ""
            elif slot.kind is not SlotKind.END:
                slot.put("")
        self._denial.see(body)
        return written(body, event)

    def _repeat(self, slots: Sequence[Slot]) -> bool:
        """Bring what an event tells again in line with what went out; tell whether it differs."""
        changed = False
        for slot in slots:
            channel = self._channels.get(key_of(slot))
            if slot.kind is SlotKind.TOKEN and self._is_judged(slot.choice):
                slot.put("")
            elif slot.kind is not SlotKind.COPY:
                continue
            elif channel is not None and channel.has_changed:
                slot.put("".join(channel.out))
            elif slot.place is Place.OTHER and self._differs(slot.choice):
                slot.put("")  # a quote, which may hold any part of what was changed
            else:
                continue
            changed = True
        return changed

    def _is_judged(self, choice: int) -> bool:
        """Tell whether tokens could tell more of a choice than went out of its texts."""
        return any(channel.tallies for channel in self._channels_of(choice))

    def _differs(self, choice: int) -> bool:
        """Tell whether a choice has said anything else than what went out."""
        return any(one.has_changed or one.pending for one in self._channels_of(choice))

    def _channels_of(self, choice: int) -> list[Channel]:
        return [one for one in self._channels.values() if one.like.choice == choice]

    # ---- the end

    async def _conclude(self) -> list[bytes]:
        """Return what goes out before the stream ends well; once."""
        if self._has_told:
            return []
        out = await self._close([Slot("", lambda _: None, kind=SlotKind.END, choice=-1)], ())
        results = await self._tell()
        if results and (report := self._denial.report(results)):
            out.append(report)
        return out

    async def _conclude_at(self, body: JSON) -> list[bytes]:
        """Conclude at the format's own last event, which then tells the results itself."""
        if self._has_told:
            return []
        results = await self._tell()
        if not results:
            return []
        if report := self._denial.report(results):
            return [report]
        body["hook_results"] = results
        return []

    async def _tell(self) -> JSON:
        """Judge what is judged at the end; return all results."""
        self._has_told = True
        way = self._way
        judged = await self._windows.end()
        slots = list(self._texts.slots().values())
        late = await self._judge_late(slots)
        way.told.after = sorted_like(way.hooks, [*judged, *late])
        way.begin_beside(Matter.of_slots(list(self._texts.slots().values()), way.subject))
        return way.told.as_json()

    async def _judge_late(self, slots: list[Slot]) -> list[HookResult]:
        if self._texts.is_over:
            return [self._way.runner.unread(hook) for hook in self._late]
        return await self._way.runner.run(self._late, Matter.of_slots(slots, self._way.subject))

    async def _tell_denial(self) -> JSON:
        self._has_told = True
        self._way.told.after = self._windows.results()
        return self._way.told.as_json()

    def _ending(self) -> list[bytes]:
        """Return what ends a stream of which some has gone out."""
        assert self._broken is not None
        way = self._way
        return [
            self._denial.write(way.told.as_json()),
            way.wire.error_event(self._broken, way.request_id),
        ]

    def _framed(self, events: bytes) -> bytes:
        return events if self._frames is None else self._frames.feed(events)


def sorted_like(hooks: Sequence[BoundHook], results: Sequence[HookResult]) -> list[HookResult]:
    """Return results in the order in which their hooks are stated."""
    order = {id(hook): index for index, hook in enumerate(hooks)}
    return sorted(results, key=lambda result: order[id(result.hook)])


def _hook_event(results: JSON) -> bytes:
    """Return results as an event of their own. Source: the Portkey HTTP contract, section 6."""
    return b"event: hook_results\ndata: " + orjson.dumps({"hook_results": results}) + b"\n\n"
