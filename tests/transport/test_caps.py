"""Codings that nobody asked for, caps on size, and what a hostile provider may cost."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest

from llmgateway.errors import UpstreamProtocolError, UpstreamTooLarge
from tests.transport.conftest import AnyTransport, Serve
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
)

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}


@pytest.mark.parametrize("coding", PACKED)
async def test_a_coding_that_was_not_asked_for_is_undone(
    serve: Serve, transport: AnyTransport, coding: str
) -> None:
    plain = b"some text, " * 50_000
    data = PACKED[coding](plain)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(data)}\r\n\r\n"
    provider = await serve(answer_each(head.encode(), data))
    for _ in range(2):
        response = await transport.send(ask(provider.url, max_body_bytes=len(plain)))
        assert () == response.headers.raw, "they spoke of the coded body"
        assert plain == await read(response)

    assert 1 == provider.accepted


@pytest.mark.parametrize("coding", ["zstd", "gzip, gzip", "br, br", "magic"])
async def test_a_coding_that_we_do_not_undo_is_an_error(
    serve: Serve, transport: AnyTransport, coding: str
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 2\r\n\r\nok"
    provider = await serve(answer_and_wait(head.encode()))

    with pytest.raises(UpstreamProtocolError):
        await transport.send(ask(provider.url))

    await provider.until(lambda it: it.open == 0)


@pytest.mark.parametrize(
    "data", [b"not gzip", gzip.compress(b"x" * 100)[:-1]], ids=["another", "cut"]
)
async def test_a_coding_that_is_broken_is_an_error(
    serve: Serve, transport: AnyTransport, data: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data)
    provider = await serve(answer_and_wait(head, data))

    with pytest.raises(UpstreamProtocolError, match="gzip"):
        await fetch(transport, ask(provider.url))


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", b"x" * 11),
        (CHUNKED, b"6\r\nxxxxxx\r\n5\r\nxxxxx\r\n0\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b"x" * 11)),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 11),
    ],
    ids=["length", "chunked", "gzip", "close"],
)
async def test_a_body_above_the_cap_is_an_error(
    serve: Serve, transport: AnyTransport, pieces: tuple[bytes, ...]
) -> None:
    provider = await serve(answer_and_wait(*pieces))

    with pytest.raises(UpstreamTooLarge, match="10 bytes"):
        await fetch(transport, ask(provider.url, max_body_bytes=10))

    await provider.until(lambda it: it.open == 0)


@pytest.mark.parametrize("cap", [2, None])
async def test_a_body_at_the_cap_passes(
    serve: Serve, transport: AnyTransport, cap: int | None
) -> None:
    provider = await serve(answer(OK))

    assert (200, b"ok") == await fetch(transport, ask(provider.url, max_body_bytes=cap))


@contextmanager
def growth(limit_bytes: int) -> Iterator[None]:
    """Fail if Python's memory grows by more than so much at any time."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < limit_bytes


def bomb(mebibytes: int) -> bytes:
    """A gzip bomb, about a thousandth of the size to which it unfolds."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = b"\0" * 2**20
    return b"".join(packer.compress(zeros) for _ in range(mebibytes)) + packer.flush()


async def test_a_bomb_costs_no_more_than_the_cap(serve: Serve, transport: AnyTransport) -> None:
    data = bomb(128)
    provider = await serve(
        answer_and_wait(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", data)
    )
    response = await transport.send(ask(provider.url, max_body_bytes=4 * 2**20))

    size = 0
    with growth(2 * 2**20), pytest.raises(UpstreamTooLarge):
        async for chunk in response.chunks():
            size += len(chunk)
    assert 4 * 2**20 - 65536 <= size <= 4 * 2**20
    await provider.until(lambda it: it.open == 0)


async def test_a_bomb_that_is_read_leaves_room_for_others(
    serve: Serve, transport: AnyTransport
) -> None:
    """No cap: a stream. It must neither pile up nor hold the loop."""
    provider = await serve(
        answer_and_wait(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", bomb(16))
    )
    response = await transport.send(ask(provider.url))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(other())
    chunks = response.chunks()
    with growth(2 * 2**20):
        for number in range(100):
            assert len(await anext(chunks)) <= 65536
            assert turns >= number
    others.cancel()
    await response.aclose()


@pytest.mark.parametrize(
    ("head", "piece", "cap"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 2**20),
        (CHUNKED, b"10000\r\n%b\r\n" % (b"x" * 65536), 2**20),
        (CHUNKED, b"1\r\nx\r\n" * 1000, 2**14),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b"x" * 65536, 999_998),
    ],
    ids=["until closed", "chunks", "tiny chunks", "a length"],
)
async def test_an_endless_body_ends_at_the_cap(
    serve: Serve, transport: AnyTransport, head: bytes, piece: bytes, cap: int
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head)
        await peer.pour(piece)

    provider = await serve(script)
    with growth(3 * 2**20), pytest.raises(UpstreamTooLarge):
        response = await transport.send(ask(provider.url, max_body_bytes=cap))
        async for _ in response.chunks():
            pass
    await provider.until(lambda it: it.open == 0)


@pytest.mark.parametrize(
    "piece",
    [b"x" * 65536, b"X: 1\r\n" * 1000, b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000],
    ids=["line", "headers", "hints"],
)
async def test_an_endless_head_ends_at_its_caps(
    serve: Serve, transport: AnyTransport, piece: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\nX: ")
        await peer.pour(piece)

    provider = await serve(script)
    with growth(3 * 2**20), pytest.raises((UpstreamTooLarge, UpstreamProtocolError)):
        await transport.send(ask(provider.url))
    await provider.until(lambda it: it.open == 0)


async def test_tiny_chunks_leave_room_for_others(serve: Serve, transport: AnyTransport) -> None:
    turns = 0

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await peer.pour(b"1\r\nx\r\n" * 10_000)

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    provider = await serve(script)
    response = await transport.send(ask(provider.url))
    others = asyncio.create_task(other())
    chunks = response.chunks()
    for number in range(2000):
        await anext(chunks)
        assert turns >= number // 64
    others.cancel()
    await response.aclose()


async def test_endless_trailers_end_at_a_cap(serve: Serve, transport: AnyTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, b"2\r\nok\r\n0\r\n")
        await peer.pour(b"X: 1\r\n" * 1000)

    provider = await serve(script)
    with growth(3 * 2**20), pytest.raises((UpstreamTooLarge, UpstreamProtocolError)):
        await fetch(transport, ask(provider.url))
    await provider.until(lambda it: it.open == 0)


async def test_a_reader_that_stops_holds_the_provider_back(
    serve: Serve, transport: AnyTransport
) -> None:
    """Kernel buffers included: what was sent is what they and 320 KiB of ours hold."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        await peer.pour(b"x" * 65536)

    provider = await serve(script)
    response = await transport.send(ask(provider.url))
    chunks = response.chunks()
    await anext(chunks)
    poured = -1
    with growth(2 * 2**20):
        while poured < provider.poured:  # until it stands still
            poured = provider.poured
            await asyncio.sleep(0.05)

    assert poured < 24 * 2**20
    for _ in range(100):
        await anext(chunks)
    await response.aclose()
    await provider.until(lambda it: it.open == 0)
