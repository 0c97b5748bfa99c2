"""What was measured, and what the repeats of it come to."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figures", "GuardCost", "PageTime", "Results", "RowCost", "Sample", "Start", "summarize"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One cell, measured once with one stack. Times are microseconds."""

    cell: str
    stack: str
    repeat: int
    units: int
    """Requests or delivered events: what the CPU time is divided by."""
    offered: int
    """Events that a paced cell should have delivered; else as many as there were."""
    per_s: float
    """Answers (streams, where it streams) in a second."""
    cpu_us: float | None
    """Of the stack's process tree, for each unit; None: there was no process."""
    p50: float
    p99: float
    ttft_p50: float
    ttft_p99: float
    delay_p50: float
    delay_p99: float
    errors: int
    short: int
    unfinished: int
    bad_auth: int
    foreign: float
    """How much of the stack's core others used meanwhile, 0 to 1."""
    first_bad: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a stack: seconds to the first 200, and resident MB."""

    stack: str
    repeat: int
    cold_s: float
    idle_mb: float
    streams_mb: float
    """With 256 paced streams open."""
    faults: int
    """Errors and short streams meanwhile."""


@dataclass(frozen=True, slots=True)
class RowCost:
    """What a row of the log costs with its sums, in µs, in each repeat."""

    database: str
    cpu_us: tuple[float, ...]
    """Of the gateway's process alone."""
    wall_us: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PageTime:
    """How long one page of the admin's log takes."""

    title: str
    rows: int
    """That it shows."""
    first_ms: float
    median_ms: float
    worst_ms: float


@dataclass(frozen=True, slots=True)
class GuardCost:
    """What one call, or one event of a streamed one, takes with some guardrails."""

    title: str
    kib: int
    """Of text."""
    is_stream: bool
    is_base: bool
    """Whether it has none: what the others of its kind are compared with."""
    cpu_us: tuple[float, ...]
    """In each round; the rounds of all cases are interleaved."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GuardCost:
        """Read what `asdict` gave."""
        return cls(**{**data, "cpu_us": tuple(data["cpu_us"])})


@dataclass(frozen=True, slots=True)
class Results:
    """One run."""

    about: Mapping[str, str]
    """The machine, the versions and how the run was made."""
    samples: tuple[Sample, ...]
    starts: tuple[Start, ...]
    rows: tuple[RowCost, ...] = ()
    pages: tuple[PageTime, ...] = ()
    guards: tuple[GuardCost, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Results:
        """Read what `to_json` gave."""
        return cls(
            dict(data["about"]),
            tuple(Sample(**sample) for sample in data["samples"]),
            tuple(Start(**start) for start in data["starts"]),
            tuple(
                RowCost(row["database"], tuple(row["cpu_us"]), tuple(row["wall_us"]))
                for row in data.get("rows", ())
            ),
            tuple(PageTime(**page) for page in data.get("pages", ())),
            tuple(GuardCost.from_json(cost) for cost in data.get("guards", ())),
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """The medians of one stack's repeats in one cell; faults are summed."""

    cpu_us: float | None
    per_s: float
    p50: float
    p99: float
    added_p50: float | None
    """Over direct in the same repeat; None where direct was not measured."""
    added_p99: float | None
    ttft_p50: float
    ttft_p99: float
    delay_p50: float
    delay_p99: float
    delivered: float
    """Share of the offered events."""
    faults: int
    cpu_spread: tuple[float, float] | None
    """The least and the most of `cpu_us`."""


def summarize(samples: Iterable[Sample]) -> dict[tuple[str, str], Figures]:
    """Return the figures by cell and stack, in the order measured."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    direct: dict[tuple[str, int], Sample] = {}
    for sample in samples:
        groups.setdefault((sample.cell, sample.stack), []).append(sample)
        if sample.stack == "direct":
            direct[sample.cell, sample.repeat] = sample
    return {place: _figures(group, direct) for place, group in groups.items()}


def _figures(group: list[Sample], direct: Mapping[tuple[str, int], Sample]) -> Figures:
    cpu = [sample.cpu_us for sample in group if sample.cpu_us is not None]
    pairs = [(s, direct[s.cell, s.repeat]) for s in group if (s.cell, s.repeat) in direct]
    added = [(own.p50 - bare.p50, own.p99 - bare.p99) for own, bare in pairs]

    def median(figure: Callable[[Sample], float]) -> float:
        return statistics.median(map(figure, group))

    return Figures(
        cpu_us=statistics.median(cpu) if cpu else None,
        per_s=median(lambda s: s.per_s),
        p50=median(lambda s: s.p50),
        p99=median(lambda s: s.p99),
        added_p50=statistics.median(p50 for p50, _ in added) if added else None,
        added_p99=statistics.median(p99 for _, p99 in added) if added else None,
        ttft_p50=median(lambda s: s.ttft_p50),
        ttft_p99=median(lambda s: s.ttft_p99),
        delay_p50=median(lambda s: s.delay_p50),
        delay_p99=median(lambda s: s.delay_p99),
        delivered=median(lambda s: s.units / s.offered if s.offered else 0.0),
        faults=sum(s.errors + s.short + s.bad_auth for s in group),
        cpu_spread=(min(cpu), max(cpu)) if cpu else None,
    )
