"""The Starlette example as a reader runs it: `uvicorn app:app`, in front of the fake provider."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import openai
import pytest

from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread
from tests.guards.tree import ROOT

PROJECT = ROOT / "example_projects" / "starlette_app"
PROVIDER_KEY = "sk-of-the-operator"
_RUNS = re.compile(r"running on (http://\S+)")
_STOP_WITHIN_S = 20


@pytest.fixture(scope="module")
def fake() -> Iterator[tuple[FakeProvider, str]]:
    """The provider and its address."""
    provider = FakeProvider()
    with serve_in_thread(provider) as server:
        yield provider, f"{server.url}/v1"


@pytest.fixture(scope="module")
def url(fake: tuple[FakeProvider, str]) -> Iterator[str]:
    """The address of the app, served by a uvicorn of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--port", "0"],
        cwd=PROJECT,
        env={**os.environ, "OPENAI_API_KEY": PROVIDER_KEY, "OPENAI_BASE_URL": fake[1]},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    log = ""
    for line in process.stderr:
        log += line
        if found := _RUNS.search(line):
            break
    else:
        raise AssertionError(f"the app did not start: {log}")
    yield found[1]
    process.terminate()
    process.communicate(timeout=_STOP_WITHIN_S)


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    """The SDK with a user's token."""
    with openai.OpenAI(base_url=f"{url}/llm/v1", api_key="token-of-alice", max_retries=0) as client:
        yield client


def test_the_page_asks_the_model_within_the_process(url: str) -> None:
    answer = httpx.get(url, params={"q": "What is new?"}, trust_env=False, timeout=30)

    assert (200, "You said: What is new?") == (answer.status_code, answer.text)


def test_a_user_calls_with_a_token_of_the_app(
    client: openai.OpenAI, fake: tuple[FakeProvider, str]
) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
    )

    assert "You said: Hello" == answer.choices[0].message.content
    assert f"Bearer {PROVIDER_KEY}" == fake[0].requests[-1].headers.get("authorization")


def test_no_token_of_the_app_reaches_the_provider(
    client: openai.OpenAI, fake: tuple[FakeProvider, str]
) -> None:
    client.models.list()

    sent = b"".join(value for request in fake[0].requests for _, value in request.headers)
    assert b"token-of" not in sent


def test_a_user_gets_a_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}], stream=True
    )

    assert "You said: Hello" == "".join(
        chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices
    )


def test_a_stranger_is_refused(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/llm/v1", api_key="token-of-nobody") as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()


def test_the_app_fits_on_a_screen() -> None:
    lines = (PROJECT / "app.py").read_text(encoding="utf-8").splitlines()

    assert len(lines) <= 55
