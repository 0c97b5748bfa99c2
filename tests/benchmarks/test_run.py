"""The C programs build and do what the benchmarks rely on; the product passes each kind of cell."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from benchmarks.build import COMPILER, Programs, build
from benchmarks.cells import Cell, cells
from benchmarks.hosts import HOSTS, Host
from benchmarks.processes import Cores
from benchmarks.run import Bench, Length
from benchmarks.stacks import Direct, Product

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux"),
    pytest.mark.skipif(COMPILER is None, reason="the benchmarks' programs need gcc"),
]

_KEY = "sk-of-the-test"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Both programs, built without a warning."""
    return build(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def port(programs: Programs) -> Iterator[int]:
    """The mock provider's."""
    command = [str(programs.upstream), _KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()


def ask(port: int, model: str, **headers: str) -> tuple[int, bytes]:
    """Send a chat to the mock provider; returns status and body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": model}), headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def stats(port: int) -> dict[str, int]:
    """Return the mock provider's counters."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/stats")
    found: dict[str, int] = json.load(connection.getresponse())
    connection.close()
    return found


def load(
    programs: Programs, port: int, folder: Path, *words: str, model: str = "bench-json", key: str
) -> dict[str, Any]:
    """Run the load generator for a moment; returns what it told."""
    body = json.dumps({"model": model})
    head = f"POST / HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-length: {len(body)}"
    request = folder / "request"
    request.write_bytes(f"{head}\r\n\r\n{body}".encode())
    command = [str(programs.loadgen), str(port), str(request), *words]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_upstream_answers_a_chat(port: int) -> None:
    status, body = ask(port, "bench-json", authorization=f"Bearer {_KEY}")

    assert 200 == status
    assert "chat.completion" == json.loads(body)["object"]
    assert 900 < len(body) < 1200


def test_the_upstream_counts_a_wrong_key(port: int) -> None:
    before = stats(port)["bad_auth"]

    assert 401 == ask(port, "bench-json", authorization=f"Bearer {_KEY}x")[0]
    assert 401 == ask(port, "bench-json")[0]
    assert 2 == stats(port)["bad_auth"] - before


@pytest.mark.parametrize(
    ("model", "events"), [("bench-sse", 100), ("bench-messages", 100), ("bench-paced-2", 4)]
)
def test_a_stream_has_its_events(port: int, model: str, events: int) -> None:
    status, body = ask(port, model, **{"x-api-key": _KEY})

    data = [line[6:] for line in body.splitlines() if line.startswith(b"data: ")]
    whole = [json.loads(line) for line in data if line != b"[DONE]"]
    assert (200, events) == (status, len(whole))
    assert all(isinstance(event, dict) for event in whole)


def test_the_load_generator_finds_no_fault_where_there_is_none(
    programs: Programs, port: int, tmp_path: Path
) -> None:
    told = load(programs, port, tmp_path, "4", "0.05", "json", "900", key=_KEY)

    assert told["completed"] == told["latency_us"]["count"] > 0
    assert [0, 0, 0, 0] == [told[kind] for kind in ("refused", "bad_status", "cut", "short")]


def test_it_counts_bad_statuses_and_short_answers(
    programs: Programs, port: int, tmp_path: Path
) -> None:
    refused = load(programs, port, tmp_path, "2", "0.02", "json", "900", key="sk-other")
    short = load(programs, port, tmp_path, "2", "0.02", "sse", "500", model="bench-sse", key=_KEY)

    assert (0, True) == (refused["completed"], refused["bad_status"] > 0)
    assert refused["first_bad"].startswith("HTTP/1.1 401")
    assert short["completed"] == short["short"] > 0


def test_it_reads_the_delay_of_each_paced_event(
    programs: Programs, port: int, tmp_path: Path
) -> None:
    told = load(
        programs, port, tmp_path, "3", "0.1", "paced", "4", "10", model="bench-paced-4", key=_KEY
    )

    assert (3, 12, 12, 0) == (
        told["completed"],
        told["events"],
        told["delay_us"]["count"],
        told["short"] + told["unfinished"],
    )


def small(cell: Cell) -> Cell:
    """Return a cell that takes a moment."""
    return replace(cell, in_flight=min(cell.in_flight, 4), ramp_ms=10)


def test_the_product_passes_each_kind_of_cell(programs: Programs, tmp_path: Path) -> None:
    length = Length(seconds=0.1, repeats=1, warm_s=0.02, first_warm_s=0.02, begin_warm_s=0.02)
    kept = ("c16", "spliced", "reencoded", "sse16", "translated", "paced256")
    wanted = [small(cell) for cell in cells(length.seconds) if cell.name in kept]

    with Bench(programs, Cores(None, None), length, tmp_path) as bench:
        samples = list(bench.cells([Direct(), Product()], wanted))

    measured = {(sample.cell, sample.stack) for sample in samples}
    assert {(name, "llmgateway") for name in kept} <= measured
    assert {(name, "direct") for name in ("c16", "sse16", "paced256")} <= measured
    assert [] == [s for s in samples if s.errors or s.short or s.bad_auth or not s.units]
    assert all((s.cpu_us or 0) > 0 for s in samples if s.stack == "llmgateway")


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_a_host_passes_each_kind_of_cell(programs: Programs, tmp_path: Path, host: Host) -> None:
    if not host.is_installed():
        pytest.skip(f"needs {' and '.join(host.needs)}")
    length = Length(seconds=0.1, repeats=1, warm_s=0.02, first_warm_s=0.02, begin_warm_s=0.02)
    kept = ("c16", "reencoded", "sse16", "translated")
    wanted = [small(cell) for cell in cells(length.seconds) if cell.name in kept]

    with Bench(programs, Cores(None, None), length, tmp_path) as bench:
        samples = list(bench.cells([host], wanted))

    assert set(kept) == {sample.cell for sample in samples}
    assert [] == [s for s in samples if s.errors or s.short or s.bad_auth or not s.units]
