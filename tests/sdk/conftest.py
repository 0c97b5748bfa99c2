"""Gateways that all tests of this folder share, and the `openai` SDK in front of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import anthropic
import openai
import pytest

from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread
from tests.cassettes.conftest import served
from tests.cassettes.corpus import TOOL, tool
from tests.sdk.messages import Sdk
from tests.sdk.replay import Replay, private_corpus
from tests.sdk.stage import CLIENT_KEY, STORED_KEY, Stage, staged


@pytest.fixture(scope="session")
def provider() -> Iterator[tuple[FakeProvider, str]]:
    """The fake provider and its address."""
    fake = FakeProvider()
    with serve_in_thread(fake) as server:
        yield fake, server.url


@pytest.fixture(scope="session")
def keyed(provider: tuple[FakeProvider, str]) -> Iterator[Stage]:
    """A gateway that asks for a client key."""
    with staged(*provider, client_keys={"sdk": CLIENT_KEY}) as stage:
        yield stage


@pytest.fixture(scope="session")
def hasty(provider: tuple[FakeProvider, str]) -> Iterator[Stage]:
    """A gateway that gives a provider half a second: enough for words that come at once."""
    limits = {"first_byte_s": 0.5, "idle_s": 0.5}
    with staged(*provider, client_keys={"sdk": CLIENT_KEY}, limits=limits) as stage:
        yield stage


@pytest.fixture(scope="session")
def local(provider: tuple[FakeProvider, str]) -> Iterator[Stage]:
    """A gateway in local mode, without any stored key."""
    bare = {"openai": {"base_url": f"{provider[1]}/v1"}}
    with staged(*provider, access="local", providers=bare, default_provider=None) as stage:
        yield stage


@pytest.fixture(scope="session")
def relay(provider: tuple[FakeProvider, str]) -> Iterator[Stage]:
    """A gateway that is open to whoever brings a provider key."""
    with staged(*provider, access="open") as stage:
        yield stage


@pytest.fixture(scope="session")
def translating(provider: tuple[FakeProvider, str]) -> Iterator[Replay]:
    """A gateway whose providers are the fake one, and Anthropic and Google as recorded."""
    if not TOOL.is_file():
        pytest.skip("no recordings: ../shared is not beside the project")
    upstream = tool().ReplayServer(tool().State(private_corpus()))
    replayed, fake = f"http://127.0.0.1:{upstream.port}", f"{provider[1]}/v1"
    settings: dict[str, Any] = {
        "client_keys": {"sdk": CLIENT_KEY},
        "default_provider": None,
        "providers": {
            "openai": {"base_url": fake, "api_key": STORED_KEY},
            # Of the providers of OpenAI's format one that serves no /responses.
            "cerebras": {"base_url": fake, "api_key": STORED_KEY},
            "anthropic": {"base_url": f"{replayed}/@anthropic/v1", "api_key": STORED_KEY},
            "google": {"base_url": f"{replayed}/@gemini", "api_key": STORED_KEY},
        },
    }
    with served(upstream), staged(*provider, **settings) as stage:
        yield Replay(stage, upstream.RequestHandlerClass.state)


@pytest.fixture
def replay(translating: Replay) -> Replay:
    """The gateway in front of recordings, with empty logs."""
    translating.state.queue.clear()
    translating.state.log.clear()
    translating.stage.fake.requests.clear()
    return translating


@pytest.fixture
def sdk(replay: Replay) -> Iterator[Sdk]:
    """Returns the `anthropic` SDK, which does not retry, in front of a provider."""
    with ExitStack() as clients:

        def client(provider: str) -> anthropic.Anthropic:
            return clients.enter_context(
                anthropic.Anthropic(
                    base_url=replay.origin,
                    api_key=CLIENT_KEY,
                    max_retries=0,
                    default_headers={"x-llmgateway-provider": provider},
                )
            )

        yield client


@pytest.fixture
def stage(keyed: Stage) -> Stage:
    """The gateway that asks for a client key, with empty logs."""
    keyed.fake.requests.clear()
    keyed.waits.clear()
    return keyed


@pytest.fixture
def client(stage: Stage) -> Iterator[openai.OpenAI]:
    """The `openai` SDK, which does not retry."""
    with openai.OpenAI(base_url=stage.url, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(stage: Stage) -> AsyncIterator[openai.AsyncOpenAI]:
    """The async `openai` SDK, which does not retry."""
    async with openai.AsyncOpenAI(base_url=stage.url, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client
