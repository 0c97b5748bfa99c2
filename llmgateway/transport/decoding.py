"""Content codings undone step by step, so that a bomb never unfolds further than it is read.

We ask for none (`Accept-Encoding: identity`); this is for providers that send one all the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

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
                raise _broken(self._coding) from exc
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
            raise _broken(self._coding)

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


class Brotli:
    """br, for which an optional package is needed. Source: RFC 7932."""

    def __init__(self) -> None:
        try:
            # Wanted only for providers that send what nobody asked for.
            brotli = import_module("brotli")
        except ImportError:
            raise UpstreamProtocolError(
                "The provider sent the content encoding br, which was not asked for; the gateway's"
                " operator can have it decoded: pip install 'llmgateway[br]'."
            ) from None
        self._error: type[Exception] = brotli.error
        self._decoder: Any = brotli.Decompressor()
        self._pending = b""
        self._more = False
        """Whether it may hold output for which there was no room in the last step."""
        self._fed = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._pending += data
        self._fed = True

    def read(self) -> bytes:
        """Return up to `STEP_BYTES` of the decoded body; b"" if more must be fed first."""
        # It fills whole blocks of its own until the limit is reached: one of 32 KiB, then one of
        # 64, which would be more than a step.
        decoder, data = self._decoder, b""
        try:
            while not data and (self._pending or self._more):
                fed = b""
                if decoder.can_accept_more_data():
                    fed, self._pending = self._pending, b""
                data = decoder.process(fed, output_buffer_limit=STEP_BYTES // 4)
                self._more = bool(data) or not decoder.can_accept_more_data()
        except self._error as exc:
            raise _broken("br") from exc
        return data

    def close(self) -> None:
        """Raise `UpstreamProtocolError` if the body is not complete."""
        if self._fed and not self._decoder.is_finished():
            raise _broken("br")


def _broken(coding: str) -> UpstreamProtocolError:
    return UpstreamProtocolError(
        f"The provider's response is marked as {coding} but is broken or cut short."
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
    if known == ["br"]:
        return Brotli()
    raise UpstreamProtocolError(
        "The provider sent a content encoding that was not asked for and that the gateway cannot"
        " decode; it decodes gzip and deflate, and br with"
        " its extra."
    )


_INFLATED = frozenset({"gzip", "x-gzip", "deflate"})
