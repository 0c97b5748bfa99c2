"""Every fenced example of the documentation runs, and prints what the page says."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from llmgateway.guardrails import Check, declare, declared
from llmgateway.guardrails.pii.recognise import recognise_with
from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread
from tests.cli.server_process import serving
from tests.docs.moved import move_in_process, moved_file
from tests.docs.pages import Block, blocks, name, pages
from tests.docs.stage import DEFAULT_PORT, KEYS, Stage, fits
from tests.guards.tree import ROOT

SKIPPED = {
    "make run     # a demo gateway on port 8787; no provider key needed": (
        "sets up an environment of its own, and serves for ever"
    ),
    "pip install 'llmgateway[standalone]'": "needs a package index",
    "pip install 'llmgateway[http2]'": "needs a package index",
    "pip install 'llmgateway[standalone]' starlette": "needs a package index",
    "pip install 'llmgateway[guardrails]'": "needs a package index",
    "pip install 'llmgateway[django]'": "needs a package index",
    "pip install 'llmgateway[django,standalone]' openai": "needs a package index",
    "pip install 'llmgateway[flask]'": "needs a package index",
    "pip install 'llmgateway[flask,standalone]'": "needs a package index",
    '[upstream_transports."https://llm.internal.example:8443"]': "its files are the reader's",
    "from langchain_openai import ChatOpenAI": "the package is no dependency of the tests",
}
"""What cannot be run here, by the block's first line, and why."""

NODE = ROOT / "tests" / "sdk" / "node"


@pytest.fixture(scope="module")
def fake_address() -> Iterator[str]:
    """The address that stands for all real providers."""
    with serve_in_thread(FakeProvider()) as server:
        yield f"{server.url}/v1"


@pytest.fixture(scope="module")
def demo_port(fake_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The port of a gateway in demo mode, which most pages take for granted."""
    config = tmp_path_factory.mktemp("demo") / "demo.toml"
    config.write_text(moved_file("", fake_address))
    with serving("--demo", "--config", str(config)) as server:
        yield server.url.rpartition(":")[2]


@pytest.fixture
def stage(
    fake_address: str, demo_port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A stage for one page."""
    move_in_process(monkeypatch, fake_address)
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    before = {check.id for check in declared()}
    with Stage(tmp_path, demo_port, fake_address) as stage:
        yield stage
        # What a page's app has for itself is not for the tests that follow in this process.
        recognise_with(None)
        for id_ in [check.id for check in declared() if not _is_ours(check)]:
            if id_ not in before:
                del declare._declared[id_]


def _is_ours(check: Check) -> bool:
    return check.function.__module__.startswith("llmgateway.")


# Clients that a page's reader would leave open are left open here, too.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:portkey_ai")
@pytest.mark.parametrize("page", pages(), ids=name)
def test_the_examples_of_a_page_do_what_it_says(page: Path, stage: Stage, tmp_path: Path) -> None:
    if page.parent.parent.name == "example_projects":
        shutil.copytree(page.parent, tmp_path, dirs_exist_ok=True)
    printed = ""
    for block in blocks(page):
        if block.label == "output":
            expected = stage.on_our_ports(block.text)

            assert fits(expected, printed), f"{block.place}: expected\n{expected}\ngot\n{printed}"
        elif block.first_line not in SKIPPED:
            try:
                printed = stage.play(block)
            except Exception as error:
                raise AssertionError(f"{block.place} fails: {error}") from error


def every_block() -> Iterator[Block]:
    """Yield the blocks of all pages."""
    for page in pages():
        yield from blocks(page)


@pytest.mark.parametrize(
    "block", [b for b in every_block() if b.language == "js"], ids=lambda block: block.place
)
def test_a_javascript_example_runs(block: Block, demo_port: str) -> None:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "openai").exists():
        pytest.skip("node or the npm package openai is absent")
    code = block.text.replace(f":{DEFAULT_PORT}", f":{demo_port}")
    done = subprocess.run(
        [node, "--input-type=module", "--eval", code],
        cwd=NODE,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert "You said: Hello" == done.stdout.strip()


def test_what_is_skipped_is_there_and_has_a_reason() -> None:
    first_lines = {block.first_line for block in every_block()}

    assert [] == [line for line, why in SKIPPED.items() if line not in first_lines or not why]


def test_only_known_languages_are_fenced() -> None:
    known = {"bash", "python", "json", "toml", "js", "text"}

    assert [] == [block.place for block in every_block() if block.language not in known]


def test_an_output_follows_what_prints_it() -> None:
    wrong = [
        after.place
        for before, after in pairwise(every_block())
        if after.label == "output" and before.language not in ("bash", "python")
    ]

    assert [] == wrong
