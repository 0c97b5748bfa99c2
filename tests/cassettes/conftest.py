"""Gateways whose providers replay recordings, and what comes out of them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import BaseServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from llmgateway.gateway import Gateway
from llmgateway.providers import Provider
from llmgateway.testing.server import serve_in_thread
from llmgateway.types.record import Record
from llmgateway_asgi import GatewayApp
from tests.cassettes.corpus import Exchange, corpus, exchanges, tool
from tests.cassettes.recut import RecutServer
from tests.records import AwaitedRecords

CLIENT_KEY = "lgw_of_the_cassette_tests_01234567"
CALLERS_KEY = "sk-of-the-caller"
CASE, FAULT, SEED = "x-replay-case", "x-replay-fault", "x-recut-seed"


@dataclass(frozen=True)
class Answer:
    """What the client of the gateway got, and what the gateway wrote down."""

    status: int
    headers: httpx.Headers
    body: bytes
    is_cut: bool
    """Whether the connection broke off before the answer's end."""
    record: Record


@dataclass(frozen=True)
class Replayed:
    """A gateway in front of a server of recordings."""

    client: httpx.Client
    upstream: str
    """The origin of the server."""
    records: AwaitedRecords

    def head(self, exchange: Exchange, trace_id: str) -> dict[str, str]:
        """Return the headers that name a recording, to the gateway and to the server behind it."""
        head = {
            CASE: exchange.id,
            "x-llmgateway-api-key": CLIENT_KEY,
            "x-llmgateway-provider": exchange.row.name,
            "x-llmgateway-trace-id": trace_id,
        }
        if exchange.is_hosted:
            head["x-llmgateway-custom-host"] = f"{self.upstream}/@{exchange.provider}"
        return head

    def ask(self, exchange: Exchange, fault: str = "", seed: str = "") -> Answer:
        """Ask for a recording; `fault` and `seed` say how its bytes are to be cut."""
        trace = uuid.uuid4().hex
        head = {**exchange.headers, **self.head(exchange, trace), FAULT: fault, SEED: seed}
        head["authorization"] = f"Bearer {CALLERS_KEY}"
        pieces, is_cut = [], False
        with self.client.stream(
            exchange.method, exchange.url, content=exchange.body, headers=head
        ) as response:
            try:
                for piece in response.iter_raw():
                    pieces.append(piece)
            except httpx.RemoteProtocolError:
                is_cut = True
        record = self.records.of(trace)
        return Answer(response.status_code, response.headers, b"".join(pieces), is_cut, record)


@pytest.fixture(scope="session")
def upstream() -> Iterator[Any]:
    """The replay tool's server; it has a log in `state.log`."""
    state = tool().State(corpus())
    server = tool().ReplayServer(state)
    server.state = state
    with served(server):
        yield server


@pytest.fixture(scope="session")
def replayed(upstream: Any) -> Iterator[Replayed]:
    """A gateway in front of the replay tool."""
    with gateway(f"http://127.0.0.1:{upstream.port}") as replayed:
        yield replayed


@pytest.fixture(scope="session")
def recut() -> Iterator[Replayed]:
    """A gateway in front of a server that cuts recordings at random."""
    server = RecutServer(corpus())
    with served(server), gateway(f"http://127.0.0.1:{server.port}") as recut:
        yield recut


@pytest.fixture(scope="session")
def whole(replayed: Replayed, upstream: Any) -> Callable[[Exchange], tuple[Answer, dict[str, Any]]]:
    """Returns a recording's answer, asked for once, and what the provider was sent."""
    seen: dict[str, tuple[Answer, dict[str, Any]]] = {}

    def ask(exchange: Exchange) -> tuple[Answer, dict[str, Any]]:
        if exchange.id not in seen:
            answer = replayed.ask(exchange)
            seen[exchange.id] = answer, upstream.state.log[-1]
        return seen[exchange.id]

    return ask


@contextmanager
def served(server: BaseServer) -> Iterator[None]:
    """Run a server of the standard library in a thread."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def gateway(upstream: str) -> Iterator[Replayed]:
    """Serve a gateway all of whose providers are at `upstream`, each below its recorded name."""
    records = AwaitedRecords()
    served_by_name = [exchange for exchange in exchanges() if not exchange.is_hosted]
    settings = {
        "client_keys": {"cassettes": CLIENT_KEY},
        "providers": {
            exchange.row.name: _place(exchange.row, f"{upstream}/@{exchange.provider}")
            for exchange in served_by_name
        },
        "forward_headers": [CASE, FAULT, SEED],
        "allow_loopback_upstreams": True,
    }
    app = GatewayApp(Gateway(settings, records=records))
    with (
        serve_in_thread(app) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        yield Replayed(client, upstream, records)


def _place(row: Provider, url: str) -> dict[str, str]:
    """Return settings that keep the path of a row's own base URL, and its options in their form."""
    options = {option.name: "example-resource" for option in row.options if option.required}
    if "azure_foundry_url" in options:
        return {"azure_foundry_url": f"{url}/models"}
    base = row.base_url_for(options)
    return {**options, "base_url": url + (urlsplit(base).path if base else "")}
