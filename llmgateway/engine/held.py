"""A streamed answer of which nothing goes out before the verdict: a denial is a real 446."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from llmgateway.codecs.base import Event
from llmgateway.codecs.generate_content import ArrayFrames
from llmgateway.codecs.slots import Part, Slot, SlotKind
from llmgateway.codecs.sse import DONE
from llmgateway.engine.bind import StreamMode
from llmgateway.engine.collected import Key, Keys, Rewriter, Texts, parsed, written
from llmgateway.engine.guard import Matter
from llmgateway.engine.guarded import AFTER, BEFORE, GuardedStream, Way
from llmgateway.engine.outcome import Outcome, Streamed
from llmgateway.engine.streaming import done_within
from llmgateway.engine.told import is_refused
from llmgateway.errors import GatewayError, HooksFailed, StreamAborted, UpstreamProtocolError
from llmgateway.types import JSON
from llmgateway.types.usage import Usage


class Replay:
    """A stream that has been read whole; `events` are what goes out of it."""

    def __init__(self, inner: Streamed, way: Way, events: Sequence[bytes]) -> None:
        self._inner = inner
        self._way = way
        self._events = [event for event in events if event]
        self._frames = ArrayFrames() if way.is_array else None
        self._broken: GatewayError | None = None

    @property
    def usage(self) -> Usage:
        """The usage of the stream."""
        return self._inner.usage

    @property
    def error(self) -> GatewayError | None:
        """Why it was cut, if it was."""
        return self._broken

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece."""
        while self._events:
            event = self._events.pop(0)
            framed = event if self._frames is None else self._frames.feed(event)
            if framed:
                return framed
        if self._broken is not None:
            raise StreamAborted
        if self._frames is not None:
            frames, self._frames = self._frames, None
            return frames.close()
        raise StopAsyncIteration

    async def cut(self, error: GatewayError) -> None:
        """End here with an error of ours; see `Streamed`."""
        if self._events and self._broken is None:
            self._broken = error
            self._events = [self._way.wire.error_event(error, self._way.request_id)]

    async def aclose(self) -> None:
        """Let the upstream go."""
        await self._inner.aclose()


async def hold(inner: Streamed, way: Way, outcome: Outcome) -> Outcome:
    """Read a stream whole, judge it, and return what becomes of the outcome.

    Where a bound is met before its end, the hooks that fail closed deny it; if there are none, it
    goes on, watched. A client that leaves meanwhile lets go of the upstream.
    """
    try:
        return await _held(inner, way, outcome)
    except BaseException:
        await inner.aclose()
        raise


async def _held(inner: Streamed, way: Way, outcome: Outcome) -> Outcome:
    pieces: list[bytes] = []
    size = 0
    limits, clock = way.limits, way.runner.world.monotonic
    until = clock() + limits.guard_hold_s
    while True:
        reading = asyncio.ensure_future(inner.__anext__())
        try:
            in_time = await done_within(reading, until - clock())
            if not in_time or size > limits.guard_hold_bytes:
                return await _at_bound(inner, way, outcome, pieces, reading)
            pieces.append(reading.result())
            size += len(pieces[-1])
        except StopAsyncIteration:
            return await _judged(inner, way, outcome, pieces)
        except StreamAborted:
            await inner.aclose()
            error = inner.error or UpstreamProtocolError("The provider's stream broke off.")
            return Outcome.failed(error, headers=outcome.headers)
        except BaseException:
            reading.cancel()
            await asyncio.wait({reading})
            raise


async def _at_bound(
    inner: Streamed, way: Way, outcome: Outcome, pieces: list[bytes], reading: asyncio.Task[bytes]
) -> Outcome:
    """Deny what could not be held, or let it go on; hooks that need no more than windows do go."""
    held = [hook for hook in way.hooks if hook.mode is StreamMode.HOLD]
    way.told.after = [way.runner.unread(hook) for hook in held]
    stream = GuardedStream(inner, way, pieces, reading)
    if not any(result.denies for result in way.told.after):
        return await stream.begin(outcome)
    await stream.aclose()
    return Outcome.denied(HooksFailed(way.told.as_json()), outcome, inner.usage)


async def _judged(inner: Streamed, way: Way, outcome: Outcome, pieces: list[bytes]) -> Outcome:
    splitter = way.splitter()
    events = [event for piece in pieces for event in splitter.feed(piece)] + splitter.flush()
    for event in events:
        if parsed(event) is None and (unread := way.unread(event)):
            way.told.after = unread
            await inner.aclose()
            return Outcome.denied(HooksFailed(way.told.as_json()), outcome, inner.usage)
    slots = _texts_of(way, events, sum(map(len, pieces))).slots()
    before = {key: slot.text for key, slot in slots.items()}
    matter = Matter.of_slots(list(slots.values()), way.subject)
    way.told.after = await way.runner.run(way.hooks, matter)
    copied = Matter.of_slots([_copied(slot) for slot in slots.values()], way.subject)
    way.begin_beside(copied, is_refused(way.told.after))
    if any(result.denies for result in way.told.after):
        await inner.aclose()
        return Outcome.denied(HooksFailed(way.told.as_json()), outcome, inner.usage)
    if (vault := way.runner.vaults.to_restore) is not None:
        matter.restore(vault)
    changed: dict[Key, str] = {
        key: slot.text for key, slot in slots.items() if slot.text != before[key]
    }
    rewriter = Rewriter(way.wire, changed)
    out = [rewriter.rewrite(event) if changed else event.raw for event in events]
    told = [way.hook_event(BEFORE), *_telling(way, events, out), way.hook_event(AFTER)]
    return replace(outcome, stream=Replay(inner, way, told), status=way.status(outcome.status))


def _texts_of(way: Way, events: Sequence[Event], max_bytes: int) -> Texts:
    texts, keys = Texts(max_bytes), Keys()
    for event in events:
        if (body := parsed(event)) is not None:
            texts.add(keys.pairs(way.wire.slots(body, Part.EVENT)))
    return texts


def _copied(slot: Slot) -> Slot:
    return replace(slot, put=lambda text: None)


def _telling(way: Way, events: Sequence[Event], out: list[bytes]) -> list[bytes]:
    """Put the results into the last event, or into one before the end."""
    results = way.told.as_json()
    if not results:
        return out
    denial = way.wire.denial()
    for event in events:
        if (body := parsed(event)) is not None:
            denial.see(body)
    if report := denial.report(results):
        at = next((i for i, event in enumerate(events) if event.data == DONE), len(out))
        return [*out[:at], report, *out[at:]]
    for index in range(len(events) - 1, -1, -1):
        body = _said_by(way, out[index])
        if body is not None and _ends(way, body):
            body["hook_results"] = results
            return [*out[:index], written(body, events[index]), *out[index + 1 :]]
    return out


def _said_by(way: Way, raw: bytes) -> JSON | None:
    (event, *_) = way.splitter().feed(raw) or [Event(raw, None, b"")]
    return parsed(event)


def _ends(way: Way, body: JSON) -> bool:
    slots = way.wire.slots(body, Part.EVENT)
    return any(slot.kind is SlotKind.END and slot.choice < 0 for slot in slots)
