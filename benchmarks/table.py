"""The results as Markdown: ratios and targets first, then the figures they are made of."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from benchmarks.cells import Cell
from benchmarks.results import Figures, GuardCost, Results, summarize
from benchmarks.targets import OURS, Verdict, judge, start_median

__all__ = ["guard_tables", "log_tables", "markdown"]

_Table = Mapping[tuple[str, str], Figures]
_Column = tuple[str, Callable[[Figures], str]]


def markdown(results: Results, cells: Sequence[Cell]) -> str:
    """Return all tables; `cells` gives the titles and the order."""
    figures = summarize(results.samples)
    stacks = list(dict.fromkeys(stack for _, stack in figures))
    shown = [cell for cell in cells if any(name == cell.name for name, _ in figures)]
    parts = [
        "\n".join(f"- {key}: {value}" for key, value in results.about.items()),
        "### CPU, and how many times as fast\n\n" + _ratios(figures, stacks, shown),
        "### Targets\n\n" + _targets(judge(results)),
        "### Requests\n\n" + _figures(figures, stacks, shown, "json", _REQUESTS),
        "### Streams flat out\n\n" + _figures(figures, stacks, shown, "sse", _STREAMS),
        "### Paced streams\n\n" + _figures(figures, stacks, shown, "paced", _PACED),
        "### Start and memory\n\n" + _starts(results),
    ]
    return "\n\n".join(parts) + "\n"


def _ratios(figures: _Table, stacks: Sequence[str], cells: Sequence[Cell]) -> str:
    others = [stack for stack in stacks if stack not in (OURS, "direct")]
    head = ["cell", f"{OURS}, µs", *(f"{stack}, µs (×)" for stack in others)]
    rows = []
    for cell in cells:
        ours = figures.get((cell.name, OURS))
        row = [f"{cell.title}, per {cell.unit}", _cpu(ours)]
        rows.append(row + [_against(figures.get((cell.name, stack)), ours) for stack in others])
    return _grid(head, rows)


def _against(theirs: Figures | None, ours: Figures | None) -> str:
    if theirs is None or theirs.cpu_us is None:
        return "–"
    if ours is None or not ours.cpu_us:
        return _cpu(theirs)
    return f"{_cpu(theirs)} ({_short(theirs.cpu_us / ours.cpu_us)}×)"


def _cpu(figures: Figures | None) -> str:
    if figures is None or figures.cpu_us is None:
        return "–"
    return _short(figures.cpu_us) + (" (faults)" if figures.faults else "")


def _targets(verdicts: Sequence[Verdict]) -> str:
    marks = {True: "hit", False: "**missed**", None: "not measured"}
    rows = []
    for verdict in verdicts:
        target = verdict.target
        sign = "≥" if target.sense == "at least" else "≤"
        aim = f"{sign} {target.bound:g}{target.unit}"
        if target.against is not None:
            aim += f" {target.against}'s" + (" speed" if target.sense == "at least" else "")
        reached = "–" if verdict.reached is None else _short(verdict.reached) + target.unit
        rows.append([target.measure, aim, reached, marks[verdict.hit]])
    return _grid(["measure", "target", "reached", ""], rows)


def _spread(figures: Figures) -> str:
    if figures.cpu_us is None or figures.cpu_spread is None:
        return "–"
    least, most = figures.cpu_spread
    return f"{_short(figures.cpu_us)} ({_short(least)}–{_short(most)})"


def _added(figures: Figures) -> str:
    if figures.added_p50 is None or figures.added_p99 is None:
        return "–"
    return f"{_short(figures.added_p50)} / {_short(figures.added_p99)}"


_CPU: _Column = ("CPU µs (least–most)", _spread)
_FAULTS: _Column = ("faults", lambda f: str(f.faults))
_REQUESTS: Sequence[_Column] = (
    _CPU,
    ("req/s", lambda f: _short(f.per_s)),
    ("p50 / p99 µs", lambda f: f"{_short(f.p50)} / {_short(f.p99)}"),
    ("added over direct, p50 / p99 µs", _added),
    _FAULTS,
)
_STREAMS: Sequence[_Column] = (
    _CPU,
    ("streams/s", lambda f: _short(f.per_s)),
    ("first byte p50 / p99 µs", lambda f: f"{_short(f.ttft_p50)} / {_short(f.ttft_p99)}"),
    ("whole p50 / p99 µs", lambda f: f"{_short(f.p50)} / {_short(f.p99)}"),
    _FAULTS,
)
_PACED: Sequence[_Column] = (
    _CPU,
    ("delivered", lambda f: f"{100 * f.delivered:.1f} %"),
    ("first event p50 / p99 µs", lambda f: f"{_short(f.ttft_p50)} / {_short(f.ttft_p99)}"),
    ("event delay p50 / p99 µs", lambda f: f"{_short(f.delay_p50)} / {_short(f.delay_p99)}"),
    _FAULTS,
)


def _figures(
    figures: _Table,
    stacks: Sequence[str],
    cells: Sequence[Cell],
    kind: str,
    columns: Sequence[_Column],
) -> str:
    rows = []
    for cell in cells:
        for stack in stacks:
            found = figures.get((cell.name, stack))
            if cell.kind == kind and found is not None:
                rows.append([cell.title, stack, *(show(found) for _, show in columns)])
    return _grid(["cell", "stack", *(title for title, _ in columns)], rows)


def _starts(results: Results) -> str:
    rows = []
    for stack in dict.fromkeys(start.stack for start in results.starts):
        medians = [
            start_median(results.starts, stack, lambda start: start.cold_s),
            start_median(results.starts, stack, lambda start: start.idle_mb),
            start_median(results.starts, stack, lambda start: start.streams_mb),
        ]
        faults = sum(start.faults for start in results.starts if start.stack == stack)
        rows.append([stack, *(_short(median or 0.0) for median in medians), str(faults)])
    head = ["stack", "cold start to the first 200, s", "idle MB", "MB with 256 streams", "faults"]
    return _grid(head, rows)


ROW_US, PAGE_MS, LOG_P99_MS = 35, 500, 5
"""What the database log is meant to cost at most: a row with its sums, a page, a request's p99."""
_WITH_LOG, _WITHOUT = "django-log", "django-front"


