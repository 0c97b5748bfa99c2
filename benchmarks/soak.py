"""The soak: `python -m benchmarks.soak --minutes 10` looks for memory and files that are not freed.

It starts the mock provider and `llmgateway serve`, finds the rate of a mixed load that keeps the
gateway's core half busy, holds it, and tells how resident memory moved over the second half.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.build import build
from benchmarks.cells import cells
from benchmarks.mixed import KINDS, Kind, Load
from benchmarks.processes import (
    Cores,
    Process,
    held_port,
    on_core,
    run_process,
    run_upstream,
    wait_for_200,
)
from benchmarks.run import PATH, PROVIDER_KEY, on_the_wire
from benchmarks.stacks import Product, Site

__all__ = ["Point", "Soaked", "main", "slope_kb_per_min", "soak"]

_SHARE = 0.5
"""Of one core: what the gateway is kept busy with."""
_EVERY_S = 10.0
_LEAST_POINTS = 20
_FIRST_RATE_PER_S = 100.0
_ROUNDS = 6
"""Of a second at most, to find the rate."""
_MOST_STEP = 3.0
_SETTLE_S = 8.0
"""Idle connections to the provider are closed after four."""
_SETTLE_LOOKS = 40


@dataclass(frozen=True, slots=True)
class Point:
    """One look at the gateway."""

    at_s: float
    rss_mb: float
    fds: int
    cpu_s: float
    answers: int


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a soak has found."""

    rate_per_s: float
    points: Sequence[Point]
    fds_before: int
    fds_after: int
    done: dict[str, int]
    faults: dict[str, int]
    skipped: int

    @property
    def second_half(self) -> Sequence[Point]:
        """The points that the slope is made of; by then the buffer of records is full."""
        return self.points[len(self.points) // 2 :]

    def text(self) -> str:
        """Return what is printed at the end."""
        first, last, half = self.points[0], self.points[-1], self.second_half
        took_s = last.at_s - first.at_s
        share = (last.cpu_s - first.cpu_s) / took_s
        fds = [point.fds for point in self.points]
        memory = [point.rss_mb for point in half]
        lines = [
            f"load: {self.rate_per_s:,.0f} requests/s offered for {took_s / 60:.1f} min, "
            f"{last.answers:,} answers, {self.skipped} skipped; {share:.0%} of a core",
            "answers: " + ", ".join(f"{kind} {count:,}" for kind, count in self.done.items()),
            f"memory: {first.rss_mb:.1f} MB at the start, {half[0].rss_mb:.1f} at half time after "
            f"{half[0].answers:,} answers, {last.rss_mb:.1f} at the end",
            f"slope over the second half: {slope_kb_per_min(half):+.1f} KB/min "
            f"({len(half)} points, {min(memory):.1f} to {max(memory):.1f} MB)",
            f"open files: {self.fds_before} before, {statistics.median(fds):.0f} under load "
            f"(median), {max(fds)} at most, {self.fds_after} after",
            f"faults: {sum(self.faults.values())}",
            *(f"  {count} × {words}" for words, count in self.faults.items()),
        ]
        return "\n".join(lines)


def slope_kb_per_min(points: Sequence[Point]) -> float:
    """Return how fast resident memory grows, by least squares; 1 KB is 1000 bytes."""
    if len(points) < 2:
        return 0.0
    minutes = [point.at_s / 60 for point in points]
    return statistics.linear_regression(minutes, [point.rss_mb * 1000 for point in points]).slope


def main(words: Sequence[str] | None = None) -> int:
    """Run a soak and print it; the exit code is 1 if there was any fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="default 10")
    found = soak(parser.parse_args(words).minutes)
    print(found.text())
    return int(bool(found.faults))


def soak(minutes: float, kinds: Sequence[Kind] = KINDS) -> Soaked:
    """Keep the gateway half busy for so long, and look at it while it is."""
    cores = Cores.choose()
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        folder = Path(scratch)
        upstream = run_upstream(
            build(folder).upstream, PROVIDER_KEY, cores.rest, folder / "upstream.log"
        )
        with upstream as upstream_port, held_port() as port:
            site = Site(folder, port, upstream_port, PROVIDER_KEY, cells(1.0))
            command = Product().prepare(site)
            environment = {"PATH": os.environ["PATH"], **command.environment}
            log = folder / "log"
            with run_process(command.words, cores.stack, log, environment, folder) as process:
                requests = _requests(site, kinds)
                _await_start(process, site, log)
                load = Load(site.port, requests, _FIRST_RATE_PER_S, kinds)
                with on_core(cores.rest), asyncio.Runner(loop_factory=uvloop.new_event_loop) as run:
                    return run.run(_soaked(load, process, minutes * 60))


def _requests(site: Site, kinds: Sequence[Kind]) -> dict[str, bytes]:
    made = {}
    for kind in kinds:
        headers, body = Product().request(kind.cell, site)
        if not kind.known:
            headers = {**headers, "authorization": "Bearer lgw_unknown"}
        made[kind.name] = on_the_wire(headers, body, site.port)
    return made


def _await_start(process: Process, site: Site, log: Path) -> None:
    headers, body = Product().request(cells(1.0)[0], site)
    headers = {"content-type": "application/json", **headers}
    wait_for_200(process, site.port, PATH, headers, body, log)


async def _soaked(load: Load, process: Process, seconds: float) -> Soaked:
    fds_before, ends = process.fds(), False
    sending = asyncio.ensure_future(load.run(lambda: not ends))
    await _find_rate(load, process, min(1.0, seconds / 20))
    points = [_look(process, load)]
    every_s = min(_EVERY_S, seconds / _LEAST_POINTS)
    while points[-1].at_s - points[0].at_s < seconds:
        await asyncio.sleep(every_s)
        points.append(_look(process, load))
        _say(points)
    ends = True
    await sending
    return Soaked(
        rate_per_s=load.rate_per_s,
        points=points,
        fds_before=fds_before,
        fds_after=await _settled(process, fds_before),
        done=dict(load.done),
        faults=dict(load.faults),
        skipped=load.skipped,
    )


async def _find_rate(load: Load, process: Process, round_s: float) -> None:
    """Set the rate at which the gateway is half busy: its CPU time tells what a request costs."""
    for _ in range(_ROUNDS):
        used_s, began = process.cpu_s(), time.perf_counter()
        await asyncio.sleep(round_s)
        share = (process.cpu_s() - used_s) / (time.perf_counter() - began)
        load.rate_per_s *= min(_MOST_STEP, max(1 / _MOST_STEP, _SHARE / max(share, 0.01)))


async def _settled(process: Process, fds: int) -> int:
    """Wait until no more files are open than before, or for as long as idle connections live."""
    for _ in range(_SETTLE_LOOKS):
        if process.fds() <= fds:
            break
        await asyncio.sleep(_SETTLE_S / _SETTLE_LOOKS)
    return process.fds()


def _look(process: Process, load: Load) -> Point:
    answers = load.done.total() + load.faults.total()
    return Point(time.perf_counter(), process.rss_mb(), process.fds(), process.cpu_s(), answers)


def _say(points: Sequence[Point]) -> None:
    first, before, now = points[0], points[-2], points[-1]
    share = (now.cpu_s - before.cpu_s) / (now.at_s - before.at_s)
    print(
        f"{now.at_s - first.at_s:6.0f} s  {now.rss_mb:7.2f} MB  {now.fds:5} files  "
        f"{share:4.0%} of a core  {now.answers:9,} answers",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
