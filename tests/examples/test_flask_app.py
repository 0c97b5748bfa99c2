"""The Flask example as a reader runs it: `flask run`, in front of the fake provider."""

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

PROJECT = ROOT / "example_projects" / "flask_app"
PROVIDER_KEY = "sk-of-the-operator"
_RUNS = re.compile(r"Running on (http://\S+)")
_STOP_WITHIN_S = 20


@pytest.fixture(scope="module")
def fake() -> Iterator[tuple[FakeProvider, str]]:
    """The provider and its address."""
    provider = FakeProvider()
    with serve_in_thread(provider) as server:
        yield provider, f"{server.url}/v1"


@pytest.fixture(scope="module")
def url(fake: tuple[FakeProvider, str]) -> Iterator[str]:
    """The address of the app, served by Flask's own server."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "assistant", "run", "--port", "0"],
        cwd=PROJECT,
        env={
            **os.environ,
            "OPENAI_API_KEY": PROVIDER_KEY,
            "FLASK_LLMGATEWAY__PROVIDERS__OPENAI__BASE_URL": fake[1],
            "FLASK_LLMGATEWAY__ALLOW_LOOPBACK_UPSTREAMS": "true",
        },
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
def browser(url: str) -> Iterator[httpx.Client]:
    """A browser in which nobody has logged in."""
    with httpx.Client(base_url=url, follow_redirects=True, trust_env=False, timeout=30) as browser:
        yield browser


@pytest.fixture
def alice(browser: httpx.Client) -> httpx.Client:
    """A browser in which Alice has."""
    answer = browser.post("/login", data={"name": "alice", "password": "wonderland"})

    assert "You are alice." in answer.text
    return browser


def words(events: str) -> str:
    """Return the text of a stream."""
    return "".join(re.findall(r'"content":"([^"]*)"', events))


def test_who_has_not_logged_in_is_asked_to(browser: httpx.Client) -> None:
    assert "<title>Log in</title>" in browser.get("/").text
    assert 403 == browser.post("/ask", json={"question": "Hello"}).status_code


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_wrong_password_is_no_login(browser: httpx.Client, name: str) -> None:
    for password in ("", "-", "guess"):
        browser.post("/login", data={"name": name, "password": password})

    assert "<title>Log in</title>" in browser.get("/").text


def test_a_question_is_answered_by_a_stream(
    alice: httpx.Client, fake: tuple[FakeProvider, str]
) -> None:
    with alice.stream("POST", "/ask", json={"question": "What is new?"}) as answer:
        pieces = list(answer.iter_text())

    assert "text/event-stream" == answer.headers["content-type"].partition(";")[0]
    assert "You said: What is new?" == words("".join(pieces))
    assert f"Bearer {PROVIDER_KEY}" == fake[0].requests[-1].headers.get("authorization")


def test_a_form_of_another_site_cannot_ask(alice: httpx.Client) -> None:
    assert 403 == alice.post("/ask", data={"question": "Hello"}).status_code


def test_a_session_does_not_open_the_api(alice: httpx.Client) -> None:
    assert 401 == alice.get("/llm/v1/models").status_code


def test_after_the_logout_nobody_is_known(alice: httpx.Client) -> None:
    alice.post("/logout")

    assert 403 == alice.post("/ask", json={"question": "Hello"}).status_code


def test_a_program_calls_with_a_token_of_the_app(url: str, fake: tuple[FakeProvider, str]) -> None:
    with openai.OpenAI(base_url=f"{url}/llm/v1", api_key="token-of-alice") as client:
        answer = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
        )

    assert "You said: Hello" == answer.choices[0].message.content
    sent = b"".join(value for request in fake[0].requests for _, value in request.headers)
    assert b"token-of" not in sent


def test_a_stranger_is_refused(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/llm/v1", api_key="token-of-nobody") as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()


def test_each_file_fits_on_a_screen() -> None:
    files = [path for path in PROJECT.rglob("*") if path.suffix in (".py", ".html")]
    long = [path.name for path in files if len(path.read_text("utf-8").splitlines()) > 55]

    assert 6 == len(files)
    assert [] == long
