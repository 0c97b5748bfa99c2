"""TLS against an authority made for the run: who is trusted, for which name, and how it ends."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import httpcore
import pytest
import trustme

from llmgateway.errors import ConnectionLost, UpstreamProtocolError, UpstreamUnreachable
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.network import Stream
from llmgateway.transport.tls import trusted_by_system
from tests.transport.conftest import AnyTransport, Kind, Serve
from tests.transport.provider import CHUNKED, OK, Peer, Provider, answer, answer_each, ask, fetch

NAME = "provider.example"


async def to_this_machine(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def server_side(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
async def tls_transport(kind: Kind, trusting: ssl.SSLContext) -> AsyncIterator[AnyTransport]:
    transport = kind(
        AddressPolicy(allow_loopback=True), ssl_context=trusting, resolver=to_this_machine
    )
    yield transport
    await transport.aclose()


def url(provider: Provider, host: str = NAME) -> str:
    return f"https://{host}:{provider.port}/path?key=secret"


async def test_the_certificate_is_checked_for_the_original_name(
    serve: Serve, tls_transport: AnyTransport, authority: trustme.CA
) -> None:
    context = server_side(authority.issue_cert(NAME))
    named: list[str | None] = []
    context.sni_callback = lambda _, name, __: named.append(name)
    provider = await serve(answer_each(OK), context)
    for _ in range(2):
        assert (200, b"ok") == await fetch(tls_transport, ask(url(provider)))

    assert [NAME] == named, "connected to the address, named as the URL has it, once"
    assert b"Host: provider.example:" in provider.requests[0]


async def test_an_address_may_have_a_certificate_too(
    serve: Serve, tls_transport: AnyTransport, authority: trustme.CA
) -> None:
    provider = await serve(answer(OK), server_side(authority.issue_cert("127.0.0.1")))

    assert (200, b"ok") == await fetch(tls_transport, ask(url(provider, "127.0.0.1")))


async def test_http_1_1_is_the_only_protocol_offered(
    serve: Serve, tls_transport: AnyTransport, authority: trustme.CA
) -> None:
    context = server_side(authority.issue_cert(NAME))
    context.set_alpn_protocols(["h2", "http/1.1"])
    chosen: list[str | None] = []

    async def script(peer: Peer) -> None:
        chosen.append(peer.alpn)
        await answer(OK)(peer)

    provider = await serve(script, context)

    assert (200, b"ok") == await fetch(tls_transport, ask(url(provider)))
    assert ["http/1.1"] == chosen


YESTERDAY = datetime.now(UTC) - timedelta(days=1)
CERTIFICATES: dict[str, Callable[[trustme.CA], trustme.LeafCert]] = {
    "wrong host": lambda ca: ca.issue_cert("other.example"),
    "the address only": lambda ca: ca.issue_cert("127.0.0.1"),
    "expired": lambda ca: ca.issue_cert(
        NAME, not_before=YESTERDAY - timedelta(days=1), not_after=YESTERDAY
    ),
    "unknown authority": lambda _: trustme.CA().issue_cert(NAME),
}


@pytest.mark.parametrize("why", CERTIFICATES)
async def test_a_certificate_that_does_not_hold_is_not_accepted(
    serve: Serve, tls_transport: AnyTransport, authority: trustme.CA, why: str
) -> None:
    provider = await serve(answer(OK), server_side(CERTIFICATES[why](authority)))

    with pytest.raises(UpstreamUnreachable, match="certificate of provider.example") as caught:
        await tls_transport.send(ask(url(provider), body=b"prompt"))

    assert "secret" not in caught.value.message
    assert [] == provider.requests
    await provider.until(lambda it: it.open == 0)


async def test_a_port_that_does_not_speak_tls(serve: Serve, tls_transport: AnyTransport) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    provider = await serve(script)

    with pytest.raises(UpstreamUnreachable, match="TLS with provider.example"):
        await tls_transport.send(ask(url(provider)))

    await provider.until(lambda it: it.accepted == 1 and it.open == 0)


EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


async def test_an_answer_slipped_in_before_the_handshake_is_not_taken(
    serve: Serve, tls_transport: AnyTransport, authority: trustme.CA
) -> None:
    """Whoever sits on the way can send plain text and then let the real provider do TLS."""
    context = server_side(authority.issue_cert(NAME))

    async def script(peer: Peer) -> None:
        await peer.send(EVIL)
        await peer.start_tls(context)
        await answer(OK)(peer)

    provider = await serve(script)

    with pytest.raises(UpstreamUnreachable):
        await fetch(tls_transport, ask(url(provider)))


async def test_plain_text_before_the_handshake_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start_tls(*_: object, **__: object) -> asyncio.Transport:
        return after

    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls, raising=False)
    before, after, stream = TLSTransport(None), TLSTransport(Ended(b"")), Stream()
    stream.connection_made(before)
    stream.data_received(EVIL)

    with pytest.raises(ssl.SSLError):
        await stream.start_tls(ssl.create_default_context(), NAME)

    assert before.aborted


async def test_a_port_that_closes_in_the_handshake(
    serve: Serve, tls_transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        pass

    provider = await serve(script)

    with pytest.raises(UpstreamUnreachable):
        await tls_transport.send(ask(url(provider)))


async def test_plain_http_to_a_tls_port_is_an_error(
    serve: Serve, tls_transport: AnyTransport, authority: trustme.CA
) -> None:
    provider = await serve(answer(OK), server_side(authority.issue_cert(NAME)))

    with pytest.raises((UpstreamProtocolError, ConnectionLost)):
        await tls_transport.send(ask(f"http://{NAME}:{provider.port}"))


async def cut_when(go: asyncio.Event, peer: Peer) -> None:
    await go.wait()
    peer.cut()
    await peer.gone()


async def close_when(go: asyncio.Event, peer: Peer) -> None:
    await go.wait()


Ending = Callable[[asyncio.Event, Peer], Awaitable[None]]


@pytest.mark.parametrize(
    ("head", "ending", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nbody", close_when, True),
        (b"HTTP/1.1 200 OK\r\n\r\nbody", cut_when, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", cut_when, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody", cut_when, False),
        (CHUNKED + b"4\r\nbody\r\n", cut_when, False),
        (CHUNKED + b"4\r\nbody\r\n", close_when, False),
    ],
    ids=["end", "cut", "whole, cut", "length, cut", "chunks, cut", "chunks, end"],
)
async def test_an_end_without_close_notify_is_no_end(
    serve: Serve,
    tls_transport: AnyTransport,
    authority: trustme.CA,
    head: bytes,
    ending: Ending,
    whole: bool,
) -> None:
    """A body that only the end of the connection ends: anyone on the way could cut it."""
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head)
        await ending(go, peer)

    provider = await serve(script, server_side(authority.issue_cert(NAME)))
    response = await tls_transport.send(ask(url(provider)))
    chunks = response.chunks()
    assert b"body" == await anext(chunks)
    go.set()

    with pytest.raises(StopAsyncIteration if whole else UpstreamProtocolError):
        await anext(chunks)
    await response.aclose()


async def test_a_cancelled_handshake_leaves_no_connection(
    serve: Serve, tls_transport: AnyTransport, authority: trustme.CA
) -> None:
    """Cancelled at every point of its way."""
    provider = await serve(answer_each(OK), server_side(authority.issue_cert(NAME)))
    for steps in range(60):
        task = asyncio.create_task(fetch(tls_transport, ask(url(provider))))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    await tls_transport.aclose()
    await provider.until(lambda it: it.open == 0)


async def test_the_machines_trust_is_the_default(
    kind: Kind, serve: Serve, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which does not know our authority."""
    loaded: list[ssl.SSLContext] = []

    def load() -> ssl.SSLContext:
        loaded.append(trusted_by_system())
        return loaded[-1]

    monkeypatch.setattr(sys.modules[kind.__module__], "trusted_by_system", load)
    provider = await serve(answer(OK), server_side(authority.issue_cert(NAME)))
    transport = kind(AddressPolicy(allow_loopback=True), resolver=to_this_machine)
    for _ in range(2):
        with pytest.raises(UpstreamUnreachable, match="certificate"):
            await transport.send(ask(url(provider)))

    assert 1 == len(loaded), "it reads files, so once"
    assert ssl.CERT_REQUIRED is loaded[0].verify_mode
    assert loaded[0].check_hostname


