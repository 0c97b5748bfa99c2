from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llmgateway.guardrails import token_limits
from llmgateway.guardrails.base import CheckFailed, ParameterFault, Subject
from llmgateway.guardrails.token_limits import estimated_tokens, register_token_counter, token_limit


@pytest.fixture(autouse=True)
def _counters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(token_limits, "_counters", dict(token_limits._counters))
    yield


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a", 1),
        ("abcd", 2),
        ("abcdefg", 2),
        ("abcdefgh", 3),
        ("é", 1),
        ("漢字", 2),
        ("\U0001f600", 2),
        ("\ud800", 1),
        ("x" * 7 * 10**5, 2 * 10**5),
    ],
)
def test_the_estimate_is_bytes_by_three_and_a_half(text: str, count: int) -> None:
    assert count == estimated_tokens(text)


@pytest.mark.parametrize(
    ("texts", "parameters", "passes"),
    [
        ((), {}, True),
        ((), {"minTokens": 1}, False),
        (("abcdefg",), {"max_tokens": 2}, True),
        (("abcdefgh",), {"maxTokens": 2}, False),
        (("abcdefgh",), {"maxTokens": 2, "not": True}, True),
        (("abcdefg", "abcdefg"), {"maxTokens": 3}, False),
        (("abcdefg", "abcdefg"), {"minTokens": 4, "maxTokens": 4}, True),
        (("x" * 10**6,), {"maxTokens": 100_000}, False),
    ],
)
def test_limits_hold_for_all_texts_together(
    texts: tuple[str, ...], parameters: Any, passes: bool
) -> None:
    arguments = token_limit.bind(parameters).arguments

    assert passes == token_limit(Subject("input", texts), **arguments).passed


def test_a_registered_counter_counts() -> None:
    register_token_counter("words", lambda text: len(text.split()))
    arguments = token_limit.bind({"counter": "words", "maxTokens": 2}).arguments

    assert 3 == token_limit(Subject("input", ("a b c",)), **arguments).data["tokenCount"]


@pytest.mark.parametrize("counter", ["wrods", "os.system", ""])
def test_an_unknown_counter_is_refused(counter: str) -> None:
    with pytest.raises(ParameterFault) as caught:
        token_limit.bind({"counter": counter})

    assert ("counter",) == caught.value.path


@pytest.mark.parametrize("count", [-1, 1.5, None, True, "3"])
def test_a_counter_that_counts_wrongly_is_an_error(count: Any) -> None:
    register_token_counter("odd", lambda text: count)

    with pytest.raises(CheckFailed):
        token_limit(Subject("input", ("a",)), counter="odd")


def test_a_counter_that_has_gone_is_an_error() -> None:
    with pytest.raises(CheckFailed):
        token_limit(Subject("input", ("a",)), counter="gone")


def test_the_estimate_stays() -> None:
    with pytest.raises(ValueError, match="estimate"):
        register_token_counter("estimate", len)


@pytest.mark.parametrize("parameters", [{"maxTokens": -1}, {"maxTokens": "3"}, {"maxTokens": 1.5}])
def test_bad_limits_are_refused(parameters: Any) -> None:
    with pytest.raises(ParameterFault):
        token_limit.bind(parameters)
