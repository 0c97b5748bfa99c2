"""A streamed answer of which nothing goes out before the verdict: a denial is a real 446."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from llmgateway.codecs.base import Event
from llmgateway.codecs.generate_content import ArrayFrames
from llmgateway.codecs.slots import Part, SlotKind
from llmgateway.codecs.sse import DONE
from llmgateway.engine.collected import Rewriter, Texts, parsed, written
from llmgateway.engine.guard import Matter
from llmgateway.engine.guarded import GuardedStream, Way
from llmgateway.engine.outcome import Outcome, Streamed
from llmgateway.engine.streaming import done_within
from llmgateway.errors import GatewayError, HooksFailed, StreamAborted
from llmgateway.types import JSON
from llmgateway.types.usage import Usage


class Replay:
    """A stream that has been read whole."""

    def __init__(self, inner: Streamed, pieces: Sequence[bytes]) -> None:
        self._inner = inner
        self._pieces = list(pieces)
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
        if self._broken is not None:
            raise StreamAborted
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop(0)

    async def cut(self, error: GatewayError) -> None:
        """End here; there is no telling the caller why."""
        if self._pieces:
            self._broken = error

    async def aclose(self) -> None:
        """Let the upstream go."""
        await self._inner.aclose()


async def hold(inner: Streamed, way: Way, outcome: Outcome) -> Outcome:
    """Read a stream whole, judge it, and return what becomes of the outcome.

    Where a bound is met before its end, the hooks that fail closed deny it; if there are none, it
    goes on, watched, and the hooks report that they could not decide.
    """
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
            error = inner.error
            return outcome if error is None else Outcome.failed(error, headers=outcome.headers)
        except BaseException:
            reading.cancel()
            raise


async def _at_bound(
    inner: Streamed, way: Way, outcome: Outcome, pieces: list[bytes], reading: asyncio.Task[bytes]
) -> Outcome:
    held = [hook for hook in way.hooks if hook.reads_text]
    way.told.after = [way.runner.unread(hook) for hook in held]
    stream = GuardedStream(inner, way, pieces, reading)
    if not any(result.denies for result in way.told.after):
        return await stream.begin(outcome)
    await stream.aclose()
    return Outcome.denied(HooksFailed(way.told.as_json()), outcome, inner.usage)


async def _judged(inner: Streamed, way: Way, outcome: Outcome, pieces: list[bytes]) -> Outcome:
    splitter = way.splitter()
    events = [event for piece in pieces for event in splitter.feed(piece)] + splitter.flush()
    texts = Texts(way.limits.max_response_bytes)
    for event in events:
        if (body := parsed(event)) is not None:
            texts.add(way.wire.slots(body, Part.EVENT))
    slots = texts.slots()
    before = {key: slot.text for key, slot in slots.items()}
    matter = Matter.of_slots(list(slots.values()), way.subject)
    way.told.after = await way.runner.run(way.hooks, matter)
    way.begin_beside(Matter.of_slots(list(texts.slots().values()), way.subject))
    if any(result.denies for result in way.told.after):
        await inner.aclose()
        return Outcome.denied(HooksFailed(way.told.as_json()), outcome, inner.usage)
    if (vault := way.runner.vaults.to_restore) is not None:
        matter.restore(vault)
    changed = {key: slot.text for key, slot in slots.items() if slot.text != before[key]}
    rewriter = Rewriter(way.wire, changed)
    out = [rewriter.rewrite(event) if changed else event.raw for event in events]
    told = _telling(way, events, out)
    if way.is_array:
        frames = ArrayFrames()
        told = [frames.feed(piece) for piece in told] + [frames.close()]
    stream = Replay(inner, [piece for piece in told if piece])
    return replace(outcome, stream=stream, status=way.status(outcome.status))


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
        at = len(out) - 1 if events and events[-1].data == DONE else len(out)
        return [*out[:at], report, *out[at:]]
    for index in range(len(events) - 1, -1, -1):
        body = _parsed_raw(events[index], out[index])
        if body is not None and _ends(way, body):
            body["hook_results"] = results
            return [*out[:index], written(body, events[index]), *out[index + 1 :]]
    return out


def _parsed_raw(event: Event, raw: bytes) -> JSON | None:
    data = raw[raw.index(b"data: ") + 6 :].strip() if b"data: " in raw else b""
    return parsed(Event(raw, event.name, data))


def _ends(way: Way, body: JSON) -> bool:
    slots = way.wire.slots(body, Part.EVENT)
    return any(slot.kind is SlotKind.END and slot.choice < 0 for slot in slots)
