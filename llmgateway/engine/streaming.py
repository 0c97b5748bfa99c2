"""Streams: held until the first content, relayed as they come, ended as their format says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol, Self

from llmgateway.codecs.base import Event, EventKind, Watch
from llmgateway.engine.outcome import Streamed
from llmgateway.engine.output import Output
from llmgateway.engine.recorder import Draft
from llmgateway.errors import (
    ClientDisconnected,
    GatewayError,
    InternalError,
    StreamAborted,
    TransportError,
    UpstreamProtocolError,
)
from llmgateway.settings import Limits
from llmgateway.types.upstream import UpstreamResponse
from llmgateway.types.usage import NO_USAGE, Usage

SHORT_BODY = 2**20
"""A body up to this size may be held whole: to see that it is, or to read its usage."""


logger = logging.getLogger(__name__)


class Splitter(Protocol):
    """Cuts a body into events."""

    def feed(self, data: bytes) -> list[Event]: ...

    def flush(self) -> list[Event]: ...

    @property
    def rest(self) -> bytes: ...


class EventStream:
    """A streamed answer of events.

    `hold` reads up to the first content: until it returns, the answer can still be thrown away.
    Only whole events are passed on, so nothing of ours ever lands in the middle of one.
    """

    def __init__(
        self,
        response: UpstreamResponse,
        splitter: Splitter,
        watch: Watch,
        output: Output,
        named: Callable[[GatewayError], GatewayError],
    ) -> None:
        self._response = response
        self._chunks = response.chunks()
        self._splitter = splitter
        self._watch = watch
        self._output = output
        self._named = named
        self._held: list[bytes] = []
        self._pending: asyncio.Future[bytes | None] | None = None
        self._at_end = False
        self._left_over: Event | None = None
        self._broken: GatewayError | None = None

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
            events = await self._next_events(until - monotonic())
            if events is None:
                return None  # out of time; the read goes on where the relay picks it up
            content = False
            for event in events:
                kind = self._watch.feed(event)
                if kind is EventKind.ERROR and not content:
                    return self._watch.error or UpstreamProtocolError(_NO_CONTENT)
                content = content or kind is EventKind.CONTENT
                size += self._keep(event, kind)
            if content:
                return None
            if self._at_end:
                return None if self._watch.ended_well else UpstreamProtocolError(_NO_CONTENT)
        return None

    def _keep(self, event: Event, kind: EventKind) -> int:
        if out := self._become(event, kind):
            self._held.append(out)
        return len(event.raw)

    def _become(self, event: Event, kind: EventKind) -> bytes:
        if event is self._left_over and kind is not EventKind.ERROR:
            return b""
        if kind is EventKind.ERROR and self._watch.error is not None:
            return self._output.error(event, self._watch.error)
        return self._output.feed(event, kind)

    async def _next_events(self, timeout_s: float) -> list[Event] | None:
        """Return the events of the next read, those at the end, or None when time is up.

        The read itself is never cancelled by the time limit: a cancelled read would close the
        connection. It stays pending, and the relay awaits it.
        """
        if self._pending is None:
            self._pending = asyncio.ensure_future(_read(self._chunks))
        if not self._pending.done():
            done, _ = await asyncio.wait({self._pending}, timeout=max(timeout_s, 0))
            if not done:
                return None
        chunk, self._pending = self._pending.result(), None
        return self._last_events() if chunk is None else self._splitter.feed(chunk)

    def _last_events(self) -> list[Event]:
        """Return what the end of the body makes whole, and what it leaves over.

        What is left over is only shown to the watch: some providers end a stream with an error
        that is no event (Gemini's bare JSON, seen 2025-11). Otherwise it goes out after a good end.
        """
        self._at_end = True
        events = self._splitter.flush()
        if rest := self._splitter.rest.strip():
            self._left_over = Event(rest, None, b"")
            events = [*events, self._left_over]
        return events

    async def relay(self) -> AsyncGenerator[bytes]:
        """Yield what was held, then the rest; raises `StreamAborted` after a bad end."""
        try:
            if self._held:
                yield b"".join(self._held)
                self._held.clear()
            if self._pending is not None:
                chunk, self._pending = await self._pending, None
                if out := self._pass(chunk):
                    yield out
            while not self._at_end:
                if out := self._pass(await _read(self._chunks)):
                    yield out
        except TransportError as error:
            self._broken = self._named(error)
        if self._watch.ended_well:
            try:
                last = self._output.close(self._splitter.rest, self._watch.owed())
            except TransportError as error:
                self._broken = error
            else:
                self._broken = None  # what befell the connection after the end is no one's loss
                if last:
                    yield last
                return
        if self._broken is None and self._watch.error is None:
            self._broken = UpstreamProtocolError(_CUT)
        if self._watch.error is None and self._broken is not None:
            yield self._output.fail(self._broken)
        raise StreamAborted

    def _pass(self, chunk: bytes | None) -> bytes:
        events = self._last_events() if chunk is None else self._splitter.feed(chunk)
        return b"".join([self._become(event, self._watch.feed(event)) for event in events])

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

    def __init__(
        self, response: UpstreamResponse, read_usage: Callable[[bytes], Usage] | None = None
    ) -> None:
        self._response = response
        self._read_usage = read_usage
        self._broken: GatewayError | None = None
        self.usage = NO_USAGE

    @property
    def error(self) -> GatewayError | None:
        """Why the stream ended badly, if it did."""
        return self._broken

    async def relay(self) -> AsyncGenerator[bytes]:
        """Yield the body; raises `StreamAborted` where it was cut."""
        kept = bytearray()
        is_short = self._read_usage is not None
        try:
            async for chunk in self._response.chunks():
                is_short = is_short and len(kept) + len(chunk) <= SHORT_BODY
                if is_short:
                    kept += chunk
                yield chunk
        except TransportError as error:
            self._broken = error
            raise StreamAborted from error
        if self._read_usage is not None and is_short:
            self.usage = self._read_usage(bytes(kept))

    async def aclose(self) -> None:
        """Close the upstream."""
        await self._response.aclose()


class StreamBody:
    """The body of a streamed answer, and its one exit.

    Whatever ends it - the last byte, an error, a cancelled read, `aclose` before the first read -
    closes the upstream and writes the record, once. A generator would not do: closing one that
    was never started runs none of its code.
    """

    def __init__(self, stream: Streamed, status: int, draft: Draft) -> None:
        self._stream = stream
        self._pieces = stream.relay()
        self._status = status
        self._draft = draft
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            await self._end(self._status, None)
            raise
        except StreamAborted:
            await self._end(self._status, self._stream.error or InternalError(""))
            raise
        except Exception as error:
            logger.exception("A stream ended in an error of the gateway's own.")
            await self._end(self._status, InternalError(""))
            raise StreamAborted from error
        except BaseException:
            await self.aclose()
            raise
        self._draft.mark_first_byte()
        return piece

    async def aclose(self) -> None:
        """End the call before its answer is whole; nothing happens if it has ended already."""
        await self._end(ClientDisconnected.status, ClientDisconnected(""))

    async def _end(self, status: int, error: GatewayError | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._draft.usage = self._stream.usage
        self._draft.finish(status, error)
        try:
            await self._stream.aclose()
        finally:
            await self._pieces.aclose()


async def _read(chunks: AsyncIterator[bytes]) -> bytes | None:
    """Return the next chunk, or None at the end of the body."""
    return await anext(chunks, None)


_NO_CONTENT = "The provider's stream ended before any content. Try again, or use another target."
_CUT = "The provider's stream broke off before its end. Send the request again."
