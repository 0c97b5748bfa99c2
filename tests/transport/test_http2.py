"""HTTP/2 where the settings offer it: the same answers, caps, limits and endings."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived

from llmgateway import Gateway
from llmgateway.engine.check import SettingsFault
from llmgateway.errors import (
    AddressRefused,
    InvalidRequest,
    UpstreamTimeout,
    UpstreamTooLarge,
)
from llmgateway.settings import Settings, UpstreamTransport
from llmgateway.transport.choice import transport_of
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.httpx_transport import HttpxTransport
from llmgateway.transport.proxy import Proxy
from llmgateway.transport.url import Origin
from tests.transport.conftest import Serve
from tests.transport.h2_server import (
    H2Peer,
    Http2Origin,
    Start,
    answer_all,
    h2_script,
    h2_side,
    start,
)
from tests.transport.provider import (
    OK,
    Peer,
    answer_each,
    ask,
    fetch,
    pieces,
    turns,
)
from tests.transport.test_proxy import tunnel_to
from tests.transport.test_tls import NAME, to_this_machine, trusting

__all__ = ["start", "trusting"]


async def test_requests_follow_one_another_on_one_connection(start: Start) -> None:
    origin = await start(answer_all)
    for method, body, size in [
        ("GET", b"", 0),
        ("POST", b"x" * 200_000, 200_000),
        ("POST", b"", 0),
        ("POST", pieces(b"x" * 70_000, b"", b"x"), 70_001),
        ("POST", pieces(), 0),
    ]:
        wanted = f"{method} /v1?key=secret {size}".encode()
        assert (200, wanted) == await origin.fetch(method, body=body)

    assert 1 == origin.provider.accepted
    assert (0, 1) == (origin.transport.in_use, origin.transport.idle)


async def test_the_head_goes_out_as_http2_has_it(start: Start) -> None:
    heads: list[dict[str, str]] = []

    async def note(peer: H2Peer) -> None:
        await peer.request()
        heads.append(peer.head)
        await peer.answer()

    origin = await start(note)
    sent = ((b"Authorization", b"Bearer k"), (b"Connection", b"close"), (b"TE", b"gzip"))
    assert (200, b"ok") == await origin.fetch(headers=sent, body=pieces(b"x"))

    authority = f"{NAME}:{origin.provider.port}"
    assert [
        {
            ":method": "POST",
            ":scheme": "https",
            ":authority": authority,
            ":path": "/v1?key=secret",
            "authorization": "Bearer k",
            "accept-encoding": "identity",
        }
    ] == heads


async def test_calls_at_once_take_a_connection_each(start: Start) -> None:
    origin = await start(answer_all)
    await asyncio.gather(*(origin.fetch() for _ in range(5)))

    assert 5 == origin.provider.accepted
    assert (0, 5) == (origin.transport.in_use, origin.transport.idle)


async def test_an_origin_without_http2_is_spoken_to_in_http1(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    side = h2_side(authority.issue_cert(NAME), "http/1.1")
    origin = Http2Origin(await serve(answer_each(OK), side), trusting)
    for _ in range(2):
        assert (200, b"ok") == await origin.fetch()

    assert 1 == origin.provider.accepted
    assert b"POST /v1?key=secret HTTP/1.1" in origin.provider.requests[0]
    await origin.transport.aclose()


async def test_http2_is_chosen_where_both_are_spoken_and_not_without_the_setting(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    agreed: list[str | None] = []

    async def script(peer: Peer) -> None:
        agreed.append(peer.alpn)
        await (h2_script(answer_all) if peer.alpn == "h2" else answer_each(OK))(peer)

    provider = await serve(script, h2_side(authority.issue_cert(NAME), "http/1.1", "h2"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    plain = HttpxTransport(
        AddressPolicy(allow_loopback=True), ssl_context=context, resolver=to_this_machine
    )
    origin = Http2Origin(provider, trusting)
    await origin.fetch()
    await fetch(plain, ask(origin.url))

    assert 2 == len(agreed)
    assert "http/1.1" == agreed[1]
    await plain.aclose()
    await origin.transport.aclose()


async def test_http2_through_a_proxy(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    provider = await serve(h2_script(answer_all), h2_side(authority.issue_cert(NAME)))
    tunnel = await serve(tunnel_to(provider.port))
    way = Proxy(Origin("http", "127.0.0.1", tunnel.port))
    origin = Http2Origin(provider, trusting, proxy=way)

    assert (200, b"POST /v1?key=secret 0") == await origin.fetch()
    assert tunnel.requests[0].startswith(b"CONNECT ")
    await origin.transport.aclose()


async def test_the_guard_holds(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    transport = HttpxTransport(AddressPolicy(), ssl_context=trusting, http2=True)

    with pytest.raises(AddressRefused):
        await transport.send(ask("https://127.0.0.1:9/"))


# Answers


async def test_a_stream_comes_as_it_is_sent(start: Start) -> None:
    go = asyncio.Event()

    async def two(peer: H2Peer) -> None:
        await peer.request()
        await peer.answer([(":status", "200")], None)
        for piece in (b"one", b"two"):
            peer.h2.send_data(peer.stream_id, piece, pad_length=3)
            await peer.flush()
            await go.wait()
        peer.h2.send_headers(peer.stream_id, [("x-trailer", "1")], end_stream=True)
        await peer.flush()
        await peer.peer.gone()

    origin = await start(two)
    response = await origin.transport.send(ask(origin.url))
    chunks = response.chunks()
    assert b"one" == await anext(chunks)
    go.set()

    assert [b"two"] == [chunk async for chunk in chunks]
    assert (None, None) == (response.headers.get("x-trailer"), response.headers.get(":status"))
    await response.aclose()
    assert 1 == origin.transport.idle


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200"), ("GET", "204"), ("GET", "304")])
async def test_an_answer_without_a_body(start: Start, method: str, status: str) -> None:
    async def bare(peer: H2Peer) -> None:
        await peer.request()
        length = [("content-length", "5")] if method == "HEAD" else []
        peer.h2.send_headers(peer.stream_id, [(":status", status), *length], end_stream=True)
        await peer.flush()
        await peer.peer.gone()

    origin = await start(bare)

    assert (int(status), b"") == await origin.fetch(method)
    assert 1 == origin.transport.idle


async def test_interim_answers_are_skipped(start: Start) -> None:
    async def hints(peer: H2Peer) -> None:
        await peer.request()
        for _ in range(16):
            peer.h2.send_headers(peer.stream_id, [(":status", "103"), ("link", "</a>")])
        await peer.answer()
        await peer.peer.gone()

    assert (200, b"ok") == await (await start(hints)).fetch()


async def test_a_large_body_is_held_back_while_nobody_reads(start: Start) -> None:
    """The window is wider than what we hold, so it is TCP that holds back."""

    async def pour(peer: H2Peer) -> None:
        await peer.request()
        await peer.answer([(":status", "200")], None)
        while True:
            while peer.h2.local_flow_control_window(peer.stream_id) < 16384:
                await peer.events()
            peer.h2.send_data(peer.stream_id, b"x" * 16384)
            await peer.flush()
            peer.peer._provider.poured += 16384

    origin = await start(pour)
    response = await origin.transport.send(ask(origin.url))
    chunks = response.chunks()
    for _ in range(100):
        assert set(await anext(chunks)) == {ord("x")}
    await turns(200)

    assert origin.provider.poured < 24 * 2**20
    await response.aclose()
    await origin.provider.until(lambda it: it.open == 0)


async def test_many_megabytes_arrive_whole(start: Start) -> None:
    body = bytes(range(256)) * 16 * 1024

    async def large(peer: H2Peer) -> None:
        await peer.request()
        await peer.answer([(":status", "200")], None)
        rest = memoryview(body)
        while rest:
            room = min(peer.h2.local_flow_control_window(peer.stream_id), 16384)
            if not room:
                await peer.events()
                continue
            peer.h2.send_data(peer.stream_id, bytes(rest[:room]), end_stream=room >= len(rest))
            rest = rest[room:]
            await peer.flush()
        await peer.peer.gone()

    origin = await start(large)

    assert (200, body) == await origin.fetch()
    assert 1 == origin.transport.idle


async def test_a_coded_body_is_decoded_under_its_cap(start: Start) -> None:
    async def bomb(peer: H2Peer) -> None:
        await peer.request()
        await peer.answer(
            [(":status", "200"), ("content-encoding", "gzip")], gzip.compress(bytes(10**6))
        )
        await peer.peer.gone()

    origin = await start(bomb)
    assert (200, bytes(10**6)) == await origin.fetch()
    await origin.transport.aclose()

    await (await start(bomb)).fails(UpstreamTooLarge, max_body_bytes=10**5)


# Uploads


async def test_an_answer_before_the_end_of_an_upload_is_delivered(start: Start) -> None:
    """A 413 during 50 MB: sending stops, the answer counts, the connection is not used again."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 2**16
            yield bytes(2**16)

    async def refuse(peer: H2Peer) -> None:
        await peer.request(RequestReceived)
        await peer.answer([(":status", "413")], b"too large")
        peer.h2.reset_stream(peer.stream_id, ErrorCodes.NO_ERROR)
        await peer.flush()
        await peer.peer.gone()

    origin = await start(refuse)

    assert (413, b"too large") == await origin.fetch(body=endless())
    assert sent < 2**20
    assert (0, 0) == (origin.transport.in_use, origin.transport.idle)


