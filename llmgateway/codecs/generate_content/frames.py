"""The JSON array that a stream is, where the caller did not ask for events with `alt=sse`.

Source: https://cloud.google.com/apis/docs/system-parameters (`alt`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class ArrayFrames:
    """Turns events into elements of one array, as they come."""

    def __init__(self) -> None:
        self._opening = b"["

    def feed(self, events: bytes) -> bytes:
        """Return the elements that some whole events become; comments become none.

        An event has one line of data, as this package writes them and the API does; an error that
        comes as bare JSON is an element too.
        """
        lines = events.splitlines()
        found = [line[5:].strip() for line in lines if line.startswith(b"data:")]
        if not found and events.lstrip()[:1] == b"{":
            found = [events.strip()]
        framed = b""
        for element in found:
            framed += self._opening + element
            self._opening = b",\r\n"
        return framed

    def close(self) -> bytes:
        """Return what ends the array."""
        return b"[]" if self._opening == b"[" else b"]"


def json_array_frames(events: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a whole stream of events as one array."""
    frames = ArrayFrames()
    yield from filter(None, map(frames.feed, events))
    yield frames.close()
