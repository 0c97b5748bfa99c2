"""The Django example as a reader runs it: `python demo.py`, with the fake provider it starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.examples.ports import reserved_port
from tests.guards.tree import ROOT, name
from tests.wsgi.processes import soon

PROJECT = ROOT / "example_projects" / "django_project"
MAX_LINES = 56
_RUNS = "development server at "
"""Django 6.1 calls it the WSGI development server, those before it do not."""
_START_WITHIN_S = 60
_STOP_WITHIN_S = 20
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A reader's environment, without a provider's key and with a database of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "DJANGO_"))}
    database = tmp_path_factory.mktemp("django_project") / "db.sqlite3"
    return {**kept, "DATABASE": str(database), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def url(environment: dict[str, str]) -> Iterator[str]:
    """The address of the project, served by Django's own server."""
    with (
        reserved_port() as port,
        subprocess.Popen(
            [sys.executable, "demo.py", str(port)],
            cwd=PROJECT,
            env=environment,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        late = threading.Timer(_START_WITHIN_S, process.kill)
        late.start()
        log = ""
        for line in process.stdout:
            log += line
            if _RUNS in line:
                break
        else:
            raise AssertionError(f"the project did not start: {log}")
        late.cancel()
        yield f"http://127.0.0.1:{port}"
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
    answer = send(browser, "/login", username="alice", password="wonderland")

    assert "You are alice of Tea party." in answer.text
    return browser


def send(browser: httpx.Client, path: str, page: str = "", **fields: str) -> httpx.Response:
    """Send a form, with the token of the page that it is on."""
    found = _TOKEN.search(browser.get(page or path).text)
    assert found is not None
    return browser.post(path, data={"csrfmiddlewaretoken": found[1], **fields})


@pytest.fixture
def key(url: str, environment: dict[str, str]) -> str:
    """A key that the command makes, while the project runs."""
    made = subprocess.run(
        [sys.executable, "manage.py", "llmgateway_createkey", "reports"],
        cwd=PROJECT,
        env={**environment, "OPENAI_API_KEY": "any"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return made.stdout.strip()


def test_who_has_not_logged_in_is_asked_to(browser: httpx.Client) -> None:
    assert "<title>Log in</title>" in browser.get("/").text
    assert "<title>Log in</title>" in send(browser, "/ask", "/login", question="Hello").text


@pytest.mark.parametrize("path", ["/ask", "/ask-within"])
def test_a_question_is_answered(alice: httpx.Client, path: str) -> None:
    answer = send(alice, path, "/", question="What is new?")

    assert (200, "You said: What is new?") == (answer.status_code, answer.text)
    assert "text/plain; charset=utf-8" == answer.headers["content-type"]


@pytest.mark.parametrize("path", ["/ask", "/ask-within"])
def test_a_form_of_another_site_cannot_ask(alice: httpx.Client, path: str) -> None:
    assert 403 == alice.post(path, data={"question": "Hello"}).status_code


def test_the_log_tells_who_asked(alice: httpx.Client) -> None:
    for path in ("/ask", "/ask-within"):
        send(alice, path, "/", question="What is new?")

    assert soon(lambda: {"by the project's key", "by herself"} <= asked(alice))


def asked(browser: httpx.Client) -> set[str]:
    """Return how Alice asked what is in the admin's log."""
    found = set()
    for row in re.findall(r'href="(/admin/llmgateway/requestlog/[^"?/]+/change/)', log(browser)):
        page = browser.get(row).text
        if "Tea party" in page:
            found.add("by the project's key")
        elif "user:1" in page:
            found.add("by herself")
    return found


def log(browser: httpx.Client) -> str:
    """Return the admin's list of requests."""
    return browser.get("/admin/llmgateway/requestlog/").text


def test_a_session_does_not_open_the_api(alice: httpx.Client) -> None:
    assert 401 == alice.get("/llm/v1/models").status_code


def test_a_program_calls_with_a_key(url: str, key: str) -> None:
    with openai.OpenAI(base_url=f"{url}/llm/v1", api_key=key) as client:
        answer = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}]
        )

    assert "You said: Hello" == answer.choices[0].message.content


def test_a_stranger_is_refused(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/llm/v1", api_key="lgw_nobody") as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()


def test_the_migrations_are_complete(url: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=PROJECT,
        env={**environment, "OPENAI_API_KEY": "any"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (0, "") == (done.returncode, done.stderr), done.stdout


def test_each_file_fits_on_a_screen() -> None:
    files = [
        path
        for path in PROJECT.rglob("*")
        if path.suffix in (".py", ".html") and path.parent.name != "migrations"
    ]
    long = [name(path) for path in files if len(path.read_text("utf-8").splitlines()) > MAX_LINES]

    assert 14 == len(files)
    assert [] == long