class Ended:
    """Stands in for a TLS object whose connection has ended."""

    def __init__(self, end: bytes | Exception) -> None:
        self._end = end

    def read(self, size: int) -> bytes:
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


@pytest.mark.parametrize(
    ("end", "clean"),
    [
        (b"", True),
        (ssl.SSLZeroReturnError(), True),
        (ssl.SSLWantReadError(), False),
        (ssl.SSLEOFError(), False),
    ],
)
async def test_what_tls_says_of_an_end_is_what_counts(end: bytes | Exception, clean: bool) -> None:
    """Python versions and loops say it in different ways."""
    stream = Stream()
    stream.connection_made(TLSTransport(Ended(end)))
    stream.eof_received()
    stream.connection_lost(None)

    if clean:
        assert b"" == await stream.read(1)
    else:
        with pytest.raises(httpcore.ReadError):
            await stream.read(1)


class TLSTransport(asyncio.Transport):
    """A transport that only knows its TLS object."""

    def __init__(self, tls: Ended | None) -> None:
        super().__init__({"ssl_object": tls})
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


async def test_a_connection_that_is_gone_after_its_handshake_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start_tls(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(asyncio.get_running_loop(), "start_tls", start_tls, raising=False)
    transport, stream = TLSTransport(Ended(b"")), Stream()
    stream.connection_made(transport)

    with pytest.raises(ConnectionResetError):
        await stream.start_tls(ssl.create_default_context(), NAME)

    assert transport.aborted


def test_a_machine_without_any_trust_gets_a_list(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/absent.pem")
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}")

    assert trusted_by_system().cert_store_stats()["x509_ca"] > 50


def test_trust_needs_no_http_client() -> None:
    """It is loaded by gateways that never load one."""
    code = (
        "import sys, llmgateway.transport.choice;"
        "sys.exit(not {'httpx', 'httpcore'}.isdisjoint(sys.modules))"
    )

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
