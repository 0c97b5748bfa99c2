"""HTTP/2 on one stream of ours, one exchange at a time; needs the package `h2`.

h2 knows the protocol, and this the way of one exchange: when to send, to read, and to stop. There
is no multiplexing: a connection with one exchange on it can be cut to cancel that, holds a fast
provider back by TCP alone, and is pooled like any other.
Source: RFC 9113.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from typing import Any

import httpcore
from h2 import events, exceptions
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes, Settings

from llmgateway.errors import InvalidRequest, UpstreamProtocolError, UpstreamTooLarge
from llmgateway.transport.limits import Phase, Stopwatch
from llmgateway.transport.message import Message
from llmgateway.transport.network import MAX_HEAD_BYTES, MAX_INTERIM_HEADS, Bound, Stream

WINDOW_BYTES = 2**20
"""What a provider may send ahead. Not what we hold: above 64 KiB the stream reads no more."""
MAX_FRAME_BYTES = 2**14
MAX_BYTES_BEFORE_HEAD = (1 + MAX_INTERIM_HEADS) * MAX_HEAD_BYTES

_READ_BYTES = 2**16
_FRAME_HEAD_BYTES = 9
_GOAWAY = 7
_NOT_SENT = frozenset({b"host", b"transfer-encoding"})
"""HTTP/2 has `:authority` and its own framing in their place."""
_DIGITS = re.compile(rb"[0-9]{1,18}")


class Http2:
    """One connection to an origin; see `exchange.Http`."""

    def __init__(self, stream: Stream) -> None:
        self.answered = False
        """Whether any part of an answer has come."""
        self._stream = stream
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._frames = _Frames()
        self._write_s = 0.0
        self._opened = False
        self._leaving = False
        """The provider takes no further requests on this connection."""
        self._begin()

    def _begin(self) -> None:
        self.answered = False
        self._stream_id = 0
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self._interim = 0
        self._early = 0
        """Bytes that came before the head."""
        self._body = bytearray()
        self._sent = False
        self._ended = False

    async def ask(self, message: Message, watch: Stopwatch, write_s: float) -> httpcore.Response:
        """Send a request; return when the response head has arrived."""
        self._begin()
        self._write_s = write_s
        self._stream.expect_body(None, chunked=False, bound=nullcontext)
        watch.enter(Phase.SEND)
        await self._send(message)
        watch.enter(Phase.HEAD)
        while self._head is None:
            await self._receive()
        status, headers = self._head
        return httpcore.Response(
            status, headers=headers, content=self._read(), extensions={"http_version": b"HTTP/2"}
        )

    def expect_body(self, length: int | None, *, chunked: bool, bound: Bound) -> None:
        """Say what bounds each wait for more of the body; its end is the protocol's to tell."""
        self._stream.expect_body(None, chunked=False, bound=bound)

    def ended_cleanly(self) -> bool:
        """Tell whether the last exchange leaves the connection fit for another one."""
        return self._sent and self._ended and not self._leaving

    def is_reusable(self) -> bool:
        """Tell whether the last exchange ended well and nothing has come since.

        What comes to an idle connection is as a rule its end (GOAWAY).
        """
        return self.ended_cleanly() and not self._stream.get_extra_info("is_readable")

    # Sending

    async def _send(self, message: Message) -> None:
        if not self._opened:
            self._opened = True
            self._open()
        fields = [
            (b":method", message.method),
            (b":scheme", message.origin.scheme.encode("ascii")),
            (b":authority", message.origin.authority.encode("ascii")),
            (b":path", message.target),
        ]
        lower = ((name.lower(), value) for name, value in message.headers)
        fields.extend(field for field in lower if field[0] not in _NOT_SENT)
        try:
            self._stream_id = self._h2.get_next_available_stream_id()
            self._h2.send_headers(self._stream_id, fields, end_stream=message.body == b"")
        except exceptions.ProtocolError as exc:
            raise InvalidRequest(
                "The request cannot be sent as HTTP/2; check its method and headers."
            ) from exc
        await self._flush()
        if message.body == b"":
            self._sent = True
        elif isinstance(message.body, bytes):
            await self._send_body(_once(message.body))
        else:
            await self._send_body(message.body)

    def _open(self) -> None:
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
                SettingCodes.MAX_FRAME_SIZE: MAX_FRAME_BYTES,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
            },
        )
        # A server's word only, of which h2 makes a client's too (RFC 8441, section 3).
        del self._h2.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL]
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(WINDOW_BYTES - 65_535)

    async def _send_body(self, chunks: AsyncIterator[bytes]) -> None:
        """Send a body until its end, or until an answer is there before that: a 413, say."""
        async for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                if self._stream.get_extra_info("is_readable"):
                    await self._receive()
                if self._head is not None:
                    return
                room = min(
                    self._h2.local_flow_control_window(self._stream_id),
                    self._h2.max_outbound_frame_size,
                    _READ_BYTES,
                )
                if room <= 0:
                    await self._receive_in(self._write_s)
                    continue
                self._h2.send_data(self._stream_id, bytes(rest[:room]))
                rest = rest[room:]
                await self._flush()
        if self._head is None:
            self._h2.end_stream(self._stream_id)
            await self._flush()
            self._sent = True

    async def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            # Where the provider has closed, what it sent before that counts: reading tells.
            with suppress(httpcore.WriteError):
                await self._stream.write(data, self._write_s)

    # Receiving

    async def _read(self) -> AsyncIterator[bytes]:
        while True:
            if self._body:
                data, self._body = bytes(self._body), bytearray()
                yield data
            elif self._ended:
                return
            else:
                await self._receive()

    async def _receive(self) -> None:
        """Wait for bytes and take in what they say.

        Raises `httpcore.ReadError` if the connection ended, `UpstreamProtocolError` and
        `UpstreamTooLarge` for what may not be.
        """
        data = await self._stream.read(_READ_BYTES)
        if not data:
            raise httpcore.ReadError
        self._early += len(data) if self._head is None else 0
        for frame in self._frames.split(data):
            try:
                if frame[3] == _GOAWAY:
                    self._leave(frame[_FRAME_HEAD_BYTES:])
                else:
                    self._take(self._h2.receive_data(frame))
            except exceptions.ProtocolError as exc:
                if self._ended:
                    # What is whole is kept, whatever came after it.
                    self._leaving = True
                    break
                raise _told(exc) from exc
        if self._early > MAX_BYTES_BEFORE_HEAD:
            raise UpstreamTooLarge(
                f"The provider sent more than {MAX_BYTES_BEFORE_HEAD} bytes before its answer."
            )
        await self._flush()

    async def _receive_in(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._receive()
        except TimeoutError as exc:
            raise httpcore.WriteTimeout from exc

    def _leave(self, payload: bytes) -> None:
        """Take in that the provider ends the connection, and up to which stream it answers.

        h2 would take no frame after that, not even those of the answer under way.
        """
        self._leaving = True
        if int.from_bytes(payload[:4]) & 0x7FFF_FFFF < self._stream_id:
            raise httpcore.ReadError

    def _take(self, found: list[events.Event]) -> None:
        for event in found:
            take = _TAKES.get(type(event))
            if take is not None and getattr(event, "stream_id", None) == self._stream_id:
                take(self, event)

    def _take_interim(self, event: events.InformationalResponseReceived) -> None:
        self.answered = True
        self._interim += 1
        if any(name == b":status" and value == b"101" for name, value in event.headers or ()):
            raise UpstreamProtocolError(
                "The provider changes the protocol, which nobody asked for."
            )
        if self._interim > MAX_INTERIM_HEADS:
            raise UpstreamProtocolError(
                f"The provider sent more than {MAX_INTERIM_HEADS} interim responses (1xx)."
            )

    def _take_head(self, event: events.ResponseReceived) -> None:
        self.answered = True
        fields = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
        status = next((value for name, value in fields if name == b":status"), b"")
        lengths = {value for name, value in fields if name == b"content-length"}
        if len(status) != 3 or not _DIGITS.fullmatch(status):
            raise UpstreamProtocolError("The provider's response has no status.")
        if len(lengths) > 1 or not all(_DIGITS.fullmatch(length) for length in lengths):
            raise UpstreamProtocolError("The provider's response says its length in two ways.")
        self._head = int(status), [field for field in fields if not field[0].startswith(b":")]

    def _take_data(self, event: events.DataReceived) -> None:
        self._body += event.data or b""
        self._h2.acknowledge_received_data(event.flow_controlled_length or 0, self._stream_id)

    def _take_end(self, event: events.StreamEnded) -> None:
        self._ended = True

    def _take_reset(self, event: events.StreamReset) -> None:
        self._leaving = True
        if self._ended:
            return
        if event.error_code == ErrorCodes.REFUSED_STREAM and not self.answered:
            raise httpcore.ReadError
        code = getattr(event.error_code, "name", event.error_code)
        raise UpstreamProtocolError(f"The provider broke its answer off (HTTP/2: {code}).")


_TAKES: Mapping[type[events.Event], Callable[[Http2, Any], None]] = {
    events.InformationalResponseReceived: Http2._take_interim,
    events.ResponseReceived: Http2._take_head,
    events.DataReceived: Http2._take_data,
    events.StreamEnded: Http2._take_end,
    events.StreamReset: Http2._take_reset,
}


class _Frames:
    """Parts a stream of bytes into whole frames. Source: RFC 9113, section 4.1."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def split(self, data: bytes) -> Iterator[bytes]:
        rest, at = self._rest, 0
        rest += data
        try:
            while len(rest) - at >= _FRAME_HEAD_BYTES:
                size = int.from_bytes(rest[at : at + 3])
                if size > MAX_FRAME_BYTES:
                    raise UpstreamProtocolError("The provider's answer is not valid HTTP/2.")
                end = at + _FRAME_HEAD_BYTES + size
                if end > len(rest):
                    return
                frame = bytes(rest[at:end])
                at = end
                yield frame
        finally:
            del rest[:at]


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _told(exc: exceptions.ProtocolError) -> UpstreamProtocolError | UpstreamTooLarge:
    if isinstance(exc, exceptions.DenialOfServiceError):
        return UpstreamTooLarge(
            f"The provider's response head is larger than {MAX_HEAD_BYTES} bytes."
        )
    return UpstreamProtocolError("The provider's answer is not valid HTTP/2, or cut short.")
