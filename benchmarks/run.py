"""Runs the stacks side by side: one upstream, one load generator, a cell at a time.

The stacks are interleaved, so that a change of the machine's mood meets all of them: in each
repeat every cell is measured with every stack in turn before the next cell begins.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.build import Programs
from benchmarks.cells import EVENTS, Cell, paced
from benchmarks.processes import (
    Cores,
    Process,
    busy_s,
    held_port,
    run_process,
    run_upstream,
    wait_for_200,
)
from benchmarks.results import Sample, Start
from benchmarks.stacks import Site, Stack

__all__ = ["PATH", "PROVIDER_KEY", "Bench", "Length", "median_foreign", "on_the_wire"]

PATH = "/v1/chat/completions"
PROVIDER_KEY = "sk-the-key-of-the-mock-provider"
_SETTLE_S = 0.5
_SETTLE_LOOKS = 40
_IDLE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Length:
    """How long a run is."""

    seconds: float
    repeats: int
    warm_s: float
    """Load before each measurement, which is not counted."""
    first_warm_s: float
    """The same in the first repeat."""
    begin_warm_s: float
    """Before all cells, with 16 in flight: a compiler in a stack needs thousands of requests."""


@dataclass(frozen=True, slots=True)
class _Running:
    stack: Stack
    site: Site
    process: Process | None
    """None: the upstream is asked directly."""
    cold_s: float = 0.0


class Bench:
    """The programs, the cores and the length of a run. Use it in `with`."""

    def __init__(self, programs: Programs, cores: Cores, length: Length, folder: Path) -> None:
        self._programs = programs
        self._cores = cores
        self._length = length
        self._folder = folder
        self._exit = ExitStack()
        self._upstream_port = 0
        self._instances = 0

    def __enter__(self) -> Bench:
        log = self._folder / "upstream.log"
        upstream = run_upstream(self._programs.upstream, PROVIDER_KEY, self._cores.rest, log)
        self._upstream_port = self._exit.enter_context(upstream)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def cells(self, stacks: Sequence[Stack], cells: Sequence[Cell]) -> Iterator[Sample]:
        """Measure each cell with each stack, repeat after repeat."""
        with ExitStack() as running:
            rows = [running.enter_context(self._running(stack, cells)) for stack in stacks]
            begin = replace(cells[0], in_flight=16)
            for row in rows:
                self._load(row, begin, self._length.begin_warm_s)
            for repeat in range(self._length.repeats):
                for place, cell in enumerate(cells):
                    # Nobody is always first, or always after the same one.
                    turn = (repeat + place) % len(rows)
                    for row in rows[turn:] + rows[:turn]:
                        if row.stack.request(cell, row.site) is not None:
                            yield self._sample(row, cell, repeat)

    def starts(self, stacks: Sequence[Stack], ready: Cell, seconds: float) -> Iterator[Start]:
        """Start each stack anew, and look at its memory idle and under 256 paced streams."""
        streams = paced("streams", seconds)
        for repeat in range(self._length.repeats):
            for stack in stacks:
                with self._running(stack, [ready, streams]) as row:
                    if row.process is not None:
                        yield self._start(row, row.process, streams, repeat)

    def _start(self, row: _Running, process: Process, streams: Cell, repeat: int) -> Start:
        time.sleep(_SETTLE_S)
        idle_mb = process.rss_mb()
        load = self._begin_load(row, streams, streams.seconds)
        time.sleep(streams.ramp_ms / 1000 + streams.seconds / 2)
        streams_mb = process.rss_mb()
        told = _told(load)
        faults = _errors(told) + int(told["short"])
        return Start(row.stack.name, repeat, row.cold_s, idle_mb, streams_mb, faults)

    @contextmanager
    def _running(self, stack: Stack, cells: Sequence[Cell]) -> Iterator[_Running]:
        self._instances += 1
        folder = self._folder / f"{stack.name}-{self._instances}"
        folder.mkdir()
        with held_port() as port:
            site = Site(folder, port, self._upstream_port, PROVIDER_KEY, cells)
            with self._running_at(site, stack) as row:
                yield row

    @contextmanager
    def _running_at(self, site: Site, stack: Stack) -> Iterator[_Running]:
        folder, cells = site.folder, site.cells
        command = stack.prepare(site)
        if command is None:
            yield _Running(stack, site, None)
            return
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = {**kept, **command.environment}
        log = folder / "log"
        with run_process(command.words, self._cores.stack, log, environment, folder) as process:
            asked = stack.request(cells[0], site)
            assert asked is not None, "the first cell is one that every stack can do"
            headers = {"content-type": "application/json", **asked[0]}
            cold_s = wait_for_200(process, site.port, stack.root + PATH, headers, asked[1], log)
            yield _Running(stack, site, process, cold_s)

    def _sample(self, row: _Running, cell: Cell, repeat: int) -> Sample:
        if cell.kind != "paced":
            warm_s = self._length.warm_s if repeat else self._length.first_warm_s
            _settle(row, self._load(row, cell, warm_s))
        bad_auth = self._stats()["bad_auth"]
        used_s, busy, began = _cpu_s(row), busy_s(self._cores.stack), time.perf_counter()
        told = self._load(row, cell, cell.seconds)
        took_s = time.perf_counter() - began
        used_s, busy = _cpu_s(row) - used_s, busy_s(self._cores.stack) - busy
        _settle(row, told)
        units = _units(cell, told)
        return Sample(
            cell=cell.name,
            stack=row.stack.name,
            repeat=repeat,
            units=units,
            offered=cell.in_flight * cell.least if cell.kind == "paced" else units,
            per_s=told["in_time"] / told["seconds"],
            cpu_us=used_s * 1e6 / units if row.process is not None and units else None,
            p50=told["latency_us"]["p50"],
            p99=told["latency_us"]["p99"],
            ttft_p50=told["ttft_us"]["p50"],
            ttft_p99=told["ttft_us"]["p99"],
            delay_p50=told["delay_us"]["p50"],
            delay_p99=told["delay_us"]["p99"],
            # What paced streams still owe at the end is undelivered; any other answer is missing.
            errors=_errors(told) + (0 if cell.kind == "paced" else told["unfinished"]),
            short=told["short"],
            unfinished=told["unfinished"],
            bad_auth=self._stats()["bad_auth"] - bad_auth,
            foreign=max(0.0, busy - used_s) / took_s,
            first_bad=told["first_bad"],
        )

    def _load(self, row: _Running, cell: Cell, seconds: float) -> dict[str, Any]:
        return _told(self._begin_load(row, cell, seconds))

    def _begin_load(self, row: _Running, cell: Cell, seconds: float) -> subprocess.Popen[bytes]:
        asked = row.stack.request(cell, row.site)
        assert asked is not None, "the caller has looked"
        port = self._upstream_port if row.process is None else row.site.port
        path = row.site.folder / f"{cell.name}.http"
        path.write_bytes(on_the_wire(asked[0], asked[1], port, row.stack.root))
        words = [str(self._programs.loadgen), str(port), str(path), str(cell.in_flight)]
        words += [str(seconds), cell.kind, str(cell.least), str(cell.ramp_ms)]
        core = self._cores.rest
        pinned = words if core is None else ["taskset", "--cpu-list", str(core), *words]
        return subprocess.Popen(pinned, stdout=subprocess.PIPE)

    def _stats(self) -> dict[str, int]:
        url = f"http://127.0.0.1:{self._upstream_port}/stats"
        with urllib.request.urlopen(url) as response:
            found: dict[str, int] = json.load(response)
        return found


def _settle(row: _Running, told: Mapping[str, Any]) -> None:
    """Wait until a stack has done with what the load left unfinished: it is nobody's cell."""
    for _ in range(_SETTLE_LOOKS if told["unfinished"] else 0):
        before_s = _cpu_s(row)
        time.sleep(_SETTLE_S)
        if _cpu_s(row) - before_s < _IDLE_SHARE * _SETTLE_S:
            return


