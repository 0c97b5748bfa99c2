"""Cuts a streamed body into server-sent events, whatever the network cut it into.

Nothing here looks into an event's data; that is a Watch's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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

    __slots__ = (
        "_buffer",
        "_by_line",
        "_end",
        "_has_cr",
        "_max_event_bytes",
        "_scanned",
        "is_over",
    )

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
        self.is_over = False
        """Whether an event over the cap has come: the next call raises."""

    @property
    def rest(self) -> bytes:
        """The bytes after the last whole event."""
        return bytes(self._buffer)

    def skim(self, data: bytes, is_plain: Callable[[bytes], bool]) -> tuple[bytes, bytes]:
        """Take whole events uncut from the front of what was read; return them and what is left.

        They are as many as `is_plain` is found to accept. What is left must be fed.
        """
        buffer = self._buffer
        has_cr = b"\r" in data
        end = b"\r\n\r\n" if has_cr else b"\n\n"
        size = len(buffer) + len(data)
        is_mixed = has_cr < self._has_cr
        if is_mixed or self._by_line or size > self._max_event_bytes:
            return b"", data
        if not buffer and data.endswith(end):
            block = data  # as most providers send: each read ends with an event
        else:
            stop = data.rfind(end) + len(end)
            if stop < len(end):
                return b"", data
            block = b"".join((buffer, data[:stop]))
        if block.endswith(b"\n", 0, -len(end)):
            return b"", data  # which of the blank lines ends the event is for `feed` to say
        length = len(block) if is_plain(block) else _plain_length(block, end, is_plain)
        if not length:
            return b"", data
        self._has_cr = has_cr
        if block is data and length == size:
            return data, b""
        held = len(buffer)
        if held:
            buffer.clear()
            self._scanned = 0
        return block[:length], data[length - held :]

    def feed(self, data: bytes) -> list[Event]:
        """Take what was read and return the events that are now whole.

        Raises `UpstreamTooLarge` for an event over the cap, once those before it are handed out.
        """
        if self.is_over:
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
        if self.is_over:
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
        self.is_over = len(self._buffer) > cap
        events = []
        for raw in raws:
            if len(raw) > cap:
                self.is_over = True
                break
            events.append(read(raw))
        if self.is_over:
            self._buffer.clear()
            if not events:
                raise UpstreamTooLarge(_TOO_LARGE)
        return events


def _plain_length(block: bytes, end: bytes, is_plain: Callable[[bytes], bool]) -> int:
    """Return how much of a block is plain, from its start, where the whole is not.

    What tells something mostly stands last. So what is left is halved as long as its first half
    is plain, which costs no more than one more look at the block.
    """
    done = 0
    while True:
        half = block.rfind(end, done, (done + len(block)) // 2) + len(end)
        if half < done + len(end) or not is_plain(block[done:half]):
            return done
        done = half


def is_bare(block: bytes) -> bool:
    """Tell whether each of some whole events is just one line of data, which begins an object.

    All line ends must be LF, or all CRLF. False for an event that is written in another way.
    """
    lines = block.count(b"\n")
    if b"\r" not in block:
        return block.startswith(_BARE) and lines == 2 * block.count(_NEXT_BARE) + 2
    return (
        block.startswith(_BARE)
        and lines == block.count(b"\r") == 2 * block.count(_NEXT_BARE_CRLF) + 2
        and block.endswith(b"\r\n\r\n")
    )


def is_named(block: bytes) -> bool:
    """Tell whether each of some whole events is a name and one line of data that begins an object.

    All line ends must be LF. False for an event that is written in another way.
    """
    events = block.count(b"\n" + _BARE)
    return (
        block.startswith(_NAME)
        and block.endswith(b"\n\n")
        and block.count(b"\n\n" + _NAME) == events - 1
        # These are all that there are, so nothing else stands between any two of them.
        and block.count(b"\n") == 3 * events
        and b"\r" not in block
    )


_NAME: Final = b"event: "
_BARE: Final = b"data: {"
_NEXT_BARE: Final = b"\n\n" + _BARE
_NEXT_BARE_CRLF: Final = b"\r\n\r\n" + _BARE

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