def log_tables(results: Results) -> str:
    """Return what was measured of the database log; empty: nothing was."""
    parts = []
    if results.rows:
        rows = [
            [row.database, _short(cpu := statistics.median(row.cpu_us)), _mark(cpu, ROW_US),
             f"{_short(min(row.cpu_us))}–{_short(max(row.cpu_us))}",
             _short(statistics.median(row.wall_us))]
            for row in results.rows
        ]  # fmt: skip
        head = ["database", "CPU µs a row", f"≤ {ROW_US}", "least–most", "µs until it is stored"]
        parts.append("### A row of the log, with its sums\n\n" + _grid(head, rows))
    figures = summarize(results.samples)
    pairs = [(c, figures[c, _WITHOUT], found)
             for (c, stack), found in figures.items()
             if stack == _WITH_LOG and (c, _WITHOUT) in figures]  # fmt: skip
    if pairs:
        rows = [[cell, _short(bare.p99 / 1e3), _short(full.p99 / 1e3),
                 _mark((full.p99 - bare.p99) / 1e3, LOG_P99_MS)]
                for cell, bare, full in pairs]  # fmt: skip
        head = ["cell", "p99 ms, records in memory", "in PostgreSQL", f"≤ {LOG_P99_MS} ms more"]
        parts.append("### What the log adds to a request\n\n" + _grid(head, rows))
    if results.pages:
        rows = [[page.title, str(page.rows), _short(page.median_ms),
                 f"{_short(page.first_ms)} / {_short(page.worst_ms)}",
                 _mark(page.median_ms, PAGE_MS)]
                for page in results.pages]  # fmt: skip
        head = ["page", "rows", "ms", "first / worst", f"≤ {PAGE_MS} ms"]
        parts.append("### The admin's pages of a million rows\n\n" + _grid(head, rows))
    return "".join(f"{part}\n\n" for part in parts)


def guard_tables(results: Results) -> str:
    """Return what guardrails cost; empty: it was not measured."""
    parts = []
    for is_stream, title in ((False, "A call"), (True, "An event of a stream")):
        for kib in sorted({cost.kib for cost in results.guards if cost.is_stream is is_stream}):
            costs = [
                cost for cost in results.guards if (cost.is_stream, cost.kib) == (is_stream, kib)
            ]
            base = next(cost for cost in costs if cost.is_base)
            parts.append(
                f"### {title}, {kib} KB of text\n\n{_grid(_GUARD_HEAD, _guards(costs, base))}"
            )
    return "".join(f"{part}\n\n" for part in parts)


_GUARD_HEAD = ("guardrails", "CPU µs", "added µs (middle half)", "× without")


def _guards(costs: Sequence[GuardCost], base: GuardCost) -> Iterator[Sequence[str]]:
    """Yield the rows; what is added, and the ratio, are of the same round."""
    for cost in costs:
        pairs = list(zip(cost.cpu_us, base.cpu_us, strict=True))
        added = sorted(own - bare for own, bare in pairs)
        quarter = len(added) // 4
        spread = f"{_short(added[quarter])}–{_short(added[-1 - quarter])}"
        ratio = statistics.median(own / bare for own, bare in pairs)
        median = _short(statistics.median(cost.cpu_us))
        if cost.is_base:
            yield [cost.title, median, "–", "1"]
        else:
            yield [
                cost.title,
                median,
                f"{_short(statistics.median(added))} ({spread})",
                _short(ratio),
            ]


def _mark(value: float, bound: float) -> str:
    return "hit" if value <= bound else "**missed**"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    if not rows:
        return "Not measured."
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _short(value: float) -> str:
    """Return a figure with three digits that count, and no fewer before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