def _cpu_s(row: _Running) -> float:
    return row.process.cpu_s() if row.process is not None else 0.0


def _told(load: subprocess.Popen[bytes]) -> dict[str, Any]:
    output, _ = load.communicate()
    if load.returncode != 0:
        raise SystemExit(f"the load generator failed: {load.returncode}")
    told: dict[str, Any] = json.loads(output)
    return told


def _errors(told: dict[str, Any]) -> int:
    return int(told["refused"] + told["bad_status"] + told["cut"])


def _units(cell: Cell, told: dict[str, Any]) -> int:
    """Count what the CPU time is divided by: for streams, what the upstream sent in them."""
    if cell.kind == "json":
        return int(told["completed"])
    return int(told["events"]) if cell.kind == "paced" else int(told["completed"]) * EVENTS


def on_the_wire(headers: Mapping[str, str], body: bytes, port: int, root: str = "") -> bytes:
    """Return a request's bytes."""
    lines = [
        f"POST {root}{PATH} HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        "content-type: application/json",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"content-length: {len(body)}", "accept: */*", "user-agent: loadgen", "", ""]
    return "\r\n".join(lines).encode() + body


def median_foreign(samples: Sequence[Sample]) -> float:
    """Return how much of the stack's core others used in the middle of the run, 0 to 1."""
    return statistics.median(sample.foreign for sample in samples) if samples else 0.0
