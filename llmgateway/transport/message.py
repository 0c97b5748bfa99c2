"""What goes out on the wire: a request's head and body made ready, without I/O.

Framing is the transport's own: whatever the caller's headers say about it is replaced by what
the body is, so that one request can never be read as two.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import NamedTuple

from llmgateway.errors import InvalidRequest
from llmgateway.transport.url import Origin, split_url
from llmgateway.types.http import RawHeaders
from llmgateway.types.upstream import UpstreamRequest

_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_OURS = frozenset(
    {
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Framing and hop-by-hop fields; `Expect` would have a body wait for an interim answer."""
BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})
"""Methods for which no body is the usual case (RFC 9110, section 8.6)."""


class Body:
    """A body that is read as it is sent, and must be as long as was announced, if it was."""

    def __init__(self, chunks: AsyncIterator[bytes], length: int | None) -> None:
        self.fault: BaseException | None = None
        """What reading it raised: the caller's own, not to be taken for a fault of the network."""
        self._chunks = chunks
        self._left = length

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            # h11 would find this out too, but it would name the numbers in its own words.
            if self._left:
                raise InvalidRequest(
                    "The request body is shorter than its Content-Length says."
                ) from None
            raise
        except BaseException as exc:
            self.fault = exc
            raise
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                raise InvalidRequest("The request body is longer than its Content-Length says.")
        return chunk


class Message(NamedTuple):
    """A request that can be sent as it stands."""

    origin: Origin
    target: bytes
    method: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes | Body


def compose(request: UpstreamRequest) -> Message:
    """Return `request` as it goes out.

    Headers keep their order between our Host and our framing; white space around a value goes.
    Raises `InvalidRequest` for what no head can hold and for a Content-Length that is no number,
    `AddressRefused` for a URL that names no upstream.
    """
    origin, target = split_url(request.url)
    method = checked_method(request.method)
    headers = [(b"Host", origin.authority.encode("ascii"))]
    headers.extend(checked_fields(request.headers))
    headers.extend(checked_fields(request.varying))
    headers.append((b"Accept-Encoding", b"identity"))
    if isinstance(request.body, bytes):
        if request.body or request.method not in BODILESS:
            headers.append((b"Content-Length", b"%d" % len(request.body)))
        return Message(origin, target.encode("ascii"), method, headers, request.body)
    length = announced_length(request.headers)
    if length is None:
        headers.append((b"Transfer-Encoding", b"chunked"))
    else:
        headers.append((b"Content-Length", b"%d" % length))
    body = Body(request.body, length)
    return Message(origin, target.encode("ascii"), method, headers, body)


def checked_method(method: str) -> bytes:
    """Return a method as it is sent; raises `InvalidRequest` for what is none, and for CONNECT."""
    if not _METHOD.fullmatch(method) or method == "CONNECT":
        raise InvalidRequest("The method cannot be sent to a provider; use GET, POST or the like.")
    return method.encode("ascii")


def checked_fields(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return header fields as they are sent, without those that are the transport's own.

    Raises `InvalidRequest` for what no head can hold.
    """
    checked = []
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise InvalidRequest("A header name has a character that no header name may have.")
        if _UNSENDABLE.search(value):
            raise InvalidRequest(
                f"The header {name.decode('ascii')} has a control character in its value;"
                " line breaks often come from a key that was read from a file."
            )
        if name.lower() not in _OURS:
            checked.append((name, value.strip(b" \t")))
    return checked


def announced_length(headers: RawHeaders) -> int | None:
    """Return what a caller's Content-Length says; raises `InvalidRequest` if it is no number."""
    values = {value.strip() for name, value in headers if name.lower() == b"content-length"}
    if not values:
        return None
    if len(values) > 1 or not all(_DIGITS.fullmatch(value) for value in values):
        raise InvalidRequest("The Content-Length must be one number.")
    return int(values.pop())