async def test_an_upload_waits_for_its_window(start: Start) -> None:
    """The provider takes nothing above 64 KiB until it says so."""
    go, full = asyncio.Event(), asyncio.Event()

    async def hold(peer: H2Peer) -> None:
        size = 0
        while size < 65_535:
            for event in await peer.events():
                if isinstance(event, RequestReceived):
                    peer.stream_id = event.stream_id or 0
                elif isinstance(event, DataReceived):
                    size += len(event.data or b"")
        full.set()
        await go.wait()
        peer.h2.increment_flow_control_window(100_000)
        peer.h2.increment_flow_control_window(100_000, peer.stream_id)
        await peer.flush()
        await peer.request()
        await peer.answer()
        await peer.peer.gone()

    origin = await start(hold)
    call = asyncio.create_task(origin.fetch(body=bytes(100_000)))
    await full.wait()
    await turns()
    assert not call.done()
    go.set()

    assert (200, b"ok") == await call


async def test_a_provider_that_never_widens_the_window_is_given_up(start: Start) -> None:
    async def deaf(peer: H2Peer) -> None:
        while True:
            await peer.events()

    origin = await start(deaf)
    with pytest.raises(UpstreamTimeout, match="took nothing"):
        await origin.fetch(body=bytes(100_000), idle_s=0.05)

    await origin.provider.until(lambda it: it.open == 0)


