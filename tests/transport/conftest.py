"""Fixtures of the transport's tests: real sockets on loopback, on both event loops we run on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Protocol

import pytest
import trustme

from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.h1_transport import H1Transport
from llmgateway.transport.httpx_transport import HttpxTransport
from tests.transport.provider import Provider, Script

try:
    import uvloop
except ImportError:  # it does not exist for Windows
    LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
else:
    LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each asynchronous test once per loop: `serve` uses uvloop, hosts may not."""
    return LOOPS


class Serve(Protocol):
    """Starts a provider that follows a script, until the test ends."""

    async def __call__(self, script: Script, tls: ssl.SSLContext | None = None) -> Provider: ...


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(script: Script, tls: ssl.SSLContext | None = None) -> Provider:
            return await stack.enter_async_context(Provider(script, tls))

        yield start


AnyTransport = H1Transport | HttpxTransport
Kind = type[H1Transport] | type[HttpxTransport]


@pytest.fixture(params=[H1Transport, HttpxTransport], ids=["h1", "httpx"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each of the transports: what holds for one holds for the other."""
    kind: Kind = request.param
    return kind


@pytest.fixture
async def transport(kind: Kind) -> AsyncIterator[AnyTransport]:
    """A transport that may reach this machine."""
    transport = kind(AddressPolicy(allow_loopback=True))
    yield transport
    await transport.aclose()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority made for this run and forgotten after it."""
    return trustme.CA()


@pytest.fixture
def proxy_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Proxy variables that lead to a port where nobody listens."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    yield
