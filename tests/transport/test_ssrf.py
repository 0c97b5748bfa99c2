"""No way of writing an address leads to a place that is not public: a canary listens there."""

from __future__ import annotations

import pytest

from llmgateway.errors import AddressRefused, InvalidRequest, TransportError
from llmgateway.transport.guard import AddressPolicy
from tests.transport.conftest import AnyTransport, Kind, Serve
from tests.transport.provider import OK, answer_each, ask, fetch

HOSTS = """
    127.0.0.1 127.0.0.2 127.1 127.0.1 127.255.255.254 0 0.0.0.0 0.0 127.0.0.1. localhost LOCALHOST
    localhost. 2130706433 0x7f000001 0X7F000001 0x7f.1 0x7f.0x0.0x0.0x1
    017700000001 0177.0.0.1 0177.0.0.01 00000177.0.0.1 127.0.0.1.0 127.000.000.001 127.0.0.0x1
    127.0x1 4294967297 %31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.1%00 127.0.0.1%20 loc%61lhost
    [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [::7f00:1]
    [0:0:0:0:0:ffff:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1]
    [2002:7f00:1::] [2001:0:7f00:1::] [::1%25lo] [::1%lo] [fe80::1%25lo] [::ffff:0:127.0.0.1]
    [::1]. [[::1]] [127.0.0.1] [localhost] ::1 user@127.0.0.1 user:pass@127.0.0.1
    public.example@127.0.0.1 127.0.0.1@public.example@127.0.0.1 @127.0.0.1 :@127.0.0.1
    public.example\\@127.0.0.1 public.example#@127.0.0.1 public.example?@127.0.0.1
    127.0.0.1#.public.example 127.0.0.1\\.public.example 127.0.0.1;.public.example
    127。0。0。1 １２７.0.0.1 ⑯⑨。②⑤④ ⓛⓞⓒⓐⓛⓗⓞⓢⓣ loc\u200balhost localho\u017ft 127.0.0.1\u2024
    169.254.169.254 10.0.0.1 192.168.0.1 172.16.0.1 100.64.0.1 224.0.0.1 255.255.255.255
""".split()


@pytest.fixture(scope="module")
def schemes() -> list[str]:
    return ["http", "HTTP", "https", "ws", "ftp", "file", "gopher", "unix", "http+unix"]


async def test_no_spelling_reaches_the_canary(kind: Kind, serve: Serve, schemes: list[str]) -> None:
    canary = await serve(answer_each(OK))
    transport = kind(AddressPolicy())
    tried = 0
    for scheme in schemes:
        for host in HOSTS:
            url = f"{scheme}://{host}:{canary.port}/secret?key=secret"
            # A name that does not exist, or a canary that is not at port 0: no connection either.
            with pytest.raises((TransportError, InvalidRequest)) as caught:
                await transport.send(ask(url, connect_s=1.0))
            assert "secret" not in caught.value.message
            tried += 1

    assert tried > 600
    assert 0 == canary.accepted


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[0:0:0:0:0:0:0:1]"],
)
async def test_an_honest_spelling_is_refused_by_the_guard(
    kind: Kind, serve: Serve, host: str
) -> None:
    transport = kind(AddressPolicy())

    with pytest.raises(AddressRefused, match="allow_loopback_upstreams"):
        await transport.send(ask(f"http://{host}:8787/"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost"])
async def test_loopback_is_reached_when_allowed(
    serve: Serve, transport: AnyTransport, host: str
) -> None:
    canary = await serve(answer_each(OK))

    assert (200, b"ok") == await fetch(transport, ask(f"http://{host}:{canary.port}"))


@pytest.mark.parametrize("host", ["[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "[64:ff9b::7f00:1]"])
async def test_what_maps_to_loopback_is_not_reached_even_then(
    serve: Serve, transport: AnyTransport, host: str
) -> None:
    canary = await serve(answer_each(OK))

    with pytest.raises(AddressRefused):
        await transport.send(ask(f"http://{host}:{canary.port}"))

    assert 0 == canary.accepted


async def test_an_allowed_upstream_is_reached_and_its_neighbours_are_not(
    kind: Kind, serve: Serve
) -> None:
    allowed, other = await serve(answer_each(OK)), await serve(answer_each(OK))
    transport = kind(AddressPolicy(frozenset({("http", "127.0.0.1", allowed.port)})))

    assert (200, b"ok") == await fetch(transport, ask(allowed.url))
    for url in (other.url, f"https://127.0.0.1:{allowed.port}", f"http://localhost:{allowed.port}"):
        with pytest.raises(AddressRefused):
            await transport.send(ask(url))

    assert (1, 0) == (allowed.accepted, other.accepted)
    await transport.aclose()


async def test_a_connection_that_is_kept_serves_its_own_origin_only(
    kind: Kind, serve: Serve
) -> None:
    """The same address under another name is asked about again."""
    provider = await serve(answer_each(OK))
    transport = kind(AddressPolicy(frozenset({("http", "127.0.0.1", provider.port)})))
    await fetch(transport, ask(provider.url))
    assert 1 == transport.idle

    with pytest.raises(AddressRefused):
        await transport.send(ask(f"http://localhost:{provider.port}"))

    assert 1 == provider.accepted
    await transport.aclose()
