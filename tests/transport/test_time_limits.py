"""Every wait has a limit, and the error names it."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from llmgateway.errors import UpstreamTimeout
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.limits import Phase, Stopwatch
from llmgateway.transport.pool import PoolBounds
from llmgateway.types.upstream import Timeouts, UpstreamRequest
from tests.transport.conftest import AnyTransport, Kind, Serve
from tests.transport.provider import (
    CHUNKED,
    OK,
    Peer,
    answer_and_wait,
    ask,
    fetch,
    pieces,
)

ANYWHERE = AddressPolicy(allow_loopback=True)
SOON_S = 0.05


async def time_out(transport: AnyTransport, request: UpstreamRequest) -> str:
    """Fetch, and return what the 504 says; it must come before any limit that is a default."""
    async with asyncio.timeout(3):
        with pytest.raises(UpstreamTimeout) as caught:
            await fetch(transport, request)
    assert (504, "upstream_timeout") == (caught.value.status, caught.value.code)
    return caught.value.message


async def never(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def test_a_provider_that_does_not_begin_to_answer(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(never)

    message = await time_out(transport, ask(provider.url, first_byte_s=SOON_S))

    assert "first_byte_s" in message
    assert f"127.0.0.1:{provider.port}" in message
    await provider.until(lambda it: it.open == 0)


async def test_interim_answers_do_not_stretch_the_first_byte(
    serve: Serve, transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for _ in range(15):
            await peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await asyncio.sleep(SOON_S / 5)
        await peer.gone()

    provider = await serve(script)

    assert "first_byte_s" in await time_out(transport, ask(provider.url, first_byte_s=SOON_S))


async def test_a_dripping_head_does_not_stretch_the_first_byte(
    serve: Serve, transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for byte in b"HTTP/1.1 200 OK\r\nX: and so on":
            await peer.send(bytes([byte]))
            await asyncio.sleep(SOON_S / 5)

    provider = await serve(script)

    assert "first_byte_s" in await time_out(transport, ask(provider.url, first_byte_s=SOON_S))


@pytest.mark.parametrize("begun", [(), (b"5\r\nhello\r\n",), (b"5\r\nhel",)])
async def test_a_provider_that_falls_silent(
    serve: Serve, transport: AnyTransport, begun: tuple[bytes, ...]
) -> None:
    provider = await serve(answer_and_wait(CHUNKED, *begun))

    assert "idle_s" in await time_out(transport, ask(provider.url, idle_s=SOON_S))
    await provider.until(lambda it: it.open == 0)


async def test_a_slow_answer_in_time_passes(serve: Serve, transport: AnyTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        for _ in range(6):
            await asyncio.sleep(0.2)
            await peer.send(b"1\r\nx\r\n")
        await peer.send(b"0\r\n\r\n")

    provider = await serve(script)
    request = ask(provider.url, first_byte_s=1, idle_s=1)

    assert (200, b"x" * 6) == await fetch(transport, request)


async def test_the_time_before_a_read_is_not_the_providers(
    serve: Serve, transport: AnyTransport
) -> None:
    """A slow reader is no silent provider."""
    provider = await serve(answer_and_wait(OK))
    response = await transport.send(ask(provider.url, idle_s=SOON_S))
    await asyncio.sleep(SOON_S * 2)

    assert [b"ok"] == [chunk async for chunk in response.chunks()]
    await response.aclose()


async def test_the_whole_call_runs_out_before_the_head(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(never)

    message = await time_out(transport, ask(provider.url, deadline=time.monotonic() + SOON_S))

    assert "total_s" in message


async def test_the_whole_call_runs_out_in_the_body(serve: Serve, transport: AnyTransport) -> None:
    """Though something comes all the time."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        while True:
            await peer.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.001)

    provider = await serve(script)

    message = await time_out(transport, ask(provider.url, deadline=time.monotonic() + SOON_S))

    assert "total_s" in message
    await provider.until(lambda it: it.open == 0)


