"""Puts a run's tables and chart into the documentation."""

from __future__ import annotations

from pathlib import Path

from benchmarks.chart import svg
from benchmarks.results import Results

__all__ = ["CHART", "PAGE", "write_page"]

_DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = _DOCS / "performance.md"
CHART = _DOCS / "assets" / "performance.svg"
BEGIN = "<!-- measured: benchmarks -->\n"
END = "<!-- end of what was measured -->\n"
LOG_BEGIN = "<!-- measured: log -->\n"
LOG_END = "<!-- end of the log -->\n"
GUARDS_BEGIN = "<!-- measured: guardrails -->\n"
GUARDS_END = "<!-- end of the guardrails -->\n"


def write_page(results: Results, text: str, log: str, guards: str = "") -> None:
    """Write the generated parts of the page anew, and the chart; what was not measured stays."""
    if results.samples:
        _write(BEGIN, text, END)
        CHART.parent.mkdir(exist_ok=True)
        CHART.write_text(svg(results), encoding="utf-8")
    if log:
        _write(LOG_BEGIN, f"{_about(results, 'machine', 'made')}\n{log}", LOG_END)
    if guards:
        _write(GUARDS_BEGIN, f"{_about(results, 'machine', 'guardrails')}\n{guards}", GUARDS_END)


def _about(results: Results, *names: str) -> str:
    return "".join(f"- {name}: {results.about[name]}\n" for name in names)


def _write(begin: str, text: str, end: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")
