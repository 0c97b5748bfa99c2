"""What a hostile provider may try that no other module of these tests has.

Which requirement and which weakness of llhttp is proven where: `tests/transport/__init__.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llmgateway.errors import UpstreamProtocolError, UpstreamTimeout, UpstreamTooLarge
from llmgateway.transport.h1_transport import H1Transport
from llmgateway.types.http import RawHeaders
from tests.transport.conftest import AnyTransport, Serve
from tests.transport.provider import (
    CHUNKED,
    OK,
    Peer,
    answer_and_wait,
    answer_each,
    ask,
    fetch,
    pieces,
    read,
)
from tests.transport.test_caps import PACKED, growth

MIB = 2**20


# ---- heads


async def test_interim_answers_leave_nothing_in_the_answer(
    serve: Serve, transport: AnyTransport
) -> None:
    """Neither their fields nor the body that they announce: they have none (RFC 9110, 15.2)."""
    provider = await serve(
        answer_each(
            b"HTTP/1.1 103 Early Hints\r\nLink: </evil>\r\nSet-Cookie: a=1\r\n\r\n"
            b"HTTP/1.1 100 Continue\r\nContent-Length: 500\r\n\r\n"
            b"HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n" + OK
        )
    )
    for _ in range(2):
        response = await transport.send(ask(provider.url))
        assert [b"content-length"] == [name for name, _ in response.headers.raw]
        assert b"ok" == await read(response)

    assert 1 == provider.accepted


async def test_expect_is_never_sent(serve: Serve, transport: AnyTransport) -> None:
    """A body that waits for a 100 would wait for ever for a provider that sends none."""
    provider = await serve(answer_each(OK))
    headers = ((b"expect", b"100-continue"), (b"x-a", b"1"))

    assert (200, b"ok") == await fetch(transport, ask(provider.url, headers=headers, body=b"ab"))
    request = ask(provider.url, headers=headers, body=pieces(b"a", b"b"))
    assert (200, b"ok") == await fetch(transport, request)

    assert all(b"x-a: 1" in request for request in provider.requests)
    assert not any(b"expect" in request.lower() for request in provider.requests)


async def test_5000_headers_cost_little_memory(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(
        answer_and_wait(b"HTTP/1.1 200 OK\r\n" + b"X-Name: some value\r\n" * 5000 + b"\r\n")
    )

    with growth(2 * MIB), pytest.raises(UpstreamTooLarge):
        await transport.send(ask(provider.url))


# ---- bodies


async def test_trailers_are_dropped(serve: Serve, transport: AnyTransport) -> None:
    trailers = b"Set-Cookie: a=1\r\nContent-Type: text/html\r\nX: 1\r\n"
    provider = await serve(answer_each(CHUNKED + b"2\r\nok\r\n0\r\n" + trailers + b"\r\n"))
    for _ in range(2):
        response = await transport.send(ask(provider.url))
        assert b"ok" == await read(response)
        assert [(b"transfer-encoding", b"chunked")] == list(response.headers.raw)

    assert 1 == provider.accepted


@pytest.mark.parametrize("kind", [H1Transport], indirect=True)
async def test_trailers_count_under_the_caps_of_a_head(
    serve: Serve, transport: AnyTransport
) -> None:
    """These are few bytes."""
    provider = await serve(
        answer_and_wait(CHUNKED + b"2\r\nok\r\n0\r\n" + b"X:1\r\n" * 300 + b"\r\n")
    )

    with pytest.raises(UpstreamTooLarge, match="256"):
        await fetch(transport, ask(provider.url))
    await provider.until(lambda it: it.open == 0)


async def test_an_endless_chunk_extension_ends_at_a_cap(
    serve: Serve, transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, b"2;x=")
        await peer.pour(b"x" * 65536)

    provider = await serve(script)
    with growth(3 * MIB), pytest.raises((UpstreamTooLarge, UpstreamProtocolError)):
        await fetch(transport, ask(provider.url))
    await provider.until(lambda it: it.open == 0)


async def test_extensions_of_many_chunks_end_at_a_cap_too(
    serve: Serve, transport: AnyTransport
) -> None:
    """Each of them is short."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await peer.pour((b"1;" + b"x" * 200 + b"\r\ny\r\n") * 100)

    provider = await serve(script)
    with growth(3 * MIB), pytest.raises((UpstreamTooLarge, UpstreamProtocolError)):
        await fetch(transport, ask(provider.url, max_body_bytes=20_000))
    await provider.until(lambda it: it.open == 0)