async def test_a_deadline_in_the_past_sends_nothing(serve: Serve, transport: AnyTransport) -> None:
    provider = await serve(never)

    assert "total_s" in await time_out(transport, ask(provider.url, deadline=time.monotonic() - 1))
    assert [] == provider.requests


async def test_the_whole_call_runs_out_while_the_request_is_sent(
    serve: Serve, transport: AnyTransport
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.001)

    async def script(peer: Peer) -> None:
        await peer.gone()

    provider = await serve(script)
    request = ask(provider.url, body=endless(), deadline=time.monotonic() + SOON_S)

    assert "total_s" in await time_out(transport, request)


async def test_a_provider_that_takes_nothing_of_the_body(
    serve: Serve, transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await stop.wait()

    stop = asyncio.Event()
    provider = await serve(script)
    request = ask(provider.url, body=b"x" * 50_000_000, idle_s=SOON_S)

    assert "idle_s" in await time_out(transport, request)
    stop.set()


async def test_a_client_that_sends_slowly_is_not_the_providers_fault(
    serve: Serve, transport: AnyTransport
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(6):
            await asyncio.sleep(0.2)
            yield b"x"

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    provider = await serve(script)
    request = ask(provider.url, body=slow(), first_byte_s=1, connect_s=1)

    assert (200, b"ok") == await fetch(transport, request)


async def hang(host: str, port: int) -> Sequence[str]:
    await asyncio.Event().wait()
    return ()


async def test_a_name_that_is_not_resolved_in_time(kind: Kind) -> None:
    transport = kind(ANYWHERE, resolver=hang)

    message = await time_out(transport, ask("http://a.example/p?key=secret", connect_s=SOON_S))

    assert "connect_s" in message
    assert "a.example" in message
    assert "secret" not in message


async def test_a_tls_handshake_that_hangs(kind: Kind, serve: Serve) -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    provider = await serve(script)
    transport = kind(ANYWHERE, ssl_context=ssl.create_default_context())

    message = await time_out(transport, ask(f"https://127.0.0.1:{provider.port}", connect_s=SOON_S))

    assert "connect_s" in message
    await provider.until(lambda it: it.accepted == 1 and it.open == 0)


@pytest.mark.parametrize("bounds", [PoolBounds(per_origin=1), PoolBounds(total=1)])
async def test_a_slot_that_does_not_become_free(
    kind: Kind, serve: Serve, bounds: PoolBounds
) -> None:
    transport = kind(ANYWHERE, bounds=bounds)
    provider = await serve(answer_and_wait(OK))
    held = await transport.send(ask(provider.url))

    message = await time_out(transport, ask(provider.url, connect_s=SOON_S))

    assert "connect_s" in message
    assert "in use" in message
    await held.aclose()
    assert (200, b"ok") == await fetch(transport, ask(provider.url))
    await transport.aclose()


async def test_waiting_for_a_slot_counts_as_connecting() -> None:
    """The two share one limit; the later phases have their own."""
    watch = Stopwatch("a.example", Timeouts(connect_s=5, first_byte_s=600), deadline=None)

    async with watch.bound(Phase.SLOT) as timer:
        slot = timer.when()
        watch.enter(Phase.CONNECT)
        connect = timer.when()
        watch.enter(Phase.SEND)
        send = timer.when()
        watch.enter(Phase.HEAD)
        head = timer.when()

    assert slot is not None
    assert slot == connect
    assert send is None
    assert head is not None
    assert head > slot + 500


async def test_one_origin_that_hangs_leaves_the_others_alone(kind: Kind, serve: Serve) -> None:
    transport = kind(ANYWHERE, bounds=PoolBounds(per_origin=2))
    hung, well = await serve(never), await serve(answer_and_wait(OK))
    waiting = [asyncio.create_task(transport.send(ask(hung.url))) for _ in range(5)]
    await hung.until(lambda it: len(it.requests) == 2)

    assert (200, b"ok") == await fetch(transport, ask(well.url, body=pieces(b"x")))

    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await hung.until(lambda it: it.open == 0)
    await transport.aclose()
