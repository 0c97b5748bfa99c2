"""The fixtures of the HTTP suite: a host, a client of it, and the ledger that is settled after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from llmgateway import Gateway, Settings
from llmgateway.engine.authorize import Authenticate
from llmgateway.engine.world import World
from llmgateway.testing.fake_row import FAKE
from llmgateway.transport.base import Transport
from tests.http.client import Client, Draws, Naps, WatchedRecords
from tests.http.clients import HOSTS, Host
from tests.http.upstreams import FakeUpstream, RawUpstream

CLIENT_KEY = "lgw_test_client-key-of-the-suite"
STORED_KEY = "sk-stored-key-of-the-operator"
NOW = 1_700_000_000.0

Serve = Callable[..., Client]


def settings(upstream: FakeUpstream, **changes: Any) -> dict[str, Any]:
    """Return the settings of the suite: two providers at the fake one, one with a stored key."""
    here: dict[str, Any] = {
        "client_keys": {"suite": CLIENT_KEY},
        "allow_loopback_upstreams": True,
        "providers": {
            "fake": {"base_url": upstream.base},
            "openai": {"base_url": upstream.base, "api_key": STORED_KEY},
            "groq": {"base_url": upstream.base},
        },
    }
    return {**here, **changes}


class Sites:
    """The gateways that have been served, kept by host and settings until the session ends."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self._upstream = upstream
        self._clients: dict[tuple[Any, ...], Client] = {}
        self._used: list[Client] = []

    def client(self, host: type[Host], changes: dict[str, Any], **parts: Any) -> Client:
        """Return a client of the gateway with these settings, served by this host."""
        key = (host, orjson.dumps(changes), *parts.items())
        if key not in self._clients:
            self._clients[key] = self._new(host, changes, **parts)
        client = self._clients[key]
        if client not in self._used:
            client.begin_test()
            self._used.append(client)
        return client

    def _new(
        self,
        host: type[Host],
        changes: dict[str, Any],
        authenticate: Authenticate | None = None,
        transport: Callable[[], Transport] | None = None,
    ) -> Client:
        naps, draws, records = Naps(), Draws(), WatchedRecords()
        world = World(transport=_no_transport, sleep=naps.sleep, random=draws, time=lambda: NOW)
        gateway = Gateway(
            Settings.model_validate(settings(self._upstream, **changes)),
            records=records,
            providers=[FAKE],
            authenticate=authenticate,
            transport=transport,
            world=world,
        )
        client = Client(host(gateway), gateway, records, self._upstream, naps, draws)
        if gateway.settings.client_keys:
            client.defaults["authorization"] = f"Bearer {CLIENT_KEY}"
        return client

    def settle(self) -> None:
        """Settle the ledgers of the gateways that this test has used."""
        used, self._used = self._used, []
        for client in used:
            client.settle()
            assert client.host.alive

    def close(self) -> None:
        """Stop all, at once."""
        for client in self._clients.values():
            client.host.begin_stop()
        for client in self._clients.values():
            client.host.stop()


def _no_transport() -> Transport:
    raise AssertionError("the gateway puts its own in place of this")


@pytest.fixture(scope="session")
def fake_upstream() -> Iterator[FakeUpstream]:
    """The fake provider, for all tests."""
    upstream = FakeUpstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(fake_upstream: FakeUpstream) -> FakeUpstream:
    """The fake provider, with an empty log."""
    return fake_upstream


@pytest.fixture
def raw(upstream: FakeUpstream) -> RawUpstream:
    """A provider that sends exactly the bytes that it is told."""
    return upstream.raw()


@pytest.fixture(scope="session")
def sites(fake_upstream: FakeUpstream) -> Iterator[Sites]:
    """All gateways."""
    sites = Sites(fake_upstream)
    yield sites
    sites.close()


@pytest.fixture(scope="session", params=HOSTS, ids=[host.name for host in HOSTS])
def host(request: pytest.FixtureRequest) -> type[Host]:
    """The host that a test runs on."""
    kind: type[Host] = request.param
    return kind


@pytest.fixture
def serve(host: type[Host], sites: Sites) -> Serve:
    """Serve a gateway: keywords are settings, or parts of it."""

    def serve(
        authenticate: Authenticate | None = None,
        transport: Callable[[], Transport] | None = None,
        **changes: Any,
    ) -> Client:
        return sites.client(host, changes, authenticate=authenticate, transport=transport)

    return serve


@pytest.fixture
def client(serve: Serve) -> Client:
    """A client of the gateway with the suite's own settings."""
    return serve()


@pytest.fixture(autouse=True)
def ledger(
    fake_upstream: FakeUpstream, sites: Sites, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """After each test: one true record for each request, and nothing in the log of errors."""
    fake_upstream.begin_test()
    yield
    sites.settle()
    assert [] == [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
