"""Patterns that callers bring: compiled by RE2 or refused, and cheap whatever the text."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from llmgateway.config.patterns import (
    MAX_INSTRUCTIONS,
    MAX_PATTERNS,
    MAX_TEXT_BYTES,
    Patterns,
)
from tests.config.faults import branch, faults

TOO_MUCH = "too many or too large together"


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("^gpt-4", "gpt-4o", True),
        ("^gpt-4", "a gpt-4o", False),
        ("mini", "gpt-4o-mini-2024", True),
        ("MINI", "gpt-4o-mini", False),
        ("(?i)MINI", "gpt-4o-mini", True),
        ("", "", True),
        ("^$", "x", False),
        ("é+$", "caféé", True),
        ("^.$", "é", True),
        ("^.$", "\U0001f600", True),
        (r"^\d+$", 42, True),
        (r"^42$", 42.0, True),
        (r"^1e\+21$", 10**21, True),
        ("^true$", True, True),
        ("^false$", False, True),
        ("", None, False),
        ("", object(), False),
        ("", ["a"], False),
        ("", {"a": 1}, False),
        ("a", "\ud800a", False),
    ],
)
def test_a_pattern_is_searched_in_the_text_of_a_value(
    pattern: str, value: Any, expected: bool
) -> None:
    assert expected == Patterns().compile(pattern)(value)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("(?=a)", id="look-ahead"),
        pytest.param("(?!a)", id="negative look-ahead"),
        pytest.param("(?<!a)b", id="look-behind"),
        pytest.param(r"(a)\1", id="back-reference"),
        pytest.param("(", id="open group"),
        pytest.param("[z-a]", id="bad range"),
        pytest.param("a{2000}", id="many repeats"),
        pytest.param("((a{100}){100}){100}", id="nested repeats"),
        pytest.param("(é" * 300, id="long reason"),
        pytest.param("*", id="nothing to repeat"),
    ],
)
def test_what_re2_cannot_compile_is_refused(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="^RE2 cannot compile this pattern: .{3,200}$"):
        Patterns().compile(pattern)

    assert ("", "") == capfd.readouterr(), "RE2 must not write to the terminal"


@pytest.mark.parametrize("pattern", [5, None, True, ["a"], {"a": 1}])
def test_a_pattern_is_a_string(pattern: Any) -> None:
    with pytest.raises(ValueError, match=r"^\$regex must be a string$"):
        Patterns().compile(pattern)


def test_without_re2_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    query = {"params.model": {"$regex": "^a"}}
    raw = branch(
        "conditional", {"name": "a", "provider": "acme"}, conditions=[{"query": query, "then": "a"}]
    )

    assert {
        "strategy.conditions.0.query.params.model.$regex": "$regex needs google-re2, which this "
        "gateway lacks; install llmgateway[regex]"
    } == faults(raw)


def test_a_text_is_searched_up_to_a_limit() -> None:
    patterns = Patterns()
    found = patterns.compile("end$")

    assert MAX_TEXT_BYTES == patterns.text_bytes
    assert found("x" * (MAX_TEXT_BYTES - 3) + "end")
    assert found("x" * (MAX_TEXT_BYTES - 3) + "end" + "y")
    assert not found("x" * MAX_TEXT_BYTES + "end")


def test_the_limit_counts_bytes_and_may_cut_a_character() -> None:
    found = Patterns().compile("x")

    assert not found("€" * (MAX_TEXT_BYTES // 3 + 1) + "x")
    assert found("€" * (MAX_TEXT_BYTES // 3) + "x")


def test_large_patterns_search_less_text() -> None:
    """All patterns of a config share one budget, also those compiled later."""
    patterns = Patterns()
    found = patterns.compile("end")
    text = "x" * (MAX_TEXT_BYTES - 3) + "end"

    assert found(text)
    patterns.compile("a[bc]{800}d")
    assert 10_000 < patterns.text_bytes < 30_000
    assert not found(text)


def test_there_may_be_only_so_many_patterns() -> None:
    patterns = Patterns()
    for _ in range(MAX_PATTERNS):
        patterns.compile("a")

    with pytest.raises(ValueError, match=TOO_MUCH):
        patterns.compile("a")


def test_patterns_may_be_only_so_large_together() -> None:
    patterns = Patterns()
    for _ in range(MAX_INSTRUCTIONS // 1010):
        patterns.compile("x{1000}")

    for pattern in ("x{100}", "a"):
        with pytest.raises(ValueError, match=TOO_MUCH):
            patterns.compile(pattern)


def test_all_queries_of_a_config_share_one_budget() -> None:
    condition = {"query": {"params.a": {"$regex": "a[bc]{900}d"}}, "then": "a"}
    inner = branch(
        "conditional", {"name": "a", "provider": "acme"}, conditions=[condition, condition]
    )

    found = faults(branch("fallback", inner, inner, inner))

    assert {
        "targets.2.strategy.conditions.0.query.params.a.$regex",
        "targets.2.strategy.conditions.1.query.params.a.$regex",
    } == found.keys()


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(x+x+)+y",
        r"^(\w+\s?)*$",
        r"(.*a){20}c",
        r"(a|aa)+$",
        r"a[ab]{1000}c",
    ],
)
def test_a_known_killer_is_answered_or_refused(pattern: str) -> None:
    """None hangs: a back-tracking engine would not come back from any of the first five."""
    found = Patterns().compile(pattern)

    assert found("a" * 2**20 + "!") in (True, False)
