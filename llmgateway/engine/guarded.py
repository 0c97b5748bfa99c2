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
from llmgateway.codecs.slots import Part, SlotKind
from llmgateway.codecs.sse import DONE, SSESplitter
from llmgateway.engine.bind import BoundHook, StreamMode
from llmgateway.engine.collected import Keys, Texts, parsed, written
from llmgateway.engine.guard import UNREADABLE, Matter, Runner
from llmgateway.engine.outcome import Outcome, Streamed
from llmgateway.engine.passage import Passage
from llmgateway.engine.stages import Denied
from llmgateway.engine.streaming import done_within
from llmgateway.engine.told import HookResult, Told
from llmgateway.engine.windows import Windows
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
    begin_beside: Callable[[Matter, bool], None]
    """Start those that it does not; told whether what is demanded has refused it."""
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

    def unread(self, event: Event) -> list[HookResult]:
        """Return what denies a stream because of an event that no check can read: what is demanded
        of its texts, but where it only watches."""
        if not event.data.strip() or event.data.strip() == DONE:
            return []
        demanded = [h for h in self.hooks if h.is_demanded and h.reads_text and h.mode]
        results = [self.runner.unread(hook, UNREADABLE) for hook in demanded]
        return results if any(result.denies for result in results) else []

    def splitter(self) -> SSESplitter:
        """Return what cuts the answer into events; a little looser than what let them in."""
        cap = self.wire.max_event_bytes or self.limits.max_event_bytes
        return SSESplitter(Framing.SSE, 2 * cap + 4096)

    def hook_event(self, member: str) -> bytes:
        """Return the results of one stage as an event of their own, where that is wanted.

        Source: the Portkey HTTP contract, section 6.
        """
        results = self.told.as_json().get(member)
        if not (self.tells_events and results):
            return b""
        name = b"event: hook_results\n" if self.wire.name == "messages" else b""
        return name + b"data: " + orjson.dumps({"hook_results": {member: results}}) + b"\n\n"


