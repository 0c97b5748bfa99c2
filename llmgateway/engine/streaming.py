"""Streams: held until the first content, relayed as they come, ended as their format says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self

from llmgateway.codecs.base import Event, EventKind, Watch
from llmgateway.engine.live import LiveStreams
from llmgateway.engine.outcome import Streamed
from llmgateway.engine.output import Output
from llmgateway.engine.recorder import Draft
from llmgateway.errors import (
    ClientDisconnected,
    GatewayError,
    HooksFailed,
    InternalError,
    StreamAborted,
    TransportError,
    UpstreamProtocolError,
)
from llmgateway.redaction import redacting_logger
from llmgateway.settings import Limits
from llmgateway.transport.wheel import wheel_of
from llmgateway.types.upstream import UpstreamResponse
from llmgateway.types.usage import NO_USAGE, Usage

SHORT_BODY = 2**20
"""A body up to this size may be held whole: to see that it is, or to read its usage."""


logger = redacting_logger(__name__)


class Splitter(Protocol):
    """Cuts a body into events."""

    def skim(self, data: bytes, is_plain: Callable[[bytes], bool]) -> tuple[bytes, bytes]: ...

    def feed(self, data: bytes) -> list[Event]: ...

    def flush(self) -> list[Event]: ...

    is_over: bool

    @property
    def rest(self) -> bytes: ...


class EventStream:
    """A streamed answer of events.

    `hold` reads up to the first content: until it returns, the answer can still be thrown away.
    Then it is an iterator; see `Streamed`. Only whole events are passed on, so nothing of ours ever
    lands in the middle of one. Where they go out as they came, most are not even cut apart.
    """

    __slots__ = (
        "_ahead",
        "_at_end",
        "_broken",
        "_held",
        "_is_plain",
        "_is_verbatim",
        "_last",
        "_left_over",
        "_named",
        "_next_chunk",
        "_output",
        "_pending",
        "_response",
        "_skim",
        "_splitter",
        "_watch",
    )

    def __init__(
        self,
        response: UpstreamResponse,
        splitter: Splitter,
        watch: Watch,
        output: Output,
        named: Callable[[GatewayError], GatewayError],
    ) -> None:
        self._response = response
        self._next_chunk = response.chunks().__anext__
        self._splitter = splitter
        self._skim = splitter.skim
        self._watch = watch
        self._is_plain = watch.skim
        self._output = output
        self._is_verbatim = output.is_verbatim
        self._named = named
        self._held: list[bytes] = []
        self._ahead = b""
        """What was read together with the first content and comes after it."""
        self._pending: asyncio.Task[bytes | None] | None = None
        self._at_end = False
        self._left_over: Event | None = None
        self._broken: GatewayError | None = None
        self._last: bytes | None = None
        """What was said after the end of the body; None before that."""

    @property
    def usage(self) -> Usage:
        """The usage that has passed so far."""
        return self._watch.usage or NO_USAGE

    @property
    def error(self) -> GatewayError | None:
        """Why the stream ended badly, if it did."""
        return self._broken or self._watch.error

    async def hold(self, limits: Limits, monotonic: Callable[[], float]) -> GatewayError | None:
        """Read up to the first content and keep it; return the error met instead, if any.

        Returns without content when `hold_bytes` or `hold_s` is used up: then it must go out.
        """
        until = monotonic() + limits.hold_s
        size = 0
        while size < limits.hold_bytes:
            self._pending = asyncio.create_task(self._read())
            if not await done_within(self._pending, until - monotonic()):
                return None  # out of time; the read goes on where the relay picks it up
            content = False
            chunk = await self._picked_up(self._pending)
            for events, end in self._taken_apart(chunk):
                for event in events:
                    kind = self._watch.feed(event)
                    if kind is EventKind.ERROR and not content:
                        return self._watch.error or UpstreamProtocolError(_NO_CONTENT)
                    content = content or kind is EventKind.CONTENT
                    if out := self._become(event, kind):
                        self._held.append(out)
                    size += len(event.raw)
                if content:
                    self._ahead = b"" if chunk is None else chunk[end:]
                    return None
            if self._at_end:
                return None if self._watch.ended_well else UpstreamProtocolError(_NO_CONTENT)
        return None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return what goes out next: what was held, then the rest, then what our end needs."""
        if self._held:
            held, self._held = b"".join(self._held), []
            if self._ahead:
                more, self._ahead = self._skim(self._ahead, self._is_plain)
                held += more
            return held
        try:
            while not self._at_end:
                chunk: bytes | None
                if self._pending is not None:
                    chunk = await self._picked_up(self._pending)
                elif self._ahead:
                    chunk, self._ahead = self._ahead, b""
                elif self._splitter.is_over:
                    self._splitter.feed(b"")  # raises at once, whatever else the provider may send
                    continue
                else:
                    try:
                        chunk = await self._next_chunk()
                    except StopAsyncIteration:
                        chunk = None
                if chunk is None or not self._is_verbatim:
                    out = self._changed(self._take(chunk))
                else:
                    out, rest = self._skim(chunk, self._is_plain)
                    if rest:
                        out += self._changed(self._splitter.feed(rest))
                if out:
                    return out
        except TransportError as error:
            self._at_end = True
            self._broken = self._broken or self._named(error)
        if self._last is None:
            self._last = self._ending()
            if self._last:
                return self._last
        if self.error is None:
            raise StopAsyncIteration
        raise StreamAborted

    def _ending(self) -> bytes:
        """Judge the end; return what the caller must still be told."""
        if self._watch.ended_well:
            try:
                last = self._output.close(self._splitter.rest, self._watch.owed())
            except TransportError as error:
                self._broken = error
            else:
                self._broken = None  # what befell the connection after the end is no one's loss
                return last
        if self._watch.error is not None:
            return b""
        self._broken = self._broken or UpstreamProtocolError(_CUT)
        return self._output.fail(self._broken)

    def _changed(self, events: list[Event]) -> bytes:
        return b"".join([self._become(event, self._watch.feed(event)) for event in events])

    def _become(self, event: Event, kind: EventKind) -> bytes:
        if event is self._left_over and kind is not EventKind.ERROR:
            return b""
        if kind is EventKind.ERROR and self._watch.error is not None:
            return self._output.error(event, self._watch.error)
        return self._output.feed(event, kind)

    def _taken_apart(self, chunk: bytes | None) -> Iterator[tuple[list[Event], int]]:
        """Yield the events of a read and where they end in it; one by one, if they go as they came.

        So what follows the first content need not be taken apart.
        """
        if chunk is None or not self._is_verbatim:
            yield self._take(chunk), len(chunk or b"")
            return
        end = 0
        while end < len(chunk):
            start, end = end, chunk.find(b"\n\n", end) + 2
            if end < 2:
                end = len(chunk)
            yield self._splitter.feed(chunk[start:end]), end

    def _take(self, chunk: bytes | None) -> list[Event]:
        """Return the events of a read; at the end, what it makes whole, and what it leaves over.

        What is left over is only shown to the watch: some providers end a stream with an error
        that is no event (Gemini's bare JSON, seen 2025-11). Otherwise it goes out after a good end.
        """
        if chunk is not None:
            return self._splitter.feed(chunk)
        self._at_end = True
        events = self._splitter.flush()
        if rest := self._splitter.rest.strip():
            self._left_over = Event(rest, None, b"")
            events = [*events, self._left_over]
        return events

    async def _read(self) -> bytes | None:
        """Return the next chunk, or None at the end of the body."""
        try:
            return await self._next_chunk()
        except StopAsyncIteration:
            return None

    async def _picked_up(self, read: asyncio.Task[bytes | None]) -> bytes | None:
        chunk = await read
        self._pending = None
        return chunk

    async def cut(self, error: GatewayError) -> None:
        """End with an error of ours; see `Streamed`."""
        self._broken = error
        self._held, self._ahead = [], b""
        await self._response.aclose()  # so that a read, begun or yet to come, fails

    async def aclose(self) -> None:
        """Stop reading and close the upstream."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})
            if not pending.cancelled():
                pending.exception()  # looked at, so that nobody warns of it
        await self._response.aclose()


class PlainStream:
    """A streamed answer that passes as it comes: audio, files, whatever a proxy fetches.

    `read_usage` is given the whole of a short one at its end.
    """

    __slots__ = ("_broken", "_kept", "_next_chunk", "_read_usage", "_response", "usage")

    def __init__(
        self, response: UpstreamResponse, read_usage: Callable[[bytes], Usage] | None = None
    ) -> None:
        self._response = response
        self._next_chunk = response.chunks().__anext__
        self._read_usage = read_usage
        self._kept = bytearray()
        self._broken: GatewayError | None = None
        self.usage = NO_USAGE

    @property
    def error(self) -> GatewayError | None:
        """Why the stream ended badly, if it did."""
        return self._broken

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece of the body."""
        try:
            chunk = await self._next_chunk()
        except StopAsyncIteration:
            if self._read_usage is not None:
                self.usage = self._read_usage(bytes(self._kept))
            raise
        except TransportError as error:
            self._broken = self._broken or error
            raise StreamAborted from error
        if self._read_usage is not None:
            self._kept += chunk
            if len(self._kept) > SHORT_BODY:
                self._read_usage = None
                self._kept.clear()
        return chunk

    async def cut(self, error: GatewayError) -> None:
        """End with an error of ours; see `Streamed`. There is no way to tell the caller why."""
        self._broken = error
        await self._response.aclose()

    async def aclose(self) -> None:
        """Close the upstream."""
        await self._response.aclose()


