"""The cells of large bodies measure what their names say: how the body goes on to the provider."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.cells import Cell, cells
from benchmarks.processes import Process, held_port, run_process, wait_for_200
from benchmarks.stacks import LiteLLM, Portkey, Product, Site

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux")

_ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}}],
    }
).encode()
_CELLS = {cell.name: cell for cell in cells(1.0)}


class _Keeper(ThreadingHTTPServer):
    """Answers each chat, and keeps the bodies that it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.bodies: list[bytes] = []


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Keeper

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(_ANSWER)))
        self.end_headers()
        self.wfile.write(_ANSWER)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def provider() -> Iterator[_Keeper]:
    """A provider that keeps what it is sent."""
    with _Keeper() as keeper:
        thread = threading.Thread(target=keeper.serve_forever)
        thread.start()
        yield keeper
        keeper.shutdown()
        thread.join()


class _Served:
    def __init__(self, provider: _Keeper, site: Site, process: Process) -> None:
        self._provider = provider
        self._site = site
        self._process = process

    def pass_on(self, cell: Cell) -> tuple[bytes, bytes]:
        """Send a cell's request; returns its body, and the one that came to the provider."""
        headers, body = Product().request(cell, self._site)
        headers = {"content-type": "application/json", **headers}
        log = self._site.folder / "log"
        wait_for_200(self._process, self._site.port, "/v1/chat/completions", headers, body, log)
        return body, self._provider.bodies[-1]


@pytest.fixture(scope="module")
def served(provider: _Keeper, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Served]:
    """`llmgateway serve` before that provider, as the benchmarks start it."""
    folder = tmp_path_factory.mktemp("product")
    with held_port() as port:
        site = Site(folder, port, provider.server_port, "sk-of-the-test", cells(1.0))
        command = Product().prepare(site)
        environment = {"PATH": os.environ["PATH"], **command.environment}
        with run_process(command.words, None, folder / "log", environment, folder) as process:
            yield _Served(provider, site, process)


def test_big_goes_on_byte_for_byte(served: _Served) -> None:
    sent, came = served.pass_on(_CELLS["big"])

    assert sent == came


def test_spliced_goes_on_with_no_other_byte_changed(served: _Served) -> None:
    sent, came = served.pass_on(_CELLS["spliced"])

    assert json.loads(sent)["model"] != json.loads(came)["model"] == "bench-json"
    assert sent.replace(b'"model-of-the-client"', b'"bench-json"', 1) == came


def test_reencoded_is_written_anew(served: _Served) -> None:
    sent, came = served.pass_on(_CELLS["reencoded"])

    before, after = json.loads(sent), json.loads(came)
    assert before["temperature"] != after["temperature"]
    assert {**before, "temperature": after["temperature"]} == after
    # The benchmark's body has a space after each colon; one that is written anew has none.
    assert (True, False) == (b'"messages": [' in sent, b'"messages": [' in came)


@pytest.mark.parametrize("name", ["big", "spliced", "reencoded"])
def test_the_peers_are_sent_the_same(name: str, tmp_path: Path) -> None:
    site = Site(tmp_path, 1, 2, "sk-of-the-test", cells(1.0))
    stacks = (Product(), Portkey(tmp_path), LiteLLM(tmp_path))
    asked = [stack.request(_CELLS[name], site) for stack in stacks]

    # LiteLLM finds what it has to change by the model's name, and a text makes room for that.
    bodies = [{**json.loads(found[1]), "model": "", "messages": []} for found in asked if found]
    assert [bodies[0]] * 3 == bodies
