"""Cuts a streamed body into server-sent events, whatever the network cut it into.

Nothing here looks into an event's data; that is a Watch's business.
"""

from __future__ import annotations

import re
from typing import Final

import orjson

from llmgateway.codecs.base import Event, Framing
from llmgateway.errors import UpstreamTooLarge

DONE: Final = b"[DONE]"
"""The data of the sentinel event with which OpenAI's older formats end."""

_BOM: Final = b"\xef\xbb\xbf"
# Two line ends in a row, each LF, CR or CRLF; one CRLF must not pass for two.
_BLANK_LINE: Final = re.compile(rb"\n(?:\n|\r\n?)|\r(?:\r\n?|\n(?:\n|\r\n?))")


class SSESplitter:
    """Cuts one stream. The events are the same however their bytes arrive.

    With `Framing.SSE` the `raw` parts joined are the input. Each byte is looked at a fixed number
    of times, also when they come one by one. Source:
    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """

    def __init__(self, framing: Framing, max_event_bytes: int) -> None:
        if framing is Framing.NONE:
            raise ValueError("a body without framing has no events")
        self._by_line = framing is Framing.SSE_LINES
        self._end = b"\n" if self._by_line else b"\n\n"
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._scanned = 0
        """How much of the buffer is known to hold no end of an event."""
        self._has_cr = False
        self._is_over = False

    @property
    def rest(self) -> bytes:
        """The bytes after the last whole event."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """Take what was read and return the events that are now whole.

        Raises `UpstreamTooLarge` for an event over the cap, once those before it are handed out.
        """
        if self._is_over:
            raise UpstreamTooLarge(_TOO_LARGE)
        if self._has_cr or (b"\r" in data and not self._by_line):
            self._has_cr = True
            self._buffer += data
            return self._within_cap(self._cut_mixed())
        return self._within_cap(self._cut(data))

    def flush(self) -> list[Event]:
        """Return what the end of the body makes whole; the rest can never become an event.

        Providers leave out the last blank line, or the last line end. Such an event counts only
        if its data is `[DONE]` or a whole JSON object; it gets the line ends that it lacks.
        """
        if self._is_over:
            raise UpstreamTooLarge(_TOO_LARGE)
        raws = self._cut_mixed(at_end=True) if self._has_cr else []
        last = _terminated(self.rest.strip(b"\r") if self._by_line else self.rest)
        if last is not None:
            raws.append(last)
            self._buffer.clear()
        return self._within_cap(raws)

    def _cut(self, data: bytes) -> list[bytes]:
        """Cut off all events where lines end with LF, by far the most common case."""
        end, buffer = self._end, self._buffer
        if buffer:
            buffer += data
            if buffer.find(end, max(self._scanned - len(end) + 1, 0)) < 0:
                self._scanned = len(buffer)
                return []
            data = bytes(buffer)
        pieces = data.split(end)
        self._keep(pieces.pop())
        if self._by_line:
            return [line.rstrip(b"\r") + b"\n\n" for line in pieces if line.strip(b"\r")]
        return [piece + end for piece in pieces]

    def _cut_mixed(self, *, at_end: bool = False) -> list[bytes]:
        """Cut off all events where lines end with CRLF, CR, LF or a mix of them."""
        start = max(self._scanned - 3, 0)
        if _BLANK_LINE.search(self._buffer, start) is None:
            self._scanned = len(self._buffer)
            return []
        whole = bytes(self._buffer)
        raws, done = [], 0
        for blank in _BLANK_LINE.finditer(whole, start):
            end = blank.end()
            if end == len(whole) and whole.endswith(b"\r") and not at_end:
                break  # the LF of this CRLF may be in the next read
            raws.append(whole[done:end])
            done = end
        self._keep(whole[done:])
        return raws

    def _keep(self, rest: bytes) -> None:
        self._buffer[:] = rest
        # A blank line that waits for its LF must be found again.
        self._scanned = max(len(rest) - 2, 0) if self._has_cr else len(rest)

    def _within_cap(self, raws: list[bytes]) -> list[Event]:
        read = _event_of_lines if self._has_cr else _event
        cap = self._max_event_bytes
        self._is_over = len(self._buffer) > cap
        events = []
        for raw in raws:
            if len(raw) > cap:
                self._is_over = True
                break
            events.append(read(raw))
        if self._is_over:
            self._buffer.clear()
            if not events:
                raise UpstreamTooLarge(_TOO_LARGE)
        return events


_TOO_LARGE = "The provider sent an event over the size limit. Ask for less, or raise the limit."


def _terminated(rest: bytes) -> bytes | None:
    """Return the last bytes of a body as an event, or None if they are the start of one."""
    if not rest.strip(b"\r\n"):
        return rest or None
    data = _event_of_lines(rest).data
    if data != DONE and not _is_object(data):
        return None
    return rest + (b"\n" if rest.endswith(b"\n") else b"\n\n")


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(orjson.loads(data), dict)
    except orjson.JSONDecodeError:
        return False


def _event(raw: bytes) -> Event:
    """Read one event that holds no CR; the two usual layouts need no splitting into lines."""
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2:
        return Event(raw, None, raw[6:-2])
    if raw.startswith(b"event: "):
        name, _, rest = raw[7:].partition(b"\n")
        if rest.startswith(b"data: ") and rest.find(b"\n") == len(rest) - 2:
            return Event(raw, name.decode("utf-8", "replace") or None, rest[6:-2])
    return _event_of_lines(raw)


def _event_of_lines(raw: bytes) -> Event:
    """Read any event as the specification says; fields that we do not use are skipped."""
    name: str | None = None
    data: list[bytes] = []
    for line in raw.removeprefix(_BOM).splitlines():
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace") or None
    return Event(raw, name, b"\n".join(data))
