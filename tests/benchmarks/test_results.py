"""The arithmetic of the table, and the page and the chart that are made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import document
from benchmarks.cells import cells
from benchmarks.chart import svg
from benchmarks.results import PageTime, Results, RowCost, Sample, Start, summarize
from benchmarks.table import log_tables, markdown
from benchmarks.targets import TARGETS, judge

_SAMPLE = Sample(
    cell="c16",
    stack="llmgateway",
    repeat=0,
    units=1000,
    offered=1000,
    per_s=500.0,
    cpu_us=60.0,
    p50=300.0,
    p99=900.0,
    ttft_p50=200.0,
    ttft_p99=400.0,
    delay_p50=0.0,
    delay_p99=0.0,
    errors=0,
    short=0,
    unfinished=0,
    bad_auth=0,
    foreign=0.0,
)


def sample(stack: str, cpu_us: float | None, **changes: object) -> Sample:
    """Return a sample of `c16`, changed so."""
    return replace(_SAMPLE, stack=stack, cpu_us=cpu_us, **changes)  # type: ignore[arg-type]  # fields


def results(*samples: Sample) -> Results:
    """Return a run with two starts of ours."""
    starts = (
        Start("llmgateway", 0, 0.3, 45.0, 60.0, 0),
        Start("llmgateway", 1, 0.5, 47.0, 62.0, 0),
    )
    return Results({"machine": "two <cores> & no more"}, samples, starts)


def reached(measured: Results, cell: str, against: str | None) -> tuple[float | None, bool | None]:
    """Return what a run says about the first target of a cell."""
    verdict = next(
        v for v in judge(measured) if (v.target.cell, v.target.against) == (cell, against)
    )
    return verdict.reached, verdict.hit


def test_figures_are_medians_and_added_latency_is_of_the_same_repeat() -> None:
    found = summarize(
        [
            sample("direct", None, p50=100.0),
            sample("direct", None, p50=900.0, repeat=1),
            sample("nginx", 20.0, p50=150.0),
            sample("nginx", 40.0, p50=1000.0, repeat=1),
        ]
    )["c16", "nginx"]

    assert (30.0, (20.0, 40.0)) == (found.cpu_us, found.cpu_spread)
    assert (50 + 100) / 2 == found.added_p50


def test_a_paced_cell_tells_what_share_was_delivered() -> None:
    found = summarize([sample("nginx", 20.0, units=640, offered=1280)])["c16", "nginx"]

    assert 0.5 == found.delivered


def test_every_kind_of_fault_counts() -> None:
    found = summarize([sample("nginx", 20.0, errors=1, short=2, bad_auth=4)])["c16", "nginx"]

    assert 7 == found.faults


@pytest.mark.parametrize(
    ("ours_us", "expected"), [(60.0, (20 / 60, True)), (80.0, (0.25, False))], ids=["hit", "miss"]
)
def test_a_speed_is_their_time_over_ours(ours_us: float, expected: tuple[float, bool]) -> None:
    measured = results(sample("nginx", 20.0), sample("llmgateway", ours_us))

    assert expected == reached(measured, "c16", "nginx")


def test_added_latency_is_ours_over_theirs() -> None:
    measured = results(
        sample("direct", None, cell="c1", p50=20.0),
        sample("nginx", 20.0, cell="c1", p50=120.0),
        sample("llmgateway", 60.0, cell="c1", p50=170.0),
    )

    assert (1.5, True) == reached(measured, "c1", "nginx")
    assert (None, None) == reached(measured, "c1", "portkey")


def test_a_bound_without_a_peer_holds_for_our_own_median() -> None:
    assert (46.0, True) == reached(results(), "start", None)


def test_a_cell_with_faults_proves_nothing() -> None:
    measured = results(sample("nginx", 20.0, errors=1), sample("llmgateway", 60.0))

    assert (None, None) == reached(measured, "c16", "nginx")
    assert "20.0 (faults)" in markdown(measured, cells(1.0))


def test_every_target_names_a_cell_that_there_is() -> None:
    known = {"start", *(cell.name for cell in cells(1.0))}

    assert {target.cell for target in TARGETS} <= known


def test_the_tables_tell_ratios_and_verdicts() -> None:
    text = markdown(results(sample("nginx", 20.0), sample("llmgateway", 80.0)), cells(1.0))

    assert "| 1 KB chat, 16 in flight, per request | 80.0 | 20.0 (0.25×) |" in text
    assert "| CPU, 1 KB, 16 in flight | ≥ 0.3× nginx's speed | 0.25× | **missed** |" in text
    assert "| llmgateway | 0.40 | 46.0 | 61.0 | 0 |" in text


def test_results_survive_json() -> None:
    measured = results(_SAMPLE)

    assert measured == Results.from_json(measured.to_json())


def test_the_chart_is_well_formed_and_has_a_bar_for_each_stack() -> None:
    tree = ElementTree.fromstring(
        svg(results(sample("nginx", 20.0), sample("llmgateway", 60.0), sample("<odd>", 9000.0)))
    )

    bars = tree.findall("{http://www.w3.org/2000/svg}rect")[1:]
    widths = [float(bar.get("width", "0")) for bar in bars]
    assert 3 == len(widths)
    assert sorted(widths) == widths
    assert 0 < widths[0]


def test_the_page_keeps_what_is_written_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, chart = tmp_path / "performance.md", tmp_path / "assets" / "performance.svg"
    page.write_text(f"before\n{document.BEGIN}old\n{document.END}after\n")
    monkeypatch.setattr(document, "PAGE", page)
    monkeypatch.setattr(document, "CHART", chart)

    document.write_page(results(_SAMPLE), "new\n", "")

    assert f"before\n{document.BEGIN}new\n{document.END}after\n" == page.read_text()
    assert chart.read_text().startswith("<svg")


def test_what_was_not_measured_stays_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    table = f"{document.BEGIN}old\n{document.END}"
    page.write_text(f"{table}{document.LOG_BEGIN}old\n{document.LOG_END}")
    monkeypatch.setattr(document, "PAGE", page)

    document.write_page(Results({"machine": "this", "made": "now"}, (), ()), "", "new\n")

    text = page.read_text()
    assert text.startswith(table)
    assert text.endswith(f"- made: now\n\nnew\n{document.LOG_END}")


LOG = Results(
    {"machine": "this"},
    (
        replace(_SAMPLE, stack="django-front", p99=10_000.0),
        replace(_SAMPLE, stack="django-log", p99=14_900.0),
    ),
    (),
    (RowCost("PostgreSQL", (30.0, 34.0, 90.0), (50.0, 50.0, 50.0)),),
    (PageTime("all: failed", 50, 90.0, 501.0, 700.0),),
)


def test_the_log_s_tables_say_what_was_hit() -> None:
    text = log_tables(LOG)

    assert "| PostgreSQL | 34.0 | hit | 30.0–90.0 | 50.0 |" in text
    assert "| c16 | 10.0 | 14.9 | hit |" in text
    assert "| all: failed | 50 | 501 | 90.0 / 700 | **missed** |" in text
    assert "" == log_tables(results(_SAMPLE))


def test_results_with_a_log_are_read_as_they_were_saved() -> None:
    assert LOG == Results.from_json(json.loads(json.dumps(LOG.to_json())))
