"""One connection that speaks HTTP/1.1: bytes out, answers in, every wait bounded.

One exchange at a time, by one task, which waits on one future that the loop's callbacks wake: no
task, no lock, and one deadline for all limits. What goes out is `h1_request`'s to make, what comes
in is `h1_answer`'s to read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from llmgateway.errors import GatewayError, UpstreamProtocolError, UpstreamTimeout
from llmgateway.transport.dial import Dialer
from llmgateway.transport.ending import has_close_notify
from llmgateway.transport.faults import CUT, Progress, lost
from llmgateway.transport.h1_answer import OTHER_VERSION, Answers
from llmgateway.transport.limits import Phase
from llmgateway.transport.url import Origin
from llmgateway.transport.wheel import NEVER, wheel_of

HIGH_WATER_BYTES = 64 * 1024
"""Reading stops above this; the loop may have read up to 256 KiB at once by then."""


class H1Connection(asyncio.Protocol):
    """A TCP or TLS connection of the pool's; see `pool.Poolable`.

    A body that only the connection's end ends is whole if that end is clean: see
    `ending.has_close_notify` for how far this can be told.
    """

    __slots__ = (
        "_closing",
        "_deadline",
        "_ends_at",
        "_is_early",
        "_loop",
        "_origin",
        "_paused_reading",
        "_phase",
        "_reused",
        "_stray",
        "_tcp",
        "_transport",
        "_unsent_bytes",
        "_used",
        "_waiter",
        "_write_s",
        "answers",
        "fault",
        "interrupt",
        "is_sent",
        "paused_writing",
    )

    def __init__(self, origin: Origin) -> None:
        self.answers = Answers()
        self.fault: GatewayError | None = None
        """Why nothing more will come."""
        self.is_sent = False
        """Whether the whole request was handed to the loop."""
        self.interrupt: Callable[[], None] | None = None
        """Set by a sender that waits for something else: called once sending is of no more use."""
        self._origin = origin
        self._loop = asyncio.get_running_loop()
        self._deadline = wheel_of(self._loop).deadline(self._ran_out)
        # uvloop's transports are no subclasses of asyncio's, so nothing can be asserted of them.
        self._transport: asyncio.Transport = _NO_TRANSPORT
        self._tcp: asyncio.Transport = _NO_TRANSPORT
        """The same without TLS; with it, the one beneath."""
        self._waiter: asyncio.Future[None] | None = None
        self.paused_writing = False
        """Whether the other side is slower than we are."""
        self._paused_reading = self._closing = False
        self._used = False
        """Whether an exchange is under way."""
        self._stray = False
        """Whether anything came that no request had asked for."""
        self._reused = False
        self._is_early = False
        """Whether the answer came before the request was wholly sent."""
        self._phase = Phase.HEAD
        self._ends_at = NEVER
        self._write_s = 0.0
        self._unsent_bytes = 0

    # The pool's side

    def is_reusable(self) -> bool:
        """Tell whether nothing has come since the last exchange, an end included."""
        return not (self._closing or self._stray)

    def abort(self) -> None:
        """Close at once; what was not sent yet is dropped. Idempotent."""
        self._closing = True
        self._deadline.cancel()
        self._transport.abort()

    # The exchange's side

    def begin(self, to_head: bool, reused: bool, ends_at: float) -> None:
        """Get ready for one exchange, which must be over at `ends_at` in loop time."""
        self.answers.begin(to_head)
        self.is_sent = self._is_early = False
        self._used = True
        self._reused = reused
        self._ends_at = ends_at

    def finish(self) -> float:
        """Note that the answer was read; return how long the connection may be used again."""
        self._used = False
        self._deadline.when = NEVER
        if self._is_early or self._closing:
            return 0.0
        return self.answers.idle_s()

    def write(self, data: bytes) -> None:
        """Hand bytes to the loop; `drain` after large ones. Nothing happens once it is closed."""
        self._transport.write(data)

    def limit_sending(self) -> None:
        """Bound the time until the sender has something by that of the whole call."""
        self._phase = Phase.SEND
        self._deadline.move(self._ends_at)

    async def drain(self, idle_s: float) -> None:
        """Wait while the other side is too slow and sending is of any use.

        It may take nothing for up to `idle_s` seconds; then the connection fails.
        """
        while self.paused_writing and not self.is_over():
            self._write_s = idle_s
            self._unsent_bytes = self._unsent()
            await self.wait(Phase.WRITE, idle_s)

    def is_over(self) -> bool:
        """Tell whether the rest of the request need not be sent: answered, or broken."""
        return self.fault is not None or self.answers.is_head_done

    def check(self) -> None:
        """Raise what is wrong with the answer or the connection, if anything is."""
        fault = self.answers.fault or self.fault
        if fault is not None:
            raise fault

    def wait(self, phase: Phase, limit_s: float) -> asyncio.Future[None]:
        """Return what is done once something has come or gone; to be awaited at once.

        No coroutine of its own: this is on the way of every request and every piece of a stream.
        """
        until = self._loop.time() + limit_s
        if self._ends_at < until:
            until, phase = self._ends_at, Phase.TOTAL
        self._phase = phase
        deadline = self._deadline
        if until >= deadline.when:
            deadline.when = until  # as `move` does for one that is set already
        else:
            deadline.move(until)
        waiter = self._waiter = self._loop.create_future()
        return waiter

    def take(self) -> bytes:
        """Take out what has come of the body, which is something; let more come."""
        data = self.answers.take()
        if self._paused_reading:
            self._paused_reading = False
            if not self._closing:
                self._transport.resume_reading()
        return data

    def fail(self, fault: GatewayError) -> None:
        """End the exchange with an error for whoever waits; the first one counts."""
        if self.fault is None:
            self.fault = fault
        self.abort()
        self._wake()

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Turn the connection into TLS for its origin; raises `ssl.SSLError`, `OSError`."""
        try:
            transport = await self._loop.start_tls(
                self._tcp, self, context, server_hostname=self._origin.host
            )
            if transport is None or self._closing:
                raise ConnectionResetError("closed during the TLS handshake")
            if self._stray:
                # Anyone on the way may have sent it; read after the handshake it would pass for
                # an answer that TLS vouches for.
                raise ssl.SSLError("plain text before the TLS handshake")
        except BaseException:
            self.abort()
            raise
        self._transport = transport

    # The loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport: called once, before anything else."""
        self._tcp = self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read what came; stop above the high-water mark."""
        if not self._used:
            self._note_stray()
            return
        answers = self.answers
        was_in_head = not answers.is_head_done
        answers.feed(data)
        if was_in_head:
            if answers.is_head_done:
                self._note_head()
            elif answers.fault is None:
                return  # a part of a head is nothing that anyone waits for
        if answers.size >= HIGH_WATER_BYTES and not self._paused_reading:
            self._paused_reading = True
            self._transport.pause_reading()
        if answers.fault is not None or (answers.complete and not answers.reusable):
            self.abort()  # nothing that may still come is wanted
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def eof_received(self) -> None:
        """Note the end; the loop closes the connection."""
        self._closing = True
        tls = self._transport.get_extra_info("ssl_object")
        self._end(clean=tls is None or has_close_notify(tls))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more will come or go."""
        self._closing = True
        self._deadline.cancel()
        self._end(clean=False)

    def pause_writing(self) -> None:
        """Let `drain` wait: the other side is slower than we are."""
        self.paused_writing = True

    def resume_writing(self) -> None:
        """Let `drain` go on."""
        self.paused_writing = False
        self._wake()

    # Inside

    def _ran_out(self) -> None:
        if (self._waiter is None or self._waiter.done()) and self.interrupt is None:
            return  # nobody waits, so nobody waits too long
        if self._phase is Phase.WRITE and self._unsent() < self._unsent_bytes:
            self._unsent_bytes = self._unsent()
            self._deadline.move(min(self._loop.time() + self._write_s, self._ends_at))
            return
        self.fail(UpstreamTimeout(self._phase.value.format(host=self._origin.authority)))

    def _unsent(self) -> int:
        unsent = self._transport.get_write_buffer_size()
        if self._tcp is not self._transport:
            unsent += self._tcp.get_write_buffer_size()
        return unsent

    def _note_stray(self) -> None:
        self._stray = True
        if self._transport is not self._tcp or self._reused:
            self.abort()

    def _note_head(self) -> None:
        self._is_early = not self.is_sent or self._unsent() > 0
        if self.interrupt is not None:
            self.interrupt()

    def _end(self, *, clean: bool) -> None:
        if self._used and self.fault is None and not self.answers.end(clean=clean):
            host = self._origin.authority
            if self.answers.begun:
                self.fault = UpstreamProtocolError(CUT.format(host=host))
            else:
                self.fault = lost(Progress(self._origin, self._reused, answered=False))
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        if self.fault is not None and self.interrupt is not None:
            self.interrupt()


async def connect(origin: Origin, dialer: Dialer, tls: ssl.SSLContext | None) -> H1Connection:
    """Connect to an origin, in TLS if there is a context.

    Raises what `Dialer.dial` does, `ssl.SSLError`, and `UpstreamProtocolError` if the other side
    wants another protocol than HTTP/1.1.
    """
    connection = await dialer.dial(origin, lambda: H1Connection(origin))
    if tls is not None:
        try:
            await connection.start_tls(tls)
        except ssl.SSLError as exc:
            if exc.reason == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL":
                raise UpstreamProtocolError(OTHER_VERSION) from exc
            raise
    return connection


class _NoTransport(asyncio.Transport):
    """Stands in until the connection is made."""

    def abort(self) -> None:
        """There is nothing to close."""


_NO_TRANSPORT = _NoTransport()
