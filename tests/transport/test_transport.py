"""Sending and reading over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from llmgateway.errors import (
    AddressRefused,
    InvalidRequest,
    UpstreamProtocolError,
)
from llmgateway.transport.base import Transport
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.h1_transport import H1Transport
from tests.transport.conftest import AnyTransport, Kind, Serve
from tests.transport.provider import (
    CHUNKED,
    OK,
    Peer,
    answer,
    answer_each,
    ask,
    fetch,
    read,
    turns,
)


async def test_the_bytes_on_the_wire_are_ours_to_the_last(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(answer(OK))

    await fetch(
        transport,
        ask(
            f"{provider.url}/v1/chat?a=1&b",
            headers=((b"Authorization", b"Bearer k"), (b"content-type", b"application/json")),
            body=b'{"a":1}',
        ),
    )

    assert [
        b"POST /v1/chat?a=1&b HTTP/1.1\r\n"
        b"Host: 127.0.0.1:%d\r\n"
        b"Authorization: Bearer k\r\n"
        b"content-type: application/json\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Content-Length: 7\r\n\r\n"
        b'{"a":1}' % provider.port
    ] == provider.requests


async def test_status_headers_and_body_come_back(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(
        answer(
            b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nX-A: 1\r\nx-a: 2\r\n"
            b"Content-Length: 3\r\n\r\nno\xff"
        )
    )

    response = await transport.send(ask(provider.url))

    assert 429 == response.status
    assert (
        (b"retry-after", b"3"),
        (b"x-a", b"1"),
        (b"x-a", b"2"),
        (b"content-length", b"3"),
    ) == response.headers.raw
    assert b"no\xff" == await read(response)


async def test_it_is_a_transport(transport: AnyTransport) -> None:
    seam: Transport = transport

    assert seam is transport


async def test_a_connection_is_used_again(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(answer_each(OK))
    for _ in range(5):
        assert (200, b"ok") == await fetch(transport, ask(provider.url, body=b"x"))

    assert 1 == provider.accepted
    assert 5 == len(provider.requests)


@pytest.mark.parametrize(
    "body",
    [
        CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"1;x=y\r\no\r\n1\r\nk\r\n000;z\r\nX-Trailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=60, max=9\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    ],
    ids=["chunked", "extensions and trailers", "keep-alive", "interim"],
)
async def test_each_form_of_a_whole_answer_keeps_the_connection(
    serve: Serve, transport: AnyTransport, body: bytes
) -> None:
    provider = await serve(answer_each(body))
    for _ in range(3):
        assert (200, b"ok") == await fetch(transport, ask(provider.url))

    assert 1 == provider.accepted


@pytest.mark.parametrize(
    "body",
    [
        OK + b"\r\n",
        OK + OK,
        CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + CHUNKED + b"4\r\nevil\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nok\r\n0\r\nX: 1\r\n\r\n" + CHUNKED + b"4\r\nevil\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nok\r\n0\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok",
    ],
    ids=["newline", "second", "second chunked", "after trailers", "byte", "close", "1.0", "1 s"],
)
async def test_a_connection_that_may_hold_stray_bytes_is_not_used_again(
    serve: Serve, transport: AnyTransport, body: bytes
) -> None:
    """What stands behind one caller's answer must never be the next caller's."""
    provider = await serve(answer_each(body))
    for number in range(1, 4):
        assert (200, b"ok") == await fetch(transport, ask(provider.url))
        assert number == provider.accepted


async def test_stray_bytes_that_come_later_are_seen_too(
    serve: Serve, transport: AnyTransport
) -> None:
    stray, sent = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await stray.wait()
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nevil")
        sent.set()
        await peer.gone()

    provider = await serve(script)
    assert (200, b"ok") == await fetch(transport, ask(provider.url))
    stray.set()
    await sent.wait()
    await turns()  # it is in the socket's buffer by now

    assert (200, b"ok") == await fetch(transport, ask(provider.url))
    assert 2 == provider.accepted


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("whole", "body"),
    [
        (OK, b"ok"),
        (CHUNKED + b"3\r\n\r\n0\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
        (CHUNKED + b"7\r\n\n0\r\n\r\nx\r\n00\r\nA: b\r\n\r\n", b"\n0\r\n\r\nx"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
    ],
    ids=["length", "chunks like an end", "chunks like an end, trailers", "close", "interim"],
)
async def test_an_answer_may_come_in_any_pieces(
    serve: Serve, transport: AnyTransport, whole: bytes, body: bytes, cut: int
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for at in range(0, len(whole), cut):
            await peer.send(whole[at : at + cut])
            await asyncio.sleep(0)

    provider = await serve(script)

    assert (200, body) == await fetch(transport, ask(provider.url))


async def test_lines_that_end_with_a_bare_newline_are_read_leniently_or_not_at_all(
    serve: Serve, transport: AnyTransport
) -> None:
    """h11 takes them, llhttp does not; who takes them must take all of them."""
    provider = await serve(answer(b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 1\n\nx"))

    if isinstance(transport, H1Transport):
        with pytest.raises(UpstreamProtocolError):
            await fetch(transport, ask(provider.url))
    else:
        assert (200, b"x") == await fetch(transport, ask(provider.url))


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Encoding: gzip\r\n\r\n"),
        ("HEAD", CHUNKED),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
        ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_ends_with_its_head(
    serve: Serve, transport: AnyTransport, method: str, head: bytes
) -> None:
    provider = await serve(answer_each(head))
    for _ in range(2):
        _, body = await fetch(transport, ask(provider.url, method, max_body_bytes=10))
        assert b"" == body

    assert 1 == provider.accepted


async def test_chunks_come_as_they_are_sent(serve: Serve, transport: AnyTransport) -> None:
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, b"5\r\nfirst\r\n")
        await more.wait()
        await peer.send(b"6\r\nsecond\r\n0\r\n\r\n")

    provider = await serve(script)
    response = await transport.send(ask(provider.url))
    chunks = response.chunks()

    assert b"first" == await anext(chunks)
    more.set()
    assert b"second" == await anext(chunks)
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)
    await response.aclose()


async def test_redirects_are_answers(serve: Serve, transport: AnyTransport) -> None:
    canary = await serve(answer(OK))
    provider = await serve(
        answer_each(
            b"HTTP/1.1 307 Go\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n" % canary.url.encode()
        )
    )

    assert (307, b"") == await fetch(transport, ask(provider.url))
    assert 0 == canary.accepted


@pytest.mark.usefixtures("proxy_environment")
async def test_proxy_variables_are_ignored(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(answer(OK))

    assert (200, b"ok") == await fetch(transport, ask(provider.url))


async def test_cookies_are_not_kept(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(
        answer_each(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
    )
    for _ in range(2):
        await fetch(transport, ask(provider.url))

    assert b"cookie" not in provider.requests[1].lower()


async def test_a_refused_address_is_refused_before_anything_is_sent(
    kind: Kind, serve: Serve
) -> None:
    provider = await serve(answer(OK))
    transport = kind(AddressPolicy())

    with pytest.raises(AddressRefused, match="allowed_upstreams") as caught:
        await transport.send(ask(f"{provider.url}/path?key=secret"))

    assert "secret" not in caught.value.message
    assert "path" not in caught.value.message
    assert 0 == provider.accepted


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("/a\r\nX-Injected: 1", ()),
        ("/a\0", ()),
        ("", ((b"x-a", b"1\r\nX-Injected: 1"),)),
        ("", ((b"x-a", b"1\n"),)),
        ("", ((b"x-a\r\nX-Injected", b"1"),)),
    ],
)
async def test_what_would_inject_a_header_is_not_sent(
    serve: Serve,
    transport: AnyTransport,
    url: str,
    headers: tuple[tuple[bytes, bytes], ...],
) -> None:
    provider = await serve(answer(OK))

    with pytest.raises(InvalidRequest):
        await transport.send(ask(provider.url + url, headers=headers))

    assert 0 == provider.accepted
