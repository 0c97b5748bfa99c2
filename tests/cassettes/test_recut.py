"""Recorded exchanges in other pieces than they came in: the same bytes, the same figures."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.cassettes.conftest import Answer, Replayed
from tests.cassettes.corpus import Exchange, params
from tests.cassettes.recut import cut

MAX_PIECES = 400
"""The smallest pieces of a body are of one byte if they are no more than this."""

anything = pytest.mark.parametrize("exchange", params())
Whole = Callable[[Exchange], tuple[Answer, dict[str, Any]]]


def hold_against(answer: Answer, whole: Answer) -> None:
    """Hold an answer against that to the same recording in its usual pieces."""
    ids = [kept.record.trace_id.encode() for kept in (answer, whole)]

    assert whole.body.replace(ids[1], b"ID") == answer.body.replace(ids[0], b"ID")
    assert (whole.status, whole.is_cut) == (answer.status, answer.is_cut)
    assert whole.record.usage == answer.record.usage
    assert (whole.record.error, whole.record.stream) == (answer.record.error, answer.record.stream)


@anything
def test_a_body_in_equal_pieces_is_the_same(
    exchange: Exchange, replayed: Replayed, whole: Whole
) -> None:
    size = max(1, len(exchange.raw) // MAX_PIECES)

    hold_against(replayed.ask(exchange, fault=f"chunk={size}"), whole(exchange)[0])


@pytest.mark.parametrize("exchange", params(lambda e: e.is_text and not e.raw.isascii()))
def test_a_body_cut_inside_its_characters_is_the_same(
    exchange: Exchange, replayed: Replayed, whole: Whole
) -> None:
    hold_against(replayed.ask(exchange, fault="split-utf8"), whole(exchange)[0])


@pytest.mark.parametrize("seed", ["one", "two", "three"])
@anything
def test_a_body_cut_at_random_is_the_same(
    exchange: Exchange, recut: Replayed, whole: Whole, seed: str
) -> None:
    """Its head, its chunks' lengths and its end are cut as well, and its framing is drawn."""
    hold_against(recut.ask(exchange, seed=f"{seed} {exchange.id}"), whole(exchange)[0])


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
def test_cutting_loses_nothing(size: int) -> None:
    data = random.Random(size).randbytes(size)
    pieces = [cut(data, random.Random(seed)) for seed in range(20)]

    assert [data] * 20 == [b"".join(piece) for piece in pieces]
    assert all(all(piece) for piece in pieces)
