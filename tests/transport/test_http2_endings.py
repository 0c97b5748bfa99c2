"""HTTP/2 that ends badly: half answers, broken frames, caps, limits, cancelled calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from h2.errors import ErrorCodes

from llmgateway.errors import (
    ConnectionLost,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamTooLarge,
)
from tests.transport.h2_server import OK_HEAD, H2Peer, Start, answer_all, start
from tests.transport.provider import (
    OK,
    ask,
    turns,
)
from tests.transport.test_tls import trusting

__all__ = ["start", "trusting"]


async def reset(peer: H2Peer, code: ErrorCodes) -> None:
    peer.h2.reset_stream(peer.stream_id, code)
    await peer.flush()
    await peer.peer.gone()


async def refused(peer: H2Peer) -> None:
    await peer.request()
    await reset(peer, ErrorCodes.REFUSED_STREAM)


async def gone(peer: H2Peer) -> None:
    await peer.request()


async def goaway(peer: H2Peer) -> None:
    await peer.request()
    peer.h2.close_connection(last_stream_id=0)
    await peer.flush()
    await peer.peer.gone()


@pytest.mark.parametrize("ending", [refused, gone, goaway])
async def test_a_request_that_was_not_answered_is_a_lost_connection(
    start: Start, ending: Callable[[H2Peer], Awaitable[None]]
) -> None:
    error = await (await start(ending)).fails(ConnectionLost)

    assert isinstance(error, ConnectionLost)
    assert not error.reused


@pytest.mark.parametrize("ending", [refused, gone, goaway])
async def test_and_says_so_where_the_connection_was_used_before(
    start: Start, ending: Callable[[H2Peer], Awaitable[None]]
) -> None:
    async def second(peer: H2Peer) -> None:
        await peer.request()
        await peer.answer()
        await ending(peer)

    origin = await start(second)
    assert (200, b"ok") == await origin.fetch()
    error = await origin.fails(ConnectionLost)

    assert isinstance(error, ConnectionLost)
    assert error.reused


async def half(peer: H2Peer) -> None:
    await peer.request()
    await peer.answer([(":status", "200")], None)
    peer.h2.send_data(peer.stream_id, b"half")
    await peer.flush()


async def half_and_reset(peer: H2Peer) -> None:
    await half(peer)
    await reset(peer, ErrorCodes.INTERNAL_ERROR)


async def half_and_cut(peer: H2Peer) -> None:
    await half(peer)
    peer.peer.cut()
    await peer.peer.gone()


async def too_short(peer: H2Peer) -> None:
    await peer.request()
    await peer.answer([(":status", "200"), ("content-length", "9")], None)
    peer.peer._writer.write(data_frame(peer.stream_id, b"half", end=True))
    await peer.peer.gone()


def data_frame(stream_id: int, data: bytes, *, end: bool = False) -> bytes:
    return len(data).to_bytes(3) + bytes((0, end)) + stream_id.to_bytes(4) + data


@pytest.mark.parametrize("ending", [half, half_and_reset, half_and_cut, too_short])
async def test_half_an_answer_is_never_a_whole_one(
    start: Start, ending: Callable[[H2Peer], Awaitable[None]]
) -> None:
    await (await start(ending)).fails(UpstreamProtocolError)


async def test_an_error_before_the_answer_is_named(start: Start) -> None:
    async def no(peer: H2Peer) -> None:
        await peer.request()
        await reset(peer, ErrorCodes.HTTP_1_1_REQUIRED)

    error = await (await start(no)).fails(UpstreamProtocolError)

    assert "HTTP_1_1_REQUIRED" in error.message


async def test_a_provider_that_is_leaving_still_answers_what_it_took(start: Start) -> None:
    """As servers do that have had enough of a connection: GOAWAY, then the answer."""
    connections = 0

    async def leave(peer: H2Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.request()
        payload = peer.stream_id.to_bytes(4) + bytes(4)
        await peer.peer.send(len(payload).to_bytes(3) + b"\x07" + bytes(5) + payload)
        await peer.answer()
        await peer.peer.gone()

    origin = await start(leave)
    for number in (1, 2):
        assert (200, b"ok") == await origin.fetch()
        assert (number, 0) == (connections, origin.transport.idle)


async def test_an_idle_connection_that_was_told_to_end_is_not_used(start: Start) -> None:
    go, told = asyncio.Event(), asyncio.Event()

    async def leave(peer: H2Peer) -> None:
        await peer.request()
        await peer.answer()
        await go.wait()
        peer.h2.close_connection()
        await peer.flush()
        told.set()
        await peer.peer.gone()

    origin = await start(leave)
    assert (200, b"ok") == await origin.fetch()
    go.set()
    await told.wait()
    await turns(20)

    assert (200, b"ok") == await origin.fetch()
    assert 2 == origin.provider.accepted


async def test_what_is_whole_is_kept_whatever_comes_after_it(start: Start) -> None:
    async def garbage(peer: H2Peer) -> None:
        await peer.request()
        peer.h2.send_headers(peer.stream_id, OK_HEAD)
        peer.h2.send_data(peer.stream_id, b"ok", end_stream=True)
        await peer.peer.send(peer.h2.data_to_send() + data_frame(99, b"evil"))
        await peer.peer.gone()

    origin = await start(garbage)

    assert (200, b"ok") == await origin.fetch()
    assert 0 == origin.transport.idle


# What may not be


def raw(*pieces: bytes) -> Callable[[H2Peer], Awaitable[None]]:
    async def script(peer: H2Peer) -> None:
        await peer.request()
        await peer.peer.send(*pieces)
        await peer.peer.gone()

    return script


def fields(*fields: tuple[str, str]) -> Callable[[H2Peer], Awaitable[None]]:
    async def script(peer: H2Peer) -> None:
        await peer.request()
        await peer.answer(fields, None)
        await peer.peer.gone()

    return script


S = (":status", "200")
BROKEN: dict[str, Callable[[H2Peer], Awaitable[None]]] = {
    "http/1.1": raw(OK),
    "frame too large": raw(b"\x01\x00\x00\x00\x00\x00\x00\x00\x01"),
    "data before a head": raw(data_frame(1, b"x")),
    "another stream's data": raw(data_frame(2, b"x")),
    "push": raw(b"\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02"),
    "broken settings": raw(b"\x00\x00\x01\x04\x00\x00\x00\x00\x00x"),
    "broken compression": raw(b"\x00\x00\x02\x01\x04\x00\x00\x00\x01\xff\xff"),
    "no status": fields(("x", "y")),
    "two statuses": fields(S, S),
    "status of words": fields((":status", "abc")),
    "status of four": fields((":status", "2000")),
    "status of 600": fields((":status", "600")),
    "101": fields((":status", "101")),
    "transfer-encoding": fields(S, ("transfer-encoding", "chunked")),
    "connection": fields(S, ("connection", "close")),
    "upper case": fields(S, ("X-A", "1")),
    "line break": fields(S, ("x-a", "1\r\nset-cookie: evil")),
    "nul": fields(S, ("x-a", "\0")),
    "line break in a name": fields(S, ("x\r\na", "1")),
    "two lengths": fields(S, ("content-length", "1"), ("content-length", "2")),
    "length of words": fields(S, ("content-length", "+1")),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_broken_http2_is_no_answer(start: Any, kind: str) -> None:
    await (await start(BROKEN[kind], strict=False)).fails(UpstreamProtocolError)


async def many_fields(peer: H2Peer) -> None:
    await peer.request()
    await peer.answer([S, *((f"x-{number}", "1") for number in range(300))])
    await peer.peer.gone()


async def large_head(peer: H2Peer) -> None:
    await peer.request()
    peer.h2.remote_settings._settings.clear()
    await peer.answer([S, *((f"x-{number}", "x" * 1000) for number in range(70))])
    await peer.peer.gone()


async def compressed_head(peer: H2Peer) -> None:
    """A few KB on the wire, 400 KB when read: each field is one octet."""
    await peer.request()
    await peer.answer([S, *(("x-a", "x" * 4000) for _ in range(100))])
    await peer.peer.gone()


async def many_interim(peer: H2Peer) -> None:
    await peer.request()
    for _ in range(17):
        peer.h2.send_headers(peer.stream_id, [(":status", "103"), ("x", "y" * 50)])
    await peer.flush()
    await peer.peer.gone()


async def endless_pings(peer: H2Peer) -> None:
    await peer.request()
    ping = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + b"12345678"
    while True:
        await peer.peer.send(ping * 3000)
        if await asyncio.wait_for(peer.peer.take(), 5) == b"":
            return


@pytest.mark.parametrize("kind", [many_fields, large_head, compressed_head, endless_pings])
async def test_heads_and_what_comes_before_them_have_caps(
    start: Start, kind: Callable[[H2Peer], Awaitable[None]]
) -> None:
    await (await start(kind)).fails(UpstreamTooLarge)


async def test_interim_answers_without_end_are_given_up(start: Start) -> None:
    await (await start(many_interim)).fails(UpstreamProtocolError)


# Limits of time, and being cancelled


async def silent(peer: H2Peer) -> None:
    await peer.request()
    await peer.peer.gone()


async def silent_in_the_middle(peer: H2Peer) -> None:
    await half(peer)
    await peer.peer.gone()


@pytest.mark.parametrize(
    ("script", "limit", "words"),
    [
        (silent, "first_byte_s", "did not begin to answer"),
        (silent_in_the_middle, "idle_s", "in the middle of its answer"),
    ],
)
async def test_a_limit_that_runs_out_is_named(
    start: Start, script: Callable[[H2Peer], Awaitable[None]], limit: str, words: str
) -> None:
    error = await (await start(script)).fails(UpstreamTimeout, **{limit: 0.05})

    assert words in error.message


async def test_a_cancelled_call_leaves_no_connection(start: Start) -> None:
    """Cancelled at every point of its way."""
    origin = await start(answer_all)
    for steps in range(80):
        task = asyncio.create_task(origin.fetch(body=bytes(100_000)))
        await turns(steps)
        task.cancel()
        await asyncio.wait([task])

    assert 0 == origin.transport.in_use
    await origin.transport.aclose()
    await origin.provider.until(lambda it: it.open == 0)


async def test_a_response_that_is_closed_early_is_cut(start: Start) -> None:
    origin = await start(silent_in_the_middle)
    response = await origin.transport.send(ask(origin.url))
    await response.aclose()

    assert (0, 0) == (origin.transport.in_use, origin.transport.idle)
    await origin.provider.until(lambda it: it.open == 0)
