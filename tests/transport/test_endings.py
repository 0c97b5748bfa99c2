"""How responses end: cut by the provider, closed by us."""

from __future__ import annotations

import asyncio

import pytest

from llmgateway.errors import (
    ConnectionLost,
    UpstreamProtocolError,
)
from llmgateway.transport.guard import AddressPolicy
from tests.transport.conftest import AnyTransport, Kind, Serve
from tests.transport.provider import (
    CHUNKED,
    OK,
    Peer,
    answer,
    answer_and_wait,
    answer_each,
    ask,
    fetch,
    read,
    turns,
)


async def test_a_connection_that_ends_before_an_answer_is_lost(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(answer())

    with pytest.raises(ConnectionLost) as caught:
        await transport.send(ask(provider.url))

    assert not caught.value.reused


async def test_a_reset_before_an_answer_is_lost(serve: Serve, transport: AnyTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    provider = await serve(script)

    with pytest.raises(ConnectionLost):
        await transport.send(ask(provider.url))


async def test_a_reused_connection_that_ends_is_told_apart(
    serve: Serve, transport: AnyTransport
) -> None:
    """It may have been closing all the while, so the engine may send once more."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()

    provider = await serve(script)
    await fetch(transport, ask(provider.url))

    with pytest.raises(ConnectionLost) as caught:
        await transport.send(ask(provider.url))

    assert caught.value.reused


@pytest.mark.parametrize(
    ("pieces", "got"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",), b"half"),
        ((CHUNKED, b"5\r\nhello\r\n"), b"hello"),
        ((CHUNKED, b"5\r\nhel"), b"hel"),
        ((CHUNKED, b"5\r\nhello\r\n0\r\n"), b"hello"),
        ((CHUNKED, b"5\r\nhello\r\n0\r\nX-Trailer"), b"hello"),
        ((CHUNKED, b"5"), b""),
    ],
)
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_cut_body_is_an_error_after_what_came(
    serve: Serve,
    transport: AnyTransport,
    pieces: tuple[bytes, ...],
    got: bytes,
    reset: bool,
) -> None:
    cut = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)
        await cut.wait()
        if reset:
            peer.reset()

    provider = await serve(script)
    response = await transport.send(ask(provider.url))
    chunks = response.chunks()
    received = b""
    while len(received) < len(got):
        received += await anext(chunks)
    cut.set()

    assert got == received
    with pytest.raises(UpstreamProtocolError):
        await anext(chunks)
    with pytest.raises(UpstreamProtocolError):
        await anext(chunks)
    await response.aclose()


async def test_a_reset_of_a_body_without_length_is_no_end(
    serve: Serve, transport: AnyTransport
) -> None:
    cut = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await cut.wait()
        peer.reset()

    provider = await serve(script)
    response = await transport.send(ask(provider.url))
    chunks = response.chunks()

    assert b"half" == await anext(chunks)
    cut.set()
    with pytest.raises(UpstreamProtocolError):
        await anext(chunks)


async def test_a_whole_answer_counts_even_if_a_reset_follows_at_once(
    serve: Serve, transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await sent.wait()
        peer.reset()

    sent = asyncio.Event()
    provider = await serve(script)
    response = await transport.send(ask(provider.url))
    sent.set()
    await provider.until(lambda it: it.open == 0)

    assert b"ok" == await read(response)


async def test_a_response_closed_before_its_end_cuts_the_connection(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(answer_and_wait(CHUNKED, b"5\r\nhello\r\n"))
    response = await transport.send(ask(provider.url))
    await anext(response.chunks())

    await response.aclose()
    await response.aclose()

    await provider.until(lambda it: it.open == 0)
    with pytest.raises(UpstreamProtocolError, match="closed"):
        await anext(response.chunks())


async def test_a_response_closed_unread_cuts_the_connection(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(answer_and_wait(OK))
    response = await transport.send(ask(provider.url))

    await response.aclose()

    await provider.until(lambda it: it.open == 0)


async def test_closing_wakes_the_one_who_reads(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(answer_and_wait(CHUNKED))
    response = await transport.send(ask(provider.url))
    reader = asyncio.create_task(read(response))
    await turns()

    await response.aclose()

    with pytest.raises(UpstreamProtocolError):
        await asyncio.wait_for(reader, 5)
    await provider.until(lambda it: it.open == 0)


async def test_a_response_read_to_its_end_may_be_closed_again_and_again(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(answer_each(OK))
    response = await transport.send(ask(provider.url))
    assert b"ok" == await read(response)
    await response.aclose()

    assert (200, b"ok") == await fetch(transport, ask(provider.url))
    assert 1 == provider.accepted


async def test_a_closed_transport_has_no_connection_left(kind: Kind, serve: Serve) -> None:
    transport = kind(AddressPolicy(allow_loopback=True))
    provider = await serve(answer_each(OK))
    await fetch(transport, ask(provider.url))

    await transport.aclose()
    await transport.aclose()

    await provider.until(lambda it: it.open == 0)
