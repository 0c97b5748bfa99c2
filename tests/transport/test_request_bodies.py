"""Request bodies over real sockets: bytes, iterators, and those that go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llmgateway.errors import (
    ClientDisconnected,
    ConnectionLost,
    InvalidRequest,
)
from tests.transport.conftest import AnyTransport, Serve
from tests.transport.provider import (
    OK,
    Peer,
    answer,
    answer_each,
    ask,
    fetch,
    pieces,
)


async def test_an_iterator_is_sent_in_chunks(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(answer(OK))

    await fetch(transport, ask(provider.url, body=pieces(b"ab", b"", b"c")))

    assert provider.requests[0].endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


async def test_an_iterator_of_known_length_is_sent_plain(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(answer_each(OK))
    for _ in range(2):
        await fetch(
            transport,
            ask(provider.url, headers=((b"content-length", b"3"),), body=pieces(b"ab", b"c")),
        )

    assert provider.requests[1].endswith(b"Content-Length: 3\r\n\r\nabc")
    assert 1 == provider.accepted


@pytest.mark.parametrize(
    "fault",
    [ClientDisconnected("gone"), OSError("mine"), TimeoutError("mine"), ValueError("mine")],
    ids=lambda fault: type(fault).__name__,
)
async def test_what_the_body_raises_passes_unchanged(
    serve: Serve, transport: AnyTransport, fault: Exception
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"some"
        raise fault

    provider = await serve(answer(OK))
    with pytest.raises(type(fault)) as caught:
        await transport.send(ask(provider.url, body=body()))

    assert fault is caught.value
    await provider.until(lambda it: it.accepted == 1 and it.open == 0)
    assert [] == provider.requests, "the provider must not take it for a whole request"


@pytest.mark.parametrize("length", [b"3", b"1"])
async def test_a_body_of_another_length_is_never_a_whole_request(
    serve: Serve, transport: AnyTransport, length: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.gone()

    provider = await serve(script)
    with pytest.raises(InvalidRequest):
        await transport.send(
            ask(provider.url, headers=((b"content-length", length),), body=pieces(b"a", b"b"))
        )

    await provider.until(lambda it: it.accepted == 1 and it.open == 0)


@pytest.mark.parametrize("whole", [True, False], ids=["bytes", "iterator"])
async def test_an_answer_before_the_end_of_the_request_is_read_at_once(
    serve: Serve, transport: AnyTransport, whole: bool
) -> None:
    """A 413 during a long upload: the provider reads no further, and neither hangs."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await stop.wait()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    stop = asyncio.Event()
    provider = await serve(script)
    body: bytes | AsyncIterator[bytes] = b"x" * 50_000_000 if whole else endless()

    async with asyncio.timeout(5):
        assert (413, b"big") == await fetch(transport, ask(provider.url, body=body))
    stop.set()
    await provider.until(lambda it: it.open == 0)


async def test_an_interim_answer_does_not_stop_the_upload(
    serve: Serve, transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        await more.wait()
        await peer.take(2_000_000)
        await peer.send(OK)

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 1_000_000
        await asyncio.sleep(0.02)
        more.set()
        yield b"x" * 1_000_000

    more = asyncio.Event()
    provider = await serve(script)
    request = ask(provider.url, headers=((b"content-length", b"2000000"),), body=body())

    assert (200, b"ok") == await fetch(transport, request)


@pytest.mark.parametrize("whole", [True, False], ids=["bytes", "iterator"])
async def test_a_large_body_goes_out_whole_at_the_providers_pace(
    serve: Serve, transport: AnyTransport, whole: bool
) -> None:
    size, taken = 20_000_000, 0

    async def script(peer: Peer) -> None:
        nonlocal taken
        await peer.head()
        while taken < size:
            taken += len(await peer.take())
            await asyncio.sleep(0)
        await peer.send(OK)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * (size // 200)

    provider = await serve(script)
    request = ask(
        provider.url,
        headers=((b"content-length", b"%d" % size),),
        body=b"x" * size if whole else body(),
        idle_s=1,
    )

    assert (200, b"ok") == await fetch(transport, request)
    assert size == taken


@pytest.mark.parametrize("whole", [True, False], ids=["bytes", "iterator"])
async def test_a_provider_that_closes_during_the_request_is_lost(
    serve: Serve, transport: AnyTransport, whole: bool
) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000
            await asyncio.sleep(0)

    provider = await serve(script)
    body: bytes | AsyncIterator[bytes] = b"x" * 50_000_000 if whole else endless()

    with pytest.raises(ConnectionLost):
        await transport.send(ask(provider.url, body=body))
