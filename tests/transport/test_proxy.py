"""By way of a proxy: tunnels, forwarded requests, refusals, and what is still judged here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
import trustme

from llmgateway.errors import (
    AddressRefused,
    ConnectionLost,
    GatewayError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmgateway.transport import proxy as proxy_module
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.httpx_transport import HttpxTransport
from llmgateway.transport.proxy import Proxy
from llmgateway.transport.url import Origin
from tests.transport.conftest import Serve
from tests.transport.provider import (
    OK,
    Peer,
    Provider,
    Script,
    answer,
    answer_and_wait,
    answer_each,
    ask,
    fetch,
    turns,
)
from tests.transport.test_tls import NAME, server_side

USER, PASSWORD = "me", "pass:word-€"
BASIC = b"Proxy-Authorization: Basic bWU6cGFzczp3b3JkLeKCrA=="
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def nowhere(host: str, port: int) -> Sequence[str]:
    """A network without names: the proxy alone knows them."""
    raise OSError


async def pipe(
    take: Callable[[], Awaitable[bytes]], give: Callable[[bytes], Awaitable[Any]]
) -> None:
    with suppress(ConnectionError):
        while data := await take():
            await give(data)


def tunnel_to(port: int, opened: bytes = OPENED) -> Script:
    """A script of a proxy: whatever CONNECT names, the other end is at a port of this machine."""

    async def script(peer: Peer) -> None:
        await peer.request()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def give(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            await peer.send(opened)
            ways = (pipe(peer.take, give), pipe(lambda: reader.read(65536), peer.send))
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        finally:
            writer.close()

    return script


def through(
    proxy: Provider,
    context: ssl.SSLContext | None = None,
    policy: AddressPolicy | None = None,
    *,
    user: bool = False,
    resolver: Any = nowhere,
    proxy_context: ssl.SSLContext | None = None,
) -> HttpxTransport:
    """A transport that may reach nothing but public addresses, and its proxy."""
    scheme = "http" if proxy_context is None else "https"
    way = Proxy(
        Origin(scheme, "127.0.0.1", proxy.port),
        (USER, PASSWORD) if user else None,
        proxy_context,
    )
    return HttpxTransport(
        policy or AddressPolicy(), ssl_context=context, resolver=resolver, proxy=way
    )


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_an_https_origin_is_reached_through_a_tunnel(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    origin = await serve(answer_each(OK), server_side(authority.issue_cert(NAME)))
    proxy = await serve(tunnel_to(origin.port))
    transport = through(proxy, trusting)
    url = f"https://{NAME}:8443/v1?key=secret"
    for _ in range(3):
        assert (200, b"ok") == await fetch(transport, ask(url, body=b"prompt"))

    target = f"{NAME}:8443".encode()
    assert [b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, target)] == proxy.requests
    assert 1 == origin.accepted
    assert origin.requests[0].startswith(b"POST /v1?key=secret HTTP/1.1\r\nHost: provider.example")
    await transport.aclose()


async def test_a_proxy_that_speaks_tls_itself(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """TLS within TLS."""
    origin = await serve(answer_each(OK), server_side(authority.issue_cert(NAME)))
    proxy = await serve(tunnel_to(origin.port), server_side(authority.issue_cert("127.0.0.1")))
    to_proxy = ssl.create_default_context()
    authority.configure_trust(to_proxy)
    transport = through(proxy, trusting, proxy_context=to_proxy)
    for _ in range(3):
        assert (200, b"ok") == await fetch(transport, ask(f"https://{NAME}/"))

    assert 1 == proxy.accepted
    await transport.aclose()
    await origin.until(lambda it: it.open == 0)
    await proxy.until(lambda it: it.open == 0)


async def test_an_http_origin_is_asked_for_at_the_proxy(serve: Serve) -> None:
    proxy = await serve(answer_each(OK))
    transport = through(proxy, user=True)
    for host in ("provider.example", "provider.example:8080", "[2606:4700::1111]"):
        url = f"http://{host}/v1?q"
        assert (200, b"ok") == await fetch(transport, ask(url, "GET"))

        assert proxy.requests[-1].startswith(f"GET {url} HTTP/1.1\r\nHost: {host}\r\n".encode())
        assert 1 == proxy.requests[-1].count(BASIC)

    assert 3 == proxy.accepted, "a connection belongs to one origin"
    await transport.aclose()


async def test_the_proxys_password_goes_to_the_proxy_only(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    origin = await serve(answer_each(OK), server_side(authority.issue_cert(NAME)))
    proxy = await serve(tunnel_to(origin.port))
    transport = through(proxy, trusting, user=True)
    assert (200, b"ok") == await fetch(transport, ask(f"https://{NAME}/"))

    assert BASIC in proxy.requests[0]
    assert b"roxy" not in origin.requests[0]
    await transport.aclose()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("host", "policy"),
    [
        ("10.0.0.1", AddressPolicy()),
        ("169.254.169.254", AddressPolicy()),
        ("127.0.0.1", AddressPolicy()),
        ("[::1]", AddressPolicy()),
        ("[::ffff:10.0.0.1]", AddressPolicy(allow_loopback=True)),
        ("10.0.0.1", AddressPolicy(frozenset({("http", "10.0.0.1", 9), ("https", "10.0.0.1", 9)}))),
    ],
)
async def test_a_private_address_is_refused_before_the_proxy_hears_of_it(
    serve: Serve, scheme: str, host: str, policy: AddressPolicy
) -> None:
    proxy = await serve(answer_each(OK))

    with pytest.raises(AddressRefused):
        await through(proxy, policy=policy).send(ask(f"{scheme}://{host}/"))

    assert 0 == proxy.accepted


async def test_a_private_address_that_is_allowed_goes_to_the_proxy(serve: Serve) -> None:
    proxy = await serve(answer_each(OK))
    policy = AddressPolicy(frozenset({("http", "10.0.0.1", 80)}))
    transport = through(proxy, policy=policy)

    assert (200, b"ok") == await fetch(transport, ask("http://10.0.0.1/"))
    await transport.aclose()


async def test_the_proxys_own_address_is_no_way_in(serve: Serve) -> None:
    """It is the operator's, but as an origin it is like any other."""
    proxy = await serve(answer_each(OK))

    with pytest.raises(AddressRefused):
        await through(proxy).send(ask(f"http://127.0.0.1:{proxy.port}/"))


