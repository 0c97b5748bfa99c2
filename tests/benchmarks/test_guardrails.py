"""The guardrails' cases do what they are measured for, and their table says what they add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import document
from benchmarks.guardrails import measured
from benchmarks.guardrails_cases import CASES, NONE, Case
from benchmarks.results import GuardCost, Results
from benchmarks.table import guard_tables

pytest.importorskip("re2")
pytest.importorskip("phonenumbers")

_NONE = GuardCost(NONE, 1, False, True, (100.0, 200.0, 100.0, 100.0))
_FIVE = GuardCost("5 checks", 1, False, False, (150.0, 300.0, 150.0, 140.0))
_RESULTS = Results({"machine": "this", "guardrails": "now"}, (), (), guards=(_NONE, _FIVE))


@pytest.mark.parametrize("case", CASES[: len(CASES) // 2], ids=lambda case: case.title)
async def test_each_case_runs_its_checks_and_is_measured(case: Case) -> None:
    (cost,) = await measured([case], 1)

    assert (case.title, 1) == (cost.title, len(cost.cpu_us))
    assert cost.cpu_us[0] > 0


def test_every_text_has_a_call_and_a_stream_without_guardrails_before_the_others() -> None:
    bases = [(case.kib, case.is_stream) for case in CASES if case.title == NONE]

    assert sorted(bases) == sorted({(case.kib, case.is_stream) for case in CASES})


def test_the_table_compares_within_each_round() -> None:
    text = guard_tables(_RESULTS)

    assert "### A call, 1 KB of text" in text
    assert "| no guardrails | 100 | – | 1 |" in text
    assert "| 5 checks | 150 | 50.0 (50.0–50.0) | 1.50 |" in text
    assert "" == guard_tables(Results({}, (), ()))


def test_results_with_guardrails_are_read_as_they_were_saved() -> None:
    assert _RESULTS == Results.from_json(json.loads(json.dumps(_RESULTS.to_json())))


def test_the_page_has_a_section_of_guardrails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{document.GUARDS_BEGIN}old\n{document.GUARDS_END}after\n")
    monkeypatch.setattr(document, "PAGE", page)

    document.write_page(_RESULTS, "", "", "table\n")

    about = "- machine: this\n- guardrails: now\n"
    section = f"{document.GUARDS_BEGIN}{about}\ntable\n{document.GUARDS_END}"
    assert f"before\n{section}after\n" == page.read_text()
