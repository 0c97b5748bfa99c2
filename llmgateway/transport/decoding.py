"""Content codings undone step by step, so that a bomb never unfolds further than it is read.

We ask for none (`Accept-Encoding: identity`); this is for providers that send one all the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol

from llmgateway.errors import UpstreamProtocolError

STEP_BYTES = 64 * 1024
"""What one step yields at most."""


class Decoder(Protocol):
    """Undoes one coding: feed what came, then read until nothing is left."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes; only once `read` has returned b""."""
        ...

    def read(self) -> bytes:
        """Return up to `STEP_BYTES` of the decoded body; b"" if more must be fed first."""
        ...

    def close(self) -> None:
        """Raise `UpstreamProtocolError` if the body is not complete."""
        ...


class Identity:
    """No coding."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._data = data

    def read(self) -> bytes:
        """Return what was fed, once."""
        data, self._data = self._data, b""
        return data

    def close(self) -> None:
        """Nothing can be missing: the framing has been checked."""


class Inflate:
    """gzip (also of several members) and deflate, in zlib's wrapping or, as some send it, raw.

    Source: RFC 9110, section 8.4.1; RFC 1952, section 2.2.
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._gzip = coding != "deflate"
        self._zlib: zlib._Decompress | None = None
        self._pending = b""
        self._more = False
        """Whether zlib may hold output for which there was no room in the last step."""
        self._fed = False
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._pending += data
        self._fed = True

    def read(self) -> bytes:
        """Return up to `STEP_BYTES` of the decoded body; b"" if more must be fed first."""
        while self._pending or self._more:
            if self._zlib is None:
                self._zlib = self._begin()
            if self._zlib is None:
                break
            try:
                data = self._zlib.decompress(self._pending, STEP_BYTES)
            except zlib.error as exc:
                raise self._broken() from exc
            self._pending = self._zlib.unconsumed_tail
            self._more = len(data) == STEP_BYTES
            if self._zlib.eof:
                self._pending = self._zlib.unused_data
                self._zlib, self._more, self._ended = None, False, True
            if data:
                return data
        return b""

    def close(self) -> None:
        """Raise `UpstreamProtocolError` if the body is not complete."""
        # No byte at all is the body of a HEAD answer.
        if self._fed and (self._zlib is not None or self._pending or not self._ended):
            raise self._broken()

    def _begin(self) -> zlib._Decompress | None:
        """Return what undoes the next member, or None while its first two bytes are not there."""
        if self._ended:
            # Behind a gzip member stands padding or another one, behind deflate's end nothing.
            self._pending = self._pending.lstrip(b"\0") if self._gzip else b""
        if len(self._pending) < 2:
            return None
        self._ended = False
        if self._gzip:
            return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        # RFC 1950, section 2.2: the method is 8, and the two bytes are a multiple of 31.
        wrapped = self._pending[0] & 15 == 8 and not int.from_bytes(self._pending[:2]) % 31
        return zlib.decompressobj(wbits=zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)

    def _broken(self) -> UpstreamProtocolError:
        return UpstreamProtocolError(
            f"The provider's response is marked as {self._coding} but is broken or cut short."
        )


def decoder_for(codings: Sequence[str]) -> Decoder:
    """Return what undoes the codings of a response's Content-Encoding fields.

    Raises `UpstreamProtocolError` for more than one coding and for those we do not know.
    """
    named = [name.strip().lower() for field in codings for name in field.split(",")]
    known = [name for name in named if name not in ("", "identity")]
    if not known:
        return Identity()
    if len(known) == 1 and known[0] in _INFLATED:
        return Inflate(known[0])
    raise UpstreamProtocolError(
        "The provider sent a content encoding that was not asked for and that the gateway cannot"
        " decode; it decodes gzip and deflate."
    )


_INFLATED = frozenset({"gzip", "x-gzip", "deflate"})