async def test_a_name_that_resolves_here_is_judged_here_too(serve: Serve) -> None:
    proxy = await serve(answer_each(OK))

    async def to_metadata(host: str, port: int) -> Sequence[str]:
        return ["169.254.169.254"]

    with pytest.raises(AddressRefused):
        await through(proxy, resolver=to_metadata).send(ask("http://metadata.example/"))
    assert 0 == proxy.accepted

    allowed = AddressPolicy(frozenset({("http", "metadata.example", 80)}))
    transport = through(proxy, policy=allowed, resolver=to_metadata)
    assert (200, b"ok") == await fetch(transport, ask("http://metadata.example/"))
    await transport.aclose()


async def test_a_resolver_that_never_answers_does_not_hold_the_call(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_module, "LOOKUP_S", 0.0)
    proxy = await serve(answer_each(OK))

    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    transport = through(proxy, resolver=never)

    assert (200, b"ok") == await fetch(transport, ask("http://provider.example/"))
    await transport.aclose()


# What a proxy says in place of opening a way


async def refusal_of(transport: HttpxTransport, url: str = f"https://{NAME}/?key=secret") -> str:
    with pytest.raises(GatewayError) as caught:
        await transport.send(ask(url, body=b"secret"))
    await transport.aclose()

    assert type(caught.value) is UpstreamUnreachable
    said = repr(caught.value) + repr(caught.value.__cause__)
    for hidden in ("secret", PASSWORD, BASIC.decode().split()[-1], "127.0.0.1"):
        assert hidden not in caught.value.message
        assert hidden not in said or hidden == "127.0.0.1"
    return caught.value.message


@pytest.mark.parametrize("status", [407, 403, 502, 302, 599])
async def test_a_refusal_by_the_proxy_is_told_with_its_status(serve: Serve, status: int) -> None:
    proxy = await serve(
        answer_and_wait(b"HTTP/1.1 %d No\r\nContent-Length: 6\r\n\r\nsecret" % status)
    )

    said = await refusal_of(through(proxy, user=True))

    assert f"refused with the status {status}" in said
    assert NAME in said
    assert ("password" in said) is (status == 407)
    await proxy.until(lambda it: it.open == 0)