class StreamBody:
    """The body of a streamed answer, and its one exit.

    Whatever ends it - the last byte, an error, a cancelled read, `aclose` before the first read -
    closes the upstream and writes the record, once. A generator would not do: closing one that
    was never started runs none of its code.
    """

    __slots__ = ("_draft", "_ended", "_status", "_stream", "_unwatch")

    def __init__(self, stream: Streamed, status: int, draft: Draft) -> None:
        self._stream = stream
        self._status = status
        self._draft = draft
        self._ended = False
        self._unwatch: Callable[[], None] | None = None

    def watch(self, live: LiveStreams, digest: str, age_s: float) -> None:
        """Have it end soon after the caller's key; see `LiveStreams.watch`."""
        self._unwatch = live.watch(digest, self._stream, age_s)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        try:
            piece = await self._stream.__anext__()
        except StopAsyncIteration:
            await self._end(self._status, None)
            raise
        except StreamAborted:
            error = self._stream.error or InternalError("")
            # The log counts what was denied as denied, although a 200 had gone out.
            status = error.status if isinstance(error, HooksFailed) else self._status
            await self._end(status, error)
            raise
        except Exception as error:
            logger.exception("A stream ended in an error of the gateway's own.")
            await self._end(self._status, InternalError(""))
            raise StreamAborted from error
        except BaseException:
            await self.aclose()
            raise
        if self._draft.first_byte_ms is None:
            self._draft.mark_first_byte()
        if self._draft.bodies is not None:
            self._draft.bodies.add(piece)
        return piece

    async def aclose(self) -> None:
        """End the call before its answer is whole; nothing happens if it has ended already."""
        await self._end(ClientDisconnected.status, ClientDisconnected(""))

    async def _end(self, status: int, error: GatewayError | None) -> None:
        if self._ended:
            return
        self._ended = True
        if self._unwatch is not None:
            self._unwatch()
        self._draft.usage = self._stream.usage
        self._draft.finish(status, error)
        await self._stream.aclose()


async def done_within(task: asyncio.Future[Any], seconds: float) -> bool:
    """Wait for a task for a time; tell whether it has ended.

    It is never cancelled by the limit: a cancelled read would close the connection.
    """
    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake(*_: object) -> None:
        if not woken.done():
            woken.set_result(None)

    limit = wheel_of(loop).deadline(wake)
    limit.move(loop.time() + seconds)
    task.add_done_callback(wake)
    try:
        await woken
    finally:
        limit.cancel()
        task.remove_done_callback(wake)
    return task.done()


_NO_CONTENT = "The provider's stream ended before any content. Try again, or use another target."
_CUT = "The provider's stream broke off before its end. Send the request again."
