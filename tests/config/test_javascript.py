"""Values as JavaScript has them; the expected texts come from node."""

from __future__ import annotations

import math
from typing import Any

import pytest

from llmgateway.config.javascript import (
    UNDEFINED,
    number_text,
    parse_float,
    strictly_equal,
    text_of,
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1),
        (1, 1.0),
        (0, -0.0),
        ("a", "a"),
        ("", ""),
        (True, True),
        (False, False),
        (None, None),
    ],
)
def test_equal_values_are_equal(left: Any, right: Any) -> None:
    assert strictly_equal(left, right)
    assert strictly_equal(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (0, False),
        (1.0, True),
        (True, False),
        (1, "1"),
        ("true", True),
        ("", None),
        (0, None),
        (False, None),
        ("a", "A"),
        (UNDEFINED, None),
        (UNDEFINED, UNDEFINED),
        ([], []),
        ({}, {}),
        ([1], 1),
        ([None], None),
        (math.nan, math.nan),
    ],
)
def test_different_values_and_all_objects_differ(left: Any, right: Any) -> None:
    assert not strictly_equal(left, right)
    assert not strictly_equal(right, left)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (-2.5, -2.5),
        ("5", 5),
        ("12abc", 12),
        (" \t\n7", 7),
        ("\u00a0\ufeff7", 7),
        ("-5.5e3x", -5500),
        ("+.5", 0.5),
        (".5.", 0.5),
        ("5.", 5),
        ("1e", 1),
        ("1e+", 1),
        ("0x10", 0),
        ("1_000", 1),
        ("00012", 12),
        ("1e400", math.inf),
        ("Infinity and more", math.inf),
        ("-Infinity", -math.inf),
        ("1" + "0" * 5000, math.inf),
    ],
)
def test_a_number_is_read_from_the_front(value: Any, expected: float) -> None:
    assert expected == parse_float(value)


@pytest.mark.parametrize(
    "value",
    ["", " ", "abc", "e5", "-", "+-1", "- 1", "NaN", "infinity", "\u0661", ".", "$5"]
    + [True, False, None, UNDEFINED, [5], {"a": 5}],
)
def test_all_else_is_not_a_number(value: Any) -> None:
    assert math.isnan(parse_float(value))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-17, "-17"),
        (0.1, "0.1"),
        (123.456, "123.456"),
        (100.0, "100"),
        (2**53, "9007199254740992"),
        (2**53 + 1, "9007199254740992"),
        (2**63, "9223372036854776000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (-1.25e-7, "-1.25e-7"),
        (1e-7, "1e-7"),
        (0.000001, "0.000001"),
        (5e-324, "5e-324"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_a_number_is_written_as_javascript_does(number: float, expected: str) -> None:
    assert expected == number_text(number)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        (True, "true"),
        (False, "false"),
        (4.0, "4"),
        (None, None),
        ([1], None),
        ({}, None),
    ],
)
def test_only_plain_values_have_a_text(value: Any, expected: str | None) -> None:
    assert expected == text_of(value)
