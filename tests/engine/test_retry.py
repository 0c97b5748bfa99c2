"""Which outcomes are tried again, and after how long."""

from __future__ import annotations

import pytest

from llmgateway.config import Retry
from llmgateway.engine.outcome import Outcome
from llmgateway.engine.retry import Waits, is_retriable, next_wait, retry_after
from llmgateway.types.http import Headers


class Half:
    def random(self) -> float:
        return 0.5


def delays(retry: Retry, *outcomes: Outcome) -> list[float | None]:
    """Return the wait after each outcome in turn, None where retrying ends."""
    waits, found = Waits(), []
    for outcome in outcomes:
        step = next_wait(outcome, retry, waits, Half())
        found.append(None if step is None else step[0])
        if step is None:
            break
        waits = step[1]
    return found


FAILED = Outcome(503)


def asking(seconds: float) -> Outcome:
    return Outcome(429, retry_after_s=seconds)


def test_back_off_doubles_from_one_second() -> None:
    assert [1.0, 2.0, 4.0, 8.0, 16.0, None] == delays(Retry(attempts=5), *[FAILED] * 6)


def test_jitter_draws_below_the_back_off() -> None:
    assert [0.5, 1.0, None] == delays(Retry(attempts=2, jitter=True), *[FAILED] * 3)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        pytest.param([asking(7), FAILED, FAILED], [7, 0, 0], id="honoured-then-no-back-off"),
        pytest.param([asking(60)], [None], id="a-single-wait-of-60-ends-it"),
        pytest.param([asking(40), asking(30)], [40, None], id="the-sum-over-60-ends-it"),
        pytest.param([asking(30), asking(30), FAILED], [30, 30, 0], id="the-sum-of-60-is-allowed"),
        pytest.param([Outcome(429), FAILED], [1, 2], id="429-without-a-wait-backs-off"),
        pytest.param([Outcome(503, retry_after_s=9)], [1], id="only-429-counts"),
        pytest.param([asking(0)], [0], id="zero-is-a-wait"),
    ],
)
def test_a_providers_own_wait_replaces_the_back_off(
    outcomes: list[Outcome], expected: list[float | None]
) -> None:
    assert expected == delays(Retry(attempts=5, use_retry_after=True), *outcomes)


def test_a_providers_own_wait_is_ignored_by_default() -> None:
    assert [1.0] == delays(Retry(attempts=5), asking(7))


@pytest.mark.parametrize(
    ("outcome", "retry", "expected"),
    [
        pytest.param(Outcome(429), Retry(1), True, id="default-429"),
        pytest.param(Outcome(529), Retry(1), True, id="default-529"),
        pytest.param(Outcome(408), Retry(1), False, id="408-only-if-listed"),
        pytest.param(Outcome(408), Retry(1, frozenset({408})), True, id="408-listed"),
        pytest.param(Outcome(401), Retry(1), False, id="401"),
        pytest.param(Outcome(200), Retry(1), False, id="success"),
        pytest.param(Outcome(502, never_sent=True), Retry(1, frozenset({429})), True, id="network"),
        pytest.param(Outcome(503, repeatable=False), Retry(1), False, id="spent-upload"),
    ],
)
def test_what_is_tried_again(outcome: Outcome, retry: Retry, expected: bool) -> None:
    assert expected is is_retriable(outcome, retry)


NOW = 1_445_412_470.0  # ten seconds before the date below


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, None, id="absent"),
        pytest.param({"retry-after": "3"}, 3.0, id="seconds"),
        pytest.param({"retry-after": "1.5"}, 1.5, id="a-fraction"),
        pytest.param({"retry-after-ms": "250"}, 0.25, id="ms"),
        pytest.param({"x-ms-retry-after-ms": "500", "retry-after": "9"}, 0.5, id="azure-ms-first"),
        pytest.param(
            {"retry-after-ms": "1", "x-ms-retry-after-ms": "500", "retry-after": "9"},
            0.001,
            id="ms-before-all",
        ),
        pytest.param({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 10.0, id="http-date"),
        pytest.param({"retry-after": "Wed, 21 Oct 2015 07:00:00 GMT"}, 0.0, id="date-in-the-past"),
        pytest.param({"retry-after": "soon"}, None, id="words"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "nan"}, None, id="nan"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after-ms": "x", "retry-after": "2"}, 2.0, id="next-one-if-unreadable"),
        pytest.param({"retry-after": "9" * 500}, None, id="absurdly-long"),
    ],
)
def test_retry_after_is_read_in_every_form(fields: dict[str, str], expected: float | None) -> None:
    headers = Headers((name.encode(), value.encode()) for name, value in fields.items())

    assert expected == retry_after(headers, NOW)
