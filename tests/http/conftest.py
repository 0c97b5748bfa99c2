"""The fixtures of the HTTP suite: a host, a client of it, and the ledger that is settled after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from pytest_django import DjangoDbBlocker

from llmgateway import Gateway, Settings
from llmgateway.engine.authorize import Authenticate
from llmgateway.engine.client_keys import new_client_key
from llmgateway.engine.world import World
from llmgateway.errors import StreamAborted
from llmgateway.stores import KeyStore
from llmgateway.testing.fake_row import FAKE
from llmgateway.transport.base import Transport
from tests.http.client import Client, Draws, Naps, WatchedRecords
from tests.http.clients import HOSTS, MATRIX, Host
from tests.http.stored import RecordsOfProcess, StoredKeys, StoredRecords, hosts_database
from tests.http.upstreams import FakeUpstream, RawUpstream

# Well-formed, or a database would not be asked for it.
CLIENT_KEY = new_client_key(lambda size: b"the client key of the suite".ljust(size))
STORED_KEY = "sk-stored-key-of-the-operator"
NOW = 1_700_000_000.0
MOST_PROCESSES = 4
"""Of hosts that are processes, kept for other tests with the same settings."""

Serve = Callable[..., Client]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what only CI runs: hosts that differ from another one in little."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and callspec.params.get("host") in MATRIX:
            item.add_marker(pytest.mark.matrix)


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
    # Tests of one gateway that are refused come all from here.
    limits = {"failed_auth_per_minute": 1000, **changes.get("limits", {})}
    return {**here, **changes, "limits": limits}


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
        keys: KeyStore | None = None,
    ) -> Client:
        if host.is_process and (authenticate or transport or keys):
            pytest.skip("another process is told settings, and nothing else")
        naps, draws = Naps(), Draws()
        given = settings(self._upstream, **changes)
        here = Settings.model_validate(given)
        records = _records_of(host)
        world = World(transport=_no_transport, sleep=naps.sleep, random=draws, time=lambda: NOW)
        gateway = Gateway(
            here,
            keys=StoredKeys(here) if keys is None and host.in_database else keys,
            records=records,
            providers=[FAKE],
            authenticate=authenticate,
            transport=transport,
            world=world,
        )
        self._make_room(host)
        client = Client(host.serving(gateway, given), gateway, records, self._upstream, naps, draws)
        if gateway.settings.client_keys:
            client.defaults["authorization"] = f"Bearer {CLIENT_KEY}"
        if host.compresses:
            client.defaults["accept-encoding"] = "gzip, deflate"
        return client

    def _make_room(self, host: type[Host]) -> None:
        """Of hosts that are processes, keep only a few."""
        old = [key for key, client in self._clients.items() if key[0].is_process]
        for key in old[: 1 - MOST_PROCESSES] if host.is_process else ():
            if self._clients[key] not in self._used:
                self._clients.pop(key).host.stop()

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
        self._clients.clear()


def _records_of(host: type[Host]) -> WatchedRecords:
    if host.is_process:
        return RecordsOfProcess()
    return StoredRecords() if host.in_database else WatchedRecords()


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


@pytest.fixture(autouse=True)
def _only_where_it_holds(request: pytest.FixtureRequest) -> None:
    """Leave out what the host is known not to do."""
    if "host" in request.fixturenames:
        kind: type[Host] = request.getfixturevalue("host")
        module = request.module.__name__.rpartition(".")[2]
        reason = kind.differences.get(request.node.originalname) or kind.differences.get(module)
        if reason is not None:
            pytest.skip(reason)


@pytest.fixture(scope="session")
def stored(
    sites: Sites, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """The database of the hosts that have one; it outlasts them."""
    folder = tmp_path_factory.mktemp("hosts")
    with django_db_blocker.unblock(), hosts_database(folder), django_db_blocker.block():
        yield
        sites.close()


@pytest.fixture
def serve(host: type[Host], sites: Sites) -> Serve:
    """Serve a gateway: keywords are settings, or parts of it."""

    def serve(
        authenticate: Authenticate | None = None,
        transport: Callable[[], Transport] | None = None,
        keys: KeyStore | None = None,
        **changes: Any,
    ) -> Client:
        return sites.client(
            host, changes, authenticate=authenticate, transport=transport, keys=keys
        )

    return serve


@pytest.fixture
def client(serve: Serve) -> Client:
    """A client of the gateway with the suite's own settings."""
    return serve()


@pytest.fixture(autouse=True)
def _database(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let hosts use their database, until the ledger is settled."""
    kind = request.getfixturevalue("host") if "host" in request.fixturenames else None
    if kind is None or not kind.in_database:
        yield
        return
    request.getfixturevalue("stored")
    with django_db_blocker.unblock():
        yield


@pytest.fixture(autouse=True)
def ledger(
    _database: None, fake_upstream: FakeUpstream, sites: Sites, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """After each test: one true record for each request, and nothing in the log of errors."""
    fake_upstream.begin_test()
    yield
    sites.settle()
    # `caplog.records` are those of the phase that runs, and here that is the teardown.
    told = [*caplog.get_records("setup"), *caplog.get_records("call"), *caplog.records]
    told = [r for r in told if r.levelno >= logging.ERROR and not _tells_of_a_cut(r)]
    assert [] == [record.getMessage() for record in told]


def _tells_of_a_cut(record: logging.LogRecord) -> bool:
    """All that WSGI lets an app do to cut an answer is raise, and servers tell of it."""
    return record.exc_info is not None and isinstance(record.exc_info[1], StreamAborted)