BEFORE = "before_request_hooks"
AFTER = "after_request_hooks"


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
        self._passage = Passage(way.wire, self._windows, self._denial)
        self._keys = Keys()
        self._texts = Texts(way.limits.guard_hold_bytes)
        self._queued: list[bytes] = []
        self._advancing: asyncio.Task[bytes | None] | None = None
        self._unread: list[HookResult] = []
        self._has_begun = False
        """Whether what it says goes to the caller, for good."""
        self._has_told = False
        self._is_over = False
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
        self._ahead.clear()
        if not self._is_over:
            self._queued.clear()
            self._broken = error
            await self._inner.cut(error)
        elif self._queued and self._broken is None:
            self._broken = error
            told = self._way.wire.error_event(error, self._way.request_id)
            self._queued = [self._framed(told)]

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
        try:
            # What the answer's own hooks say may come too late to be a status.
            status = self._way.status(outcome.status)
            if first := self._way.hook_event(BEFORE):
                self._queued.append(self._framed(first))
            if is_windowed := self._way.mode is StreamMode.WINDOW:
                await self._read_ahead()
            self._has_begun = not is_windowed or self._passage.has_said or self.error is None
            if self._has_begun:
                return replace(outcome, stream=self, status=status)
        except BaseException:
            await self.aclose()
            raise
        await self.aclose()
        if self._broken is not None:
            return Outcome.denied(self._broken, outcome, self.usage)
        error = self.error
        assert error is not None
        return Outcome.failed(error, headers=outcome.headers)

    async def _read_ahead(self) -> None:
        clock = self._way.runner.world.monotonic
        until = clock() + self._way.limits.hold_s
        while not (self._passage.has_said or self._is_over):
            self._advancing = asyncio.create_task(self._advance())
            if not await done_within(self._advancing, until - clock()):
                return
            piece = self._advancing.result()
            self._advancing = None
            if piece is not None:
                self._queued.append(piece)

    # ---- the way of an event

    async def _advance(self) -> bytes | None:
        """Return the next bytes that go out, or None at the end, good or bad."""
        while not self._is_over:
            out: list[bytes] = []
            try:
                await self._advance_by_a_piece(out)
            except Denied:
                self._is_over = True
                if self._broken is None:
                    self._broken = HooksFailed(self._tell_denial())
                out += self._ending()
            framed = b"".join(map(self._framed, out))
            if self._frames is not None and self._is_over and self.error is None:
                framed += self._frames.close()
            if framed:
                return framed
        return None

    async def _advance_by_a_piece(self, out: list[bytes]) -> None:
        """Take the next piece and add what goes out; raises `Denied`."""
        try:
            piece = await self._next_piece()
        except StreamAborted:
            self._is_over = True
            await self._take_all(self._splitter.flush(), out)
            out += [*await self._close_for_error(), *self._left_over()]
            return
        if piece is not None:
            await self._take_all(self._splitter.feed(piece), out)
            return
        await self._take_all(self._splitter.flush(), out)
        out += self._left_over()
        out += await self._conclude()
        if last := self._way.hook_event(AFTER):
            out.append(last)
        self._is_over = True

    async def _take_all(self, events: Sequence[Event], out: list[bytes]) -> None:
        for event in events:
            out += await self._take(event)

    async def _next_piece(self) -> bytes | None:
        if self._ahead:
            return self._ahead.pop(0)
        reading, self._reading = self._reading, None
        try:
            return await (self._inner.__anext__() if reading is None else reading)
        except StopAsyncIteration:
            return None

    def _left_over(self) -> list[bytes]:
        """Return what followed the last whole event, if it is an object that has no words.

        Some providers end a stream with an error that is no event.
        """
        rest = self._splitter.rest
        body = parsed(Event(rest, None, rest))
        return [] if body is None or self._way.wire.slots(body, Part.EVENT) else [rest]

    async def _take(self, event: Event) -> list[bytes]:
        """Return what an event becomes."""
        if event.data == DONE:
            return [*await self._conclude(), event.raw]
        body = parsed(event)
        if body is None:
            if unread := self._way.unread(event):
                self._unread = unread
                raise Denied
            return [event.raw]
        out: list[bytes] = []
        if self._inner.error is not None and _tells_of_error(body):
            out = await self._close_for_error()
        pairs = self._keys.pairs(self._way.wire.slots(body, Part.EVENT))
        changed = False
        if pairs:
            self._texts.add(pairs)
            more, changed = await self._passage.take(event, pairs)
            out += more
            if any(slot.kind is SlotKind.END and slot.choice < 0 for _, slot in pairs):
                out += await self._conclude_at(body)
                changed = changed or self._has_told
        self._denial.see(body)
        return [*out, written(body, event) if changed else event.raw]

    async def _close_for_error(self) -> list[bytes]:
        """Let out what was held back, as the caller of an unguarded stream has it by now.

        Not where nothing has gone out yet: then it is a failed try. Nor where it is cut.
        """
        has_begun = self._has_begun or self._passage.has_said
        return await self._passage.close() if has_begun and self._broken is None else []

    # ---- the end

    async def _conclude(self) -> list[bytes]:
        """Return what goes out before the stream ends well; once."""
        if self._has_told:
            return []
        out = await self._passage.close()
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
        way = self._way
        judged = await self._windows.end()
        late = await self._judge_late()
        self._has_told = True
        way.told.after = sorted_like(way.hooks, [*judged, *late])
        way.begin_beside(self._matter(), False)
        return way.told.as_json()

    async def _judge_late(self) -> list[HookResult]:
        if self._texts.is_over:
            return [self._way.runner.unread(hook) for hook in self._late]
        return await self._way.runner.run(self._late, self._matter())

    def _matter(self) -> Matter:
        """Return what has been said, as the windows have let it through."""
        slots = self._texts.slots()
        for key, slot in slots.items():
            passed = self._passage.passed(key)
            slot.text = slot.text if passed is None else passed
        return Matter.of_slots(list(slots.values()), self._way.subject)

    def _tell_denial(self) -> JSON:
        self._has_told = True
        self._way.told.after = self._unread or self._windows.results()
        return self._way.told.as_json()

    def _ending(self) -> list[bytes]:
        """Return what ends a denied stream of which some has gone out."""
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


def _tells_of_error(body: JSON) -> bool:
    return bool(body.get("error")) or body.get("type") in ("error", "response.failed")