async def test_a_407_for_an_http_origin_is_the_proxys(serve: Serve) -> None:
    proxy = await serve(answer_and_wait(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"))

    said = await refusal_of(through(proxy), f"http://{NAME}/")

    assert "refused with the status 407" in said
    await proxy.until(lambda it: it.open == 0)


BROKEN = {
    "nothing": b"",
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nX",
    "http/2": b"HTTP/2 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 2000 OK\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    "endless interim": b"HTTP/1.1 102 Wait\r\n\r\n" * 20,
    "socks": b"\x05\x00",
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_proxy_that_does_not_speak_http(serve: Serve, kind: str) -> None:
    proxy = await serve(answer(BROKEN[kind]))

    said = await refusal_of(through(proxy))

    assert "no answer that HTTP knows" in said
    await proxy.until(lambda it: it.open == 0)


async def test_a_proxy_that_is_not_there(serve: Serve) -> None:
    proxy = await serve(answer(OK))
    proxy.port = 1

    assert "could not be reached" in await refusal_of(through(proxy))
    assert "could not be reached" in await refusal_of(through(proxy), f"http://{NAME}/")


async def test_a_proxy_with_a_certificate_that_does_not_hold(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    proxy = await serve(answer(OK), server_side(authority.issue_cert("other.example")))

    said = await refusal_of(through(proxy, proxy_context=trusting))

    assert "could not be reached" in said
    await proxy.until(lambda it: it.open == 0)


async def test_a_proxy_that_never_answers_is_given_up(
    serve: Serve, trusting: ssl.SSLContext
) -> None:
    proxy = await serve(answer_and_wait())

    with pytest.raises(UpstreamTimeout, match="took no connection"):
        await through(proxy, trusting).send(ask(f"https://{NAME}/", connect_s=0.05))

    await proxy.until(lambda it: it.accepted == 1 and it.open == 0)


async def test_interim_answers_and_a_length_mean_nothing_before_a_tunnel(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """RFC 9110, section 9.3.6: a 2xx to CONNECT has no body, whatever its head says."""
    origin = await serve(answer_each(OK), server_side(authority.issue_cert(NAME)))
    opened = (
        b"HTTP/1.1 102 Wait\r\n\r\n"
        b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    proxy = await serve(tunnel_to(origin.port, opened))
    transport = through(proxy, trusting)

    assert (200, b"ok") == await fetch(transport, ask(f"https://{NAME}/"))
    await transport.aclose()


async def test_what_a_proxy_slips_in_after_its_head_is_not_taken(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    origin = await serve(answer_each(OK), server_side(authority.issue_cert(NAME)))
    evil = OPENED + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    proxy = await serve(tunnel_to(origin.port, evil))

    with pytest.raises(UpstreamUnreachable, match="TLS with provider.example"):
        await fetch(through(proxy, trusting), ask(f"https://{NAME}/"))
    await proxy.until(lambda it: it.open == 0)


async def test_a_proxy_cannot_stand_in_for_an_https_origin(
    serve: Serve, trusting: ssl.SSLContext
) -> None:
    origin = await serve(answer_each(OK), server_side(trustme.CA().issue_cert(NAME)))
    proxy = await serve(tunnel_to(origin.port))

    with pytest.raises(UpstreamUnreachable, match="certificate of provider.example"):
        await through(proxy, trusting).send(ask(f"https://{NAME}/", body=b"prompt"))

    assert [] == origin.requests


async def test_an_origin_behind_the_tunnel_that_answers_nothing_is_a_lost_connection(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """The proxy's own answer is none of the origin's."""

    async def script(peer: Peer) -> None:
        await peer.request()

    origin = await serve(script, server_side(authority.issue_cert(NAME)))
    proxy = await serve(tunnel_to(origin.port))

    with pytest.raises(ConnectionLost) as caught:
        await through(proxy, trusting).send(ask(f"https://{NAME}/"))

    assert not caught.value.reused


async def test_a_call_cancelled_on_its_way_through_leaves_no_connection(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """Cancelled at every point of its way, tunnel and TLS within TLS included."""
    origin = await serve(answer_each(OK), server_side(authority.issue_cert(NAME)))
    proxy = await serve(tunnel_to(origin.port), server_side(authority.issue_cert("127.0.0.1")))
    to_proxy = ssl.create_default_context()
    authority.configure_trust(to_proxy)
    transport = through(proxy, trusting, proxy_context=to_proxy)
    for steps in range(80):
        task = asyncio.create_task(fetch(transport, ask(f"https://{NAME}/")))
        await turns(steps)
        task.cancel()
        await asyncio.wait([task])

    await transport.aclose()
    assert 0 == transport.in_use
    await proxy.until(lambda it: it.open == 0)
    await origin.until(lambda it: it.open == 0)
