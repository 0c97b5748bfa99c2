"""The fake provider on a real socket, and unmodified SDK clients in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import openai
import pytest

from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread


@pytest.fixture(scope="package")
def served() -> Iterator[tuple[FakeProvider, str]]:
    """A fake provider and its address; one for all tests, since it starts anew with each call."""
    fake = FakeProvider()
    with serve_in_thread(fake) as server:
        yield fake, server.url


@pytest.fixture
def fake(served: tuple[FakeProvider, str]) -> FakeProvider:
    """The fake provider with an empty log."""
    served[0].requests.clear()
    return served[0]


@pytest.fixture
def client(served: tuple[FakeProvider, str]) -> Iterator[openai.OpenAI]:
    """The `openai` SDK."""
    with openai.OpenAI(base_url=f"{served[1]}/v1", api_key="sk-any", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(served: tuple[FakeProvider, str]) -> AsyncIterator[openai.AsyncOpenAI]:
    """The `openai` SDK, async."""
    async with openai.AsyncOpenAI(
        base_url=f"{served[1]}/v1", api_key="sk-any", max_retries=0
    ) as client:
        yield client


@pytest.fixture
def http(served: tuple[FakeProvider, str]) -> Iterator[httpx.Client]:
    """A bare HTTP client."""
    with httpx.Client(base_url=f"{served[1]}/v1", trust_env=False) as client:
        yield client
