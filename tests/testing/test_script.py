"""The language of scripts, and how tries of one call are counted."""

from __future__ import annotations

import pytest

from llmgateway.testing.answers import FakeError
from llmgateway.testing.script import PARTS, Attempts, Script, read_script, script_table


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o-mini", Script()),
        ("fakery-503", Script()),
        ("fake", Script()),
        ("fake-503", Script(status=503)),
        ("fake-503-twice", Script(status=503, times=2)),
        ("fake-429-once", Script(status=429, times=1)),
        ("fake-500-thrice", Script(status=500, times=3)),
        ("fake-503-x2", Script(status=503, times=2)),
        ("fake-429-retry-after-2", Script(status=429, headers=(("retry-after", "2"),))),
        ("fake-429-retry-after-50ms", Script(status=429, headers=(("retry-after-ms", "50"),))),
        ("fake-slow-5", Script(delay_s=5)),
        ("fake-slow-250ms-once", Script(delay_s=0.25, times=1)),
        ("fake-hang", Script(fault="hang")),
        ("fake-stream-error", Script(fault="stream-error")),
        ("fake-502-html", Script(status=502, fault="html")),
        ("fake-tokens-1000-pace-50ms", Script(tokens=1000, pace_s=0.05)),
    ],
)
def test_a_name_is_read(name: str, expected: Script) -> None:
    assert expected == read_script(name)


@pytest.mark.parametrize(
    "name", ["fake-", "fake-503-twcie", "fake-200", "fake-slow", "fake-503x", "fake-gpt"]
)
def test_an_unknown_part_is_no_model(name: str) -> None:
    with pytest.raises(FakeError) as error:
        read_script(name)

    assert (404, "model_not_found") == (error.value.status, error.value.code)
    assert "tokens-N" in error.value.message


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.form)
def test_every_part_has_a_true_example_and_stands_in_the_table(part: object) -> None:
    assert isinstance(part, type(PARTS[0]))
    assert Script() != read_script(part.example)
    assert f"| {part.form} | `{part.example}` | {part.doc} |" in script_table()


def test_a_count_begins_anew_when_its_script_is_over() -> None:
    attempts, script = Attempts(), read_script("fake-503-twice-tokens-3")
    got = [attempts.next("call", "name", script).status for _ in range(6)]

    assert [503, 503, None, 503, 503, None] == got
    assert 0 == len(attempts)
    assert 3 == script.healed().tokens


def test_calls_are_counted_apart() -> None:
    attempts, script = Attempts(), read_script("fake-503-once")

    assert 503 == attempts.next("one", "name", script).status
    assert 503 == attempts.next("two", "name", script).status
    assert attempts.next("one", "name", script).status is None


def test_counts_are_bounded() -> None:
    attempts, script = Attempts(limit=3), read_script("fake-503-once")
    for number in range(10):
        attempts.next(str(number), "name", script)

    assert 3 == len(attempts)
