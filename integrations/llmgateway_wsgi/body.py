"""The body of a WSGI request: read by blocking, and no more of it than is wanted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from llmgateway.errors import ClientDisconnected, GatewayError, InvalidRequest, RequestTooSlow
from llmgateway.runtime import BlockingBody
from llmgateway_wsgi.watch import watch

__all__ = ["body_of"]

AT_ONCE_BYTES = 64 * 1024
"""A body of up to this length is read whole before the gateway is asked."""
PIECE_BYTES = 64 * 1024
"""How much of a longer one is read at a time."""
_TOO_SLOW = "The request body came too slowly."
_MAX_DIGITS = 18
"""What states a length with more of them is no length; Python would refuse it in its own way."""


def body_of(environ: Mapping[str, Any], body_s: float) -> bytes | BlockingBody:
    """Return a short body, or what reads a longer one piece by piece."""
    length: str = environ.get("CONTENT_LENGTH") or ""
    source = _Source(environ, body_s)
    if length.isascii() and length.isdigit() and len(length) <= _MAX_DIGITS:
        left = int(length)
        if left > AT_ONCE_BYTES:
            return BlockingBody(_Counted(source, left).read, source.interrupt)
        try:
            data = source.read_in_time(left) if left else b""
        except GatewayError as error:
            return BlockingBody(partial(_fail, error))
        return data if len(data) == left else BlockingBody(_break_off)
    if environ.get("wsgi.input_terminated"):
        return BlockingBody(lambda: source.read(PIECE_BYTES), source.interrupt)
    return BlockingBody(_find_no_end) if environ.get("HTTP_TRANSFER_ENCODING") else b""


class _Source:
    """Where the server has the body, and its socket where the server shows it."""

    __slots__ = ("_body_s", "_socket", "_stream")

    def __init__(self, environ: Mapping[str, Any], body_s: float) -> None:
        self._stream = environ["wsgi.input"]
        self._socket: Any = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
        self._body_s = body_s

    def read(self, size: int) -> bytes:
        """Wait for so many bytes, or for the end. Raises `RequestTooSlow`, `ClientDisconnected`."""
        before = None
        try:
            if self._socket is not None:
                before = self._socket.gettimeout()
                self._socket.settimeout(self._body_s)
            data: bytes = self._stream.read(size)
        except TimeoutError:
            raise RequestTooSlow(_TOO_SLOW) from None
        except Exception as error:  # each server has its own for what breaks off
            raise ClientDisconnected("The request body broke off.") from error
        finally:
            if self._socket is not None:
                with suppress(OSError):  # closed meanwhile
                    self._socket.settimeout(before)
        return data

    def read_in_time(self, size: int) -> bytes:
        """Read so many bytes; the time is for all of them. A longer body's is the gateway's."""
        if self._socket is None:
            return self.read(size)
        data, failure = b"", None
        watch.begin(self, self._body_s)
        try:
            data = self.read(size)
        except GatewayError as error:
            failure = error
        finally:
            in_time = watch.end(self)
        if not in_time:
            raise RequestTooSlow(_TOO_SLOW)
        if failure is not None:
            raise failure
        return data

    def interrupt(self) -> None:
        """Let a `read` that waits come to its end; from another thread."""
        if self._socket is not None:
            with suppress(OSError):
                _shutdown_of(self._socket)(_READING)
                _have_reset_soon(self._socket)


def _shutdown_of(socket: Any) -> Callable[[int], None]:
    """Return the system's call alone.

    gevent's own would do more, and not from another thread. That of TLS ends the encryption: what
    the server then answers would go out as plain text.
    """
    socket = getattr(socket, "_sock", socket)
    of_each = [vars(kind)["shutdown"] for kind in type(socket).__mro__ if "shutdown" in vars(kind)]
    return partial(of_each[-1], socket)


_READING = 0
"""SHUT_RD; importing `socket` is the transport's alone."""


def _have_reset_soon(socket: Any) -> None:
    """Have the system reset a client that still sends once the server has closed.

    Linux no longer tells the client of the room that reading makes. One that had filled it would
    ask for room, and be told of none, for the minute that it keeps what was closed. Now it keeps
    that for a second. The answer is not cut: it stays until the client's end has it.

    Source: https://man7.org/linux/man-pages/man7/tcp.7.html, `TCP_LINGER2`
    """
    if sys.platform == "linux":
        socket.setsockopt(_TCP, _LINGER2, _KEPT_S)


_TCP = 6
_LINGER2 = 8
"""IPPROTO_TCP and TCP_LINGER2."""
_KEPT_S = 1


class _Counted:
    """A body whose length has been declared."""

    __slots__ = ("_left", "_source")

    def __init__(self, source: _Source, left: int) -> None:
        self._source = source
        self._left = left

    def read(self) -> bytes:
        if not self._left:
            return b""
        piece = self._source.read(min(self._left, PIECE_BYTES))
        if not piece:
            _break_off()
        self._left -= len(piece)
        return piece


def _fail(error: GatewayError) -> bytes:
    raise error


def _break_off() -> bytes:
    raise ClientDisconnected("The request body broke off before its end.")


def _find_no_end() -> bytes:
    raise InvalidRequest("This server takes no chunked bodies: send a Content-Length.")
