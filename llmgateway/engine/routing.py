"""Which target comes next: a pure walk over the config tree that is told each outcome.

The walk is a generator. It yields the leaf to try and is sent what came of it; when it returns,
the value is the outcome that answers the call. Recursion over the tree keeps the place, so no
state of any strategy has to be kept, copied or derived from a list of outcomes.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeVar

from llmgateway.config import (
    Branch,
    Conditional,
    Facts,
    Fallback,
    Leaf,
    LoadBalance,
    Node,
    Single,
)
from llmgateway.engine.world import Random
from llmgateway.errors import RoutingFailed


class HasStatus(Protocol):
    """All that a strategy asks of an outcome."""

    @property
    def status(self) -> int: ...


O = TypeVar("O", bound=HasStatus)  # noqa: E741 - the conventional one-letter type variable
Walk = Generator[Leaf, O, O]


def walk(node: Node, facts: Facts, draw: Random) -> Walk[O]:
    """Walk over `node`: yield leaves, be sent outcomes, return the one that counts.

    Raises `RoutingFailed` where a condition selects nothing.
    """
    if isinstance(node, Leaf):
        return (yield node)
    match node.strategy:
        case Fallback(on_status_codes):
            return (yield from _fall_back(node, on_status_codes, facts, draw))
        case Single():
            chosen = 0
        case LoadBalance(weights):
            chosen = pick(weights, draw.random())
        case Conditional():
            chosen = _select(node.strategy, facts)
    return (yield from walk(node.targets[chosen], facts, draw))


def pick(weights: tuple[float, ...], draw: float) -> int:
    """Return the first index whose cumulative weight exceeds `draw` (in [0, 1)) of the sum."""
    point = draw * sum(weights)
    cumulative = 0.0
    last = 0
    for index, weight in enumerate(weights):
        if weight <= 0:
            continue
        cumulative += weight
        last = index
        if point < cumulative:
            break
    return last


def _fall_back(branch: Branch, codes: frozenset[int] | None, facts: Facts, draw: Random) -> Walk[O]:
    outcome: O | None = None
    for target in branch.targets:
        if isinstance(target, Leaf):
            outcome = yield target
        else:
            outcome = yield from walk(target, facts, draw)
        if not _goes_on(outcome.status, codes):
            break
    assert outcome is not None, "the parser admits no branch without targets"
    return outcome


def _goes_on(status: int, codes: frozenset[int] | None) -> bool:
    if codes is not None:
        return status in codes
    return not 200 <= status < 300


def _select(strategy: Conditional, facts: Facts) -> int:
    for condition in strategy.conditions:
        if condition.query.matches(facts):
            return condition.then
    if strategy.default is None:
        raise RoutingFailed(
            "Query router did not resolve to any valid target; add a `default` to the strategy."
        )
    return strategy.default
