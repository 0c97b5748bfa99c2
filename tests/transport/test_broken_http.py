"""Answers that are not HTTP, or only nearly: an error each, and never a short success."""

from __future__ import annotations

import pytest

from llmgateway.errors import TransportError, UpstreamProtocolError, UpstreamTooLarge
from tests.transport.conftest import AnyTransport, Serve
from tests.transport.provider import CHUNKED, answer, answer_and_wait, ask, fetch

BROKEN = {
    "no http": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "tls": b"\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n",
    "smtp": b"220 mail.example ESMTP\r\n\r\n",
    "empty line first": b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "only a line end": b"\r\n\r\n",
    "http/0.9": b"<html>hello</html>\n\n",
    "http/2": b"HTTP/2 200 OK\r\n\r\n",
    "http/2.0": b"HTTP/2.0 200 OK\r\n\r\n",
    "http/0.9 in words": b"HTTP/0.9 200 OK\r\n\r\n",
    "http/9.9": b"HTTP/9.9 200 OK\r\n\r\n",
    "lower-case": b"http/1.1 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status 600": b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n",
    "switched protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: 1\r\n\r\n",
    "nul in a value": b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    "carriage return in a value": b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    "a folded line first": b"HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "two lengths in one": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nokk",
    "a length in words": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "a length in hexadecimal": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
    "a length without end": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nok",
    "length and chunks": CHUNKED[:-2] + b"Content-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "gzip, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "gzip transfer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "chunked, chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "xchunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "http/1.0 chunked": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size in words": CHUNKED + b"two\r\nok\r\n0\r\n\r\n",
    "an empty chunk size": CHUNKED + b"\r\nok\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "a signed chunk": CHUNKED + b"+2\r\nok\r\n0\r\n\r\n",
    "a chunk in 0x": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "a huge chunk size": CHUNKED + b"F" * 30 + b"\r\nok\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"1\r\nok\r\n0\r\n\r\n",
    "a chunk shorter than it says": CHUNKED + b"3\r\nok\r\n0\r\n\r\n",
    "a long chunk extension": CHUNKED + b"2;" + b"x" * 5000 + b"\r\nok\r\n0\r\n\r\n",
    "a long trailer": CHUNKED + b"2\r\nok\r\n0\r\nX: " + b"x" * 5000 + b"\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "half a status line": b"HTT",
    "interim answers only": b"HTTP/1.1 100 Continue\r\n\r\n",
    "too many interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20,
}
"""What a provider may send; it closes after it."""


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer_is_an_error(
    serve: Serve, transport: AnyTransport, data: bytes
) -> None:
    provider = await serve(answer(data))

    with pytest.raises(UpstreamProtocolError) as caught:
        await fetch(transport, ask(f"{provider.url}/path?key=secret"))

    assert (502, "upstream_protocol_error") == (caught.value.status, caught.value.code)
    assert "secret" not in caught.value.message
    await provider.until(lambda it: it.open == 0)


WAITING = {
    name: data
    for name, data in BROKEN.items()
    if name
    not in (
        # There the rest may still come.
        "half a head",
        "half a status line",
        "interim answers only",
        "no http",
        "smtp",
        "a chunk shorter than it says",
    )
}


@pytest.mark.parametrize("data", WAITING.values(), ids=WAITING)
async def test_a_broken_answer_is_not_waited_out(
    serve: Serve, transport: AnyTransport, data: bytes
) -> None:
    """The provider leaves the connection open; we close it."""
    provider = await serve(answer_and_wait(data))

    with pytest.raises(UpstreamProtocolError):
        await fetch(transport, ask(provider.url))

    await provider.until(lambda it: it.open == 0)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 257 + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 50_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 200_000,
        b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 70_000 + b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["5,000 headers", "257", "no end", "long value", "long line", "long hints"],
)
async def test_a_head_above_its_caps_is_an_error(
    serve: Serve, transport: AnyTransport, data: bytes
) -> None:
    provider = await serve(answer_and_wait(data))

    with pytest.raises(UpstreamTooLarge):
        await fetch(transport, ask(provider.url))

    await provider.until(lambda it: it.open == 0)


async def test_a_long_line_that_begins_no_answer_is_an_error(
    serve: Serve, transport: AnyTransport
) -> None:
    """For its length, or since it is no HTTP from the first byte on."""
    provider = await serve(answer_and_wait(b"x" * 200_000))

    with pytest.raises((UpstreamTooLarge, UpstreamProtocolError)):
        await fetch(transport, ask(provider.url))

    await provider.until(lambda it: it.open == 0)


async def test_a_head_below_its_caps_passes(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(
        answer(
            b"HTTP/1.1 200 OK\r\n"
            + b"X: 1\r\n" * 200
            + b"Y: %b\r\nContent-Length: 2\r\n\r\nok" % (b"y" * 50_000)
        )
    )

    assert (200, b"ok") == await fetch(transport, ask(provider.url))


SHORT = {name: data for name, data in BROKEN.items() if len(data) < 4000}


@pytest.mark.parametrize("data", SHORT.values(), ids=SHORT)
async def test_a_broken_answer_in_single_bytes_is_an_error_too(
    serve: Serve, transport: AnyTransport, data: bytes
) -> None:
    provider = await serve(answer(*(bytes([byte]) for byte in data)))

    with pytest.raises(TransportError):
        await fetch(transport, ask(provider.url))
