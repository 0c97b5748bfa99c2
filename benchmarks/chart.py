"""The chart of the documentation: CPU time of each stack, as SVG, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from benchmarks.results import Figures, Results, summarize
from benchmarks.targets import OURS

__all__ = ["svg"]

_PANELS = (
    ("c16", "1 KB chat, 16 in flight: CPU µs per request"),
    ("big", "100 KB body, 16 in flight: CPU µs per request"),
    ("sse16", "100-event streams flat out: CPU µs per event"),
    ("paced256", "256 streams of 50 events/s: CPU µs per event"),
    ("translated", "Anthropic's stream, translated: CPU µs per event"),
)
_WIDTH, _LABEL, _BAR, _ROW, _TITLE, _GAP = 720, 110, 500, 24, 30, 16
_OURS, _THEIRS = "#2563eb", "#94a3b8"


def svg(results: Results) -> str:
    """Return the chart; cells that were not measured have no panel."""
    figures = summarize(results.samples)
    height = _GAP
    parts: list[str] = []
    for cell, title in _PANELS:
        bars = _bars(figures, cell)
        if bars:
            parts += _panel(title, bars, height)
            height += _TITLE + _ROW * len(bars) + _GAP
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
            f' viewBox="0 0 {_WIDTH} {height}" role="img" font-family="sans-serif" font-size="13">',
            "<title>CPU time of the gateway and its peers; shorter is better, logarithmic</title>",
            f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _bars(figures: Mapping[tuple[str, str], Figures], cell: str) -> list[tuple[str, float]]:
    """Return stacks and their CPU time, least first; one with faults has measured nothing."""
    found = [
        (stack, result.cpu_us)
        for (name, stack), result in figures.items()
        if name == cell and result.cpu_us and not result.faults
    ]
    return sorted(found, key=lambda bar: bar[1])


def _panel(title: str, bars: Sequence[tuple[str, float]], top: int) -> Iterator[str]:
    # A decade below the least, so that even the shortest bar can be seen.
    floor = math.log10(bars[0][1]) - 0.5
    span = max(math.log10(bars[-1][1]) - floor, 1.0)
    yield f'<text x="16" y="{top + 14}" font-weight="bold" fill="#0f172a">{escape(title)}</text>'
    for place, (stack, cpu_us) in enumerate(bars):
        y = top + _TITLE + place * _ROW
        width = _BAR * (math.log10(cpu_us) - floor) / span
        fill = _OURS if stack == OURS else _THEIRS
        value = f"{cpu_us:,.0f}" if cpu_us >= 100 else f"{cpu_us:.1f}"
        yield (
            f'<text x="{_LABEL - 8}" y="{y + 13}" text-anchor="end" fill="#0f172a">'
            f"{escape(stack)}</text>"
            f'<rect x="{_LABEL}" y="{y}" width="{width:.1f}" height="18" rx="3" fill="{fill}"/>'
            f'<text x="{_LABEL + width + 8:.1f}" y="{y + 13}" fill="#334155">{value}</text>'
        )
