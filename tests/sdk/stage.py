"""The stage of these tests: the fake provider, gateways in front of it, and what they did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from llmgateway.engine.world import World
from llmgateway.gateway import Gateway
from llmgateway.testing import FakeProvider
from llmgateway.testing.fake_row import FAKE
from llmgateway.testing.server import serve_in_thread
from llmgateway.transport.base import Transport
from llmgateway_asgi import GatewayApp
from tests.records import AwaitedRecords

CLIENT_KEY = "lgw_of_the_sdk_tests_0123456789"
STORED_KEY = "sk-stored-in-the-gateway"


@dataclass(frozen=True)
class Stage:
    """One gateway on a socket of its own, and the fake provider behind it."""

    url: str
    """The base URL that an SDK is given."""
    fake: FakeProvider
    records: AwaitedRecords
    waits: list[float] = field(default_factory=list)
    """The seconds that retries would have waited."""


@contextmanager
def staged(fake: FakeProvider, fake_url: str, **settings: Any) -> Iterator[Stage]:
    """Serve a gateway that calls the fake provider, whose back-off takes no time.

    The provider `openai` is the default one and has a stored key; `groq` and `mistral-ai` have
    none; `fake` needs none.
    """
    records, waits = AwaitedRecords(), list[float]()

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    gateway = Gateway(
        {
            "default_provider": "openai",
            "providers": {
                "openai": {"base_url": f"{fake_url}/v1", "api_key": STORED_KEY},
                "groq": {"base_url": f"{fake_url}/openai/v1"},
                "mistral-ai": {"base_url": f"{fake_url}/v1"},
                "fake": {"base_url": f"{fake_url}/v1", "models": ["fake"]},
            },
            "allow_loopback_upstreams": True,
            **settings,
        },
        records=records,
        providers=[FAKE],
        world=World(transport=_made_by_the_gateway, sleep=wait),
    )
    with serve_in_thread(GatewayApp(gateway)) as server:
        yield Stage(f"{server.url}/v1", fake, records, waits)


def _made_by_the_gateway() -> Transport:
    raise AssertionError("the gateway puts its own transport here")
