"""What the fast path is meant to reach, as data, and what a run says about it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.results import Figures, Results, Start, summarize

__all__ = ["TARGETS", "Target", "Verdict", "judge"]

OURS = "llmgateway"


@dataclass(frozen=True, slots=True)
class Target:
    """One bound. Without `against` it holds for our own figure, else for a ratio."""

    measure: str
    cell: str
    """`start` for what is measured at a start."""
    figure: str
    bound: float
    sense: Literal["at least", "at most"]
    against: str | None = None
    """`at least` bounds their figure over ours (how many times as fast we are), `at most` ours over
    theirs (how many times as slow)."""
    unit: str = ""
    of: str = OURS
    """Whose figure is bounded."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, and what was reached; None: it was not measured."""

    target: Target
    reached: float | None

    @property
    def hit(self) -> bool | None:
        """Whether it was reached."""
        if self.reached is None:
            return None
        if self.target.sense == "at least":
            return self.reached >= self.target.bound
        return self.reached <= self.target.bound


def _speed(measure: str, cell: str, **bounds: float) -> Iterator[Target]:
    for stack, bound in bounds.items():
        yield Target(measure, cell, "cpu_us", bound, "at least", stack, "×")


def _hosts(measure: str, cell: str, **bounds: float) -> Iterator[Target]:
    """Bound what a host costs by what the server of its own does."""
    for host, bound in bounds.items():
        words = f"{measure}, {host}"
        yield Target(words, cell, "cpu_us", bound, "at most", OURS, "×", of=host)


TARGETS: Sequence[Target] = (
    *_speed("CPU, 1 KB, 16 in flight", "c16", nginx=0.30, portkey=15, litellm=110),
    *_speed("CPU, 1 KB, 64 in flight", "c64", nginx=0.30, portkey=15, litellm=110),
    *_speed("CPU, 100 KB passed through", "big", nginx=0.33, portkey=11),
    Target("added p50, one in flight", "c1", "added_p50", 2, "at most", "nginx", "×"),
    Target("added p50, one in flight", "c1", "added_p50", 0.25, "at most", "portkey", "×"),
    *_speed("CPU per event, 16 streams flat out", "sse16", nginx=0.7, portkey=3),
    Target("256 paced streams, delivered", "paced256", "delivered", 1, "at least"),
    Target("256 paced streams, p99 delay", "paced256", "delay_p99", 5, "at most", "nginx", "×"),
    *_speed("256 paced streams, CPU per event", "paced256", nginx=0.6, portkey=2),
    Target("translated stream", "translated", "cpu_us", 25, "at most", None, " µs an event"),
    *_speed("translated stream", "translated", portkey=4),
    *_hosts("CPU, 1 KB, 16 in flight", "c16", wsgi=5, flask=8, **{"flask-front": 5}),
    *_hosts("CPU, 1 KB, 16 in flight", "c16", **{"django-front": 1.15}),
    *_hosts("CPU per event, 16 streams flat out", "sse16", wsgi=3, flask=3, **{"flask-front": 3}),
    Target("memory, idle", "start", "idle_mb", 50, "at most", None, " MB"),
    Target("memory, 256 streams", "start", "streams_mb", 70, "at most", None, " MB"),
    Target("cold start to the first 200", "start", "cold_s", 0.4, "at most", None, " s"),
)


def judge(results: Results) -> list[Verdict]:
    """Return each target with what the run reached."""
    figures = summarize(results.samples)
    return [Verdict(target, _reached(target, figures, results.starts)) for target in TARGETS]


def _reached(
    target: Target, figures: Mapping[tuple[str, str], Figures], starts: Sequence[Start]
) -> float | None:
    def figure(stack: str) -> float | None:
        if target.cell == "start":
            return start_median(starts, stack, lambda start: float(getattr(start, target.figure)))
        found = figures.get((target.cell, stack))
        # A cell with faults has measured something else.
        return getattr(found, target.figure) if found and not found.faults else None

    ours = figure(target.of)
    if target.against is None or ours is None:
        return ours
    theirs = figure(target.against)
    if theirs is None:
        return None
    over, under = (theirs, ours) if target.sense == "at least" else (ours, theirs)
    return over / under if under > 0 else None


def start_median(
    starts: Sequence[Start], stack: str, figure: Callable[[Start], float]
) -> float | None:
    """Return the median of a stack's starts; None: it was not started."""
    found = [figure(start) for start in starts if start.stack == stack]
    return statistics.median(found) if found else None