@pytest.mark.parametrize("chunks", [(b"1234", b"56"), (b"12",)])
async def test_a_body_of_another_length_than_announced(
    start: Start, chunks: tuple[bytes, ...]
) -> None:
    origin = await start(answer_all)
    with pytest.raises(InvalidRequest, match="Content-Length"):
        await origin.fetch(headers=((b"content-length", b"4"),), body=pieces(*chunks))

    assert (0, 0) == (origin.transport.in_use, origin.transport.idle)


async def test_what_the_body_raises_comes_through(start: Start) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError("the client left")

    origin = await start(answer_all)
    with pytest.raises(KeyError, match="the client left"):
        await origin.fetch(body=broken())

    assert (0, 0) == (origin.transport.in_use, origin.transport.idle)


# Settings


async def test_the_setting_offers_http2(serve: Serve, authority: trustme.CA, tmp_path: Any) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    provider = await serve(h2_script(answer_all), h2_side(authority.issue_cert("127.0.0.1")))
    way = {"http2": True, "ca_file": tmp_path / "ca.pem"}
    transport = transport_of(
        Settings.model_validate(
            {"allow_loopback_upstreams": True, "upstream_transports": {provider.tls_url: way}}
        )
    )

    assert (200, b"POST / 0") == await fetch(transport, ask(provider.tls_url))
    await transport.aclose()


def test_http2_asks_for_the_client_that_has_it() -> None:
    assert "httpx" == UpstreamTransport.model_validate({"http2": True}).client
    with pytest.raises(ValueError, match="httpx"):
        UpstreamTransport.model_validate({"client": "h1", "http2": True})


def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmgateway.engine.check.find_spec", lambda _: None)
    Gateway({"upstream_transport": "httpx"})
    with pytest.raises(SettingsFault, match=r"upstream_transport.http2: .*llmgateway\[http2\]"):
        Gateway({"upstream_transport": {"http2": True}})


def test_http2_without_tls_is_a_fault() -> None:
    with pytest.raises(SettingsFault, match="https://"):
        Gateway({"upstream_transports": {"http://a.example": {"http2": True}}})
