"""Recorded answers with each fault of `replay_upstream`: plain, with a retry, with a fallback."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmgateway.testing.fake import CALL_ID_HEADER
from tests.faults.conftest import QUICKLY_S, outcome
from tests.http.client import Answer, Client, encode
from tests.http.conftest import Serve
from tests.http.upstreams import FakeUpstream

TOOL = Path(__file__).resolve().parents[2] / "../shared/tools/replay_upstream.py"
CASES = {
    "json": "openai/chat/team-coordinate-run-3",
    "sse": "openai/chat/chat-completions-post-5940fcfa-stream",
}
HARMLESS = ["delay=0.05", "pace=0.001", "chunk=13", "split-utf8", "split-utf8,chunk=50"]
FAILING = [
    *(f"status={status}" for status in (400, 401, 403, 404, 409, 422)),
    *(f"status={status}" for status in (429, 500, 502, 503, 504, 529)),
    "status=429,retry-after=1", "reset", "drop=0", "truncate=0", "delay=3",
]  # fmt: skip
BREAKING = [
    "drop=1", "drop=10%", "drop=50%", "drop=90%", "truncate=1", "truncate=10%", "truncate=50%",
    "truncate=90%", "short-chunk", "malformed", "stall=2", "chunk=100,stall=2",
]  # fmt: skip


@cache
def tool() -> Any:
    """Return the tool as a module; it lies beside the project, not in it."""
    if not TOOL.exists():
        pytest.skip(f"{TOOL} is absent: the replayed faults were NOT tried")
    spec = importlib.util.spec_from_file_location("replay_upstream", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    module.Handler.disable_nagle_algorithm = True  # else each answer is 40 ms late
    return module


class Replay:
    """The tool's server, in a thread."""

    def __init__(self) -> None:
        self._state = tool().State(tool().Corpus([tool().DEFAULT_CORPUS], "openai"))
        self._server = tool().ReplayServer(self._state)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.base = f"http://127.0.0.1:{self._server.port}/v1"

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def forget(self) -> None:
        """Begin a new log."""
        self._state.log.clear()

    def call_ids(self) -> list[str | None]:
        """Return the gateway's id of each request."""
        named = [{k.lower(): v for k, v in row["headers"].items()} for row in self._state.log]
        return [headers.get(CALL_ID_HEADER) for headers in named]

    def case(self, kind: str) -> Any:
        """Return the recorded case of this kind."""
        return self._state.corpus.cases[CASES[kind]]

    def next(self, kind: str, *faults: str) -> None:
        """Answer the next requests with the case and these faults, then without any."""
        self._state.queue.clear()
        for fault in (*faults, "", ""):
            self._state.queue.append({"case": CASES[kind], "fault": fault})


@pytest.fixture(scope="module")
def server() -> Iterator[Replay]:
    """The tool's server."""
    server = Replay()
    yield server
    server.close()


@pytest.fixture
def replay(server: Replay, upstream: FakeUpstream) -> Replay:
    """The tool's server, whose requests count in the ledger."""
    server.forget()
    upstream.more_ids = server.call_ids
    return server


def ask(client: Client, replay: Replay, kind: str, fault: str, **config: Any) -> Answer:
    """Send the recorded request through the gateway; the fault comes once."""
    replay.next(kind, fault)
    target = {"provider": "openai", "api_key": "k", "custom_host": replay.base}
    whole = {**target, **config}
    if "strategy" in config:
        whole = {**config, "targets": [target, target]}
    body = {**replay.case(kind).request["body"]}
    if kind == "sse":
        body["stream_options"] = {"include_usage": True}
    started = time.monotonic()
    found = client.post("/v1/chat/completions", body, x_portkey_config=encode(whole).decode())
    assert time.monotonic() - started < QUICKLY_S
    return found


RETRY = {"retry": {"attempts": 1}}
FALL_BACK = {"strategy": {"mode": "fallback"}}
LISTED = (429, 500, 502, 503, 504, 529)


def test_a_kept_connection_that_dies_is_replaced_once(serve: Serve, replay: Replay) -> None:
    """It proves nothing about the provider, so it is no retry (R16)."""
    client = serve()
    ask(client, replay, "json", "")
    found = ask(client, replay, "json", "reset")
    client.records.wait_for(2)
    attempts = client.records.new()[-1].attempts

    assert "relayed" == outcome(found, replay.case("json").payload())
    assert "0" == found.field("retry-attempt-count")
    assert [("connection_lost", False), (None, True)] == [(a.error, a.resent) for a in attempts]


@pytest.mark.parametrize("fault", HARMLESS)
@pytest.mark.parametrize("kind", CASES)
def test_a_harmless_fault_changes_nothing(
    client: Client, replay: Replay, kind: str, fault: str
) -> None:
    payload = replay.case(kind).payload()

    for config in ({}, RETRY, FALL_BACK):
        assert "relayed" == outcome(ask(client, replay, kind, fault, **config), payload)
    assert client.records.wait_for(3)
    assert [1, 1, 1] == [len(record.attempts) for record in client.records.new()]


@pytest.mark.parametrize("fault", FAILING)
@pytest.mark.parametrize("kind", CASES)
def test_a_failure_is_told_retried_and_fallen_back_from(
    client: Client, replay: Replay, kind: str, fault: str
) -> None:
    payload = replay.case(kind).payload()
    plain = ask(client, replay, kind, fault)
    retried = ask(client, replay, kind, fault, **RETRY)
    fallen = ask(client, replay, kind, fault, **FALL_BACK)

    assert "error" == outcome(plain)
    assert ("relayed" if plain.status in LISTED else "error") == outcome(retried, payload)
    assert "relayed" == outcome(fallen, payload)
    assert "config.targets[1]" == fallen.field("last-used-option-index")
    if fault.startswith("status="):
        assert fault.partition("=")[2].startswith(str(plain.status))
    else:
        assert plain.status in (502, 504)


@pytest.mark.parametrize("fault", BREAKING)
def test_a_broken_json_body_is_told_retried_and_fallen_back_from(
    client: Client, replay: Replay, fault: str
) -> None:
    payload = replay.case("json").payload()
    plain = ask(client, replay, "json", fault)

    assert "error" == outcome(plain)
    assert plain.status in (502, 504)
    assert "relayed" == outcome(ask(client, replay, "json", fault, **RETRY), payload)
    assert "relayed" == outcome(ask(client, replay, "json", fault, **FALL_BACK), payload)


@pytest.mark.parametrize("fault", BREAKING)
@pytest.mark.parametrize("config", [{}, RETRY, FALL_BACK], ids=["plain", "retry", "fallback"])
def test_a_broken_stream_is_never_taken_for_a_whole_one(
    client: Client, replay: Replay, fault: str, config: dict[str, Any]
) -> None:
    payload = replay.case("sse").payload()
    found = ask(client, replay, "sse", fault, **config)
    seen = outcome(found, None if fault == "malformed" else payload)

    if fault in ("drop=1", "truncate=1"):
        assert ("relayed" if config else "error") == seen
    elif fault == "malformed":
        assert "relayed" == seen, "one event in it is no JSON, and is the caller's to judge"
    elif "drop" in fault or fault == "short-chunk":
        assert seen == "cut" or (seen == "relayed" and config) or (seen == "error" and not config)
    else:
        assert "cut" == seen
    if seen == "cut":
        assert payload.startswith(found.body[: len(found.body) // 20])
        assert 1 == len(client.new_record().attempts)
