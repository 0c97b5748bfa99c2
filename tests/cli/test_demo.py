"""Every command that the demo prints is typed, twice, and does what its title says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from llmgateway.cli.demo import examples
from llmgateway.cli.welcome import Example
from tests.cli.server_process import ServerProcess, environment, serving

COMMAND_WITHIN_S = 30


@pytest.fixture(scope="module")
def demo() -> Iterator[ServerProcess]:
    """A demo server as `make run` starts it."""
    with serving("--demo") as server:
        yield server


def output(example: Example) -> str:
    """Type an example and return what it prints."""
    shell = [sys.executable, "-c"] if example.language == "python" else ["sh", "-c"]
    run = subprocess.run(
        [*shell, example.code],
        capture_output=True,
        text=True,
        check=True,
        timeout=COMMAND_WITHIN_S,
        env=environment(),
    )
    return run.stdout


def content(body: str) -> str:
    """Return what the assistant says in a whole answer."""
    text: str = json.loads(body)["choices"][0]["message"]["content"]
    return text


def head_and_body(answer: str) -> tuple[set[str], str]:
    """Split what `curl -i` prints into the lines of the head and the body."""
    head, _, body = answer.partition("\n\n")
    return set(head.splitlines()), body


def is_an_answer(out: str) -> None:
    assert "You said: Hello" == content(out)


def is_a_stream(out: str) -> None:
    events = [line.removeprefix("data: ") for line in out.splitlines() if line]
    pieces = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]

    assert "[DONE]" == events[-1]
    assert "You said: Hello" == "".join(piece.get("content") or "" for piece in pieces)


def is_a_retry(out: str) -> None:
    head, body = head_and_body(out.replace("\r", ""))

    assert {"HTTP/1.1 200 OK", "x-llmgateway-retry-attempt-count: 2"} <= head
    assert "You said: Hello" == content(body)


def is_a_fallback(out: str) -> None:
    head, body = head_and_body(out.replace("\r", ""))

    wanted = {"HTTP/1.1 200 OK", "x-llmgateway-last-used-option-index: config.targets[1]"}
    assert wanted <= head
    assert "You said: Hello" == content(body)


def is_a_condition(out: str) -> None:
    assert "fake-tokens-20" == json.loads(out)["model"]
    assert 20 == len(content(out).split())


def is_the_sdk(out: str) -> None:
    assert "You said: Hello\n" == out


CHECKS: tuple[Callable[[str], None], ...] = (
    is_an_answer,
    is_a_stream,
    is_a_retry,
    is_a_fallback,
    is_a_condition,
    is_the_sdk,
)


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=[c.__name__ for c in CHECKS])
def test_a_printed_command_works_twice(demo: ServerProcess, number: int) -> None:
    example = examples(demo.url)[number]

    assert f"# {example.title}\n{example.code}\n" in demo.greeting
    CHECKS[number](output(example))
    CHECKS[number](output(example))


def test_there_is_a_check_for_every_command() -> None:
    assert len(CHECKS) == len(examples("http://127.0.0.1:8787"))


def test_the_greeting_says_what_this_is(demo: ServerProcess) -> None:
    assert "access: local mode" in demo.greeting
    assert "demo mode: the provider `fake` answers" in demo.greeting


def test_commands_carry_the_client_key_where_one_is_needed() -> None:
    shown = examples("http://127.0.0.1:8787", with_key=True)

    assert all("LLMGATEWAY_KEY" in example.code for example in shown)