@pytest.mark.parametrize("coding", PACKED)
async def test_a_bomb_of_any_coding_ends_at_the_cap(
    serve: Serve, transport: AnyTransport, coding: str
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n"
    provider = await serve(answer_and_wait(head.encode(), PACKED[coding](b"\0" * (32 * MIB))))
    response = await transport.send(ask(provider.url, max_body_bytes=4 * MIB))

    with growth(2 * MIB), pytest.raises(UpstreamTooLarge):
        async for _ in response.chunks():
            pass
    await provider.until(lambda it: it.open == 0)


async def test_a_text_cut_within_its_characters_comes_whole(
    serve: Serve, transport: AnyTransport
) -> None:
    text = "ü€😀 " * 50

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for byte in text.encode():
            await peer.send(b"1\r\n%c\r\n" % byte)
        await peer.send(b"0\r\n\r\n")

    provider = await serve(script)

    assert (200, text.encode()) == await fetch(transport, ask(provider.url))


# ---- connections that must not be used again


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("POST", OK + b"\0\xff no HTTP"),
        ("POST", OK + b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n"),
        ("POST", CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + b"\0" * 100_000),
        ("HEAD", OK),
        ("HEAD", CHUNKED + b"2\r\nok\r\n0\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\nok"),
        ("POST", b"HTTP/1.1 204 None\r\n\r\n" + OK),
        ("POST", b"HTTP/1.1 304 Same\r\nContent-Length: 2\r\n\r\nok"),
    ],
    ids=[
        *("no http", "broken head", "much", "body of a HEAD", "chunks of a HEAD"),
        *("body of a 204", "second behind a 204", "body of a 304"),
    ],
)
async def test_a_whole_answer_is_kept_and_its_connection_not(
    serve: Serve, transport: AnyTransport, method: str, data: bytes
) -> None:
    """What stands behind it in the same read may be the answer to somebody's next request."""
    provider = await serve(answer_each(data))
    for number in range(1, 4):
        _, body = await fetch(transport, ask(provider.url, method))
        assert (b"ok" if data.startswith((OK, CHUNKED)) and method == "POST" else b"") == body
        assert number == provider.accepted


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 1000
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((), lambda: endless()),
        (((b"content-length", b"50000000"),), lambda: endless()),
        ((), lambda: b"x" * 50_000_000),
    ],
    ids=["chunks", "length", "bytes"],
)
async def test_a_connection_that_answered_early_is_not_used_again(
    serve: Serve, transport: AnyTransport, headers: RawHeaders, body: object
) -> None:
    """The rest of the first request would be read as the second one."""
    assert callable(body)

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.gone()

    provider = await serve(script)
    for number in range(1, 3):
        request = ask(provider.url, headers=headers, body=body())
        async with asyncio.timeout(5):
            assert (200, b"ok") == await fetch(transport, request)
        assert number == provider.accepted
        await provider.until(lambda it: it.open == 0)


async def test_a_413_during_an_upload_of_50_mb_is_the_answer_and_keeps_nothing(
    serve: Serve, transport: AnyTransport
) -> None:
    """The provider takes a part, answers and reads no more: neither waits for the other.

    Its own buffers count here too.
    """
    sent = 0

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.take(MIB)
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await stop.wait()

    async def upload() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(800):
            yield bytes(65536)
            sent += 65536

    stop = asyncio.Event()
    provider = await serve(script)
    request = ask(provider.url, headers=((b"content-length", b"52428800"),), body=upload())
    with growth(8 * MIB):
        async with asyncio.timeout(5):
            assert (413, b"big") == await fetch(transport, request)

    assert sent < 800 * 65536
    stop.set()
    await provider.until(lambda it: it.open == 0)


# ---- times


async def test_a_call_that_hangs_holds_up_no_other(serve: Serve, transport: AnyTransport) -> None:
    """Hang before the head, and silence in mid-stream: each ends at its own limit."""

    async def script(peer: Peer) -> None:
        request = await peer.request()
        if b"/head" in request:
            await peer.gone()
        await peer.send(CHUNKED, b"2\r\nok\r\n")
        if b"/silence" in request:
            await peer.gone()
        await peer.send(b"0\r\n\r\n")

    provider = await serve(script)
    requests = (
        ask(provider.url + "/head", first_byte_s=1),
        ask(provider.url + "/silence", idle_s=1),
    )
    hung = [asyncio.create_task(fetch(transport, request)) for request in requests]
    await provider.until(lambda it: len(it.requests) == 2)

    assert (200, b"ok") == await fetch(transport, ask(provider.url))
    assert not any(task.done() for task in hung)
    for task in hung:
        with pytest.raises(UpstreamTimeout):
            await task
    await provider.until(lambda it: it.open == 0)
