"""The walk over the config tree: table tests, and random trees against a model."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.config import (
    Branch,
    Condition,
    Conditional,
    Facts,
    Fallback,
    Leaf,
    LoadBalance,
    Node,
    Policy,
    Single,
)
from llmgateway.engine.routing import Walk, pick, walk
from llmgateway.errors import RoutingFailed

FACTS = Facts(metadata={}, params={}, pathname="/v1/chat/completions")


@dataclass(frozen=True)
class Result:
    status: int


class Draws:
    """Gives the numbers it was made with, in turn, and counts them."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)


@dataclass(frozen=True)
class Always:
    holds: bool
    reads_params: bool = False

    def matches(self, facts: Facts) -> bool:
        return self.holds


def leaf(path: str) -> Leaf:
    return Leaf(path=path, provider="p", api_key=None, options={}, policy=Policy())


def branch(strategy: object, *targets: Node, path: str = "config") -> Branch:
    return Branch(path=path, strategy=strategy, targets=targets)  # type: ignore[arg-type]  # a test's strategy


def follow(node: Node, statuses: dict[str, int], *draws: float) -> tuple[list[str], int]:
    """Walk to the end; return the paths tried and the status that counts."""
    steps: Walk[Result] = walk(node, FACTS, Draws(*draws))
    tried = []
    try:
        target = next(steps)
        while True:
            tried.append(target.path)
            target = steps.send(Result(statuses[target.path]))
    except StopIteration as stop:
        return tried, stop.value.status


def test_single_uses_the_first_target_only() -> None:
    node = branch(Single(), leaf("a"), leaf("b"))

    assert (["a"], 500) == follow(node, {"a": 500, "b": 200})


@pytest.mark.parametrize(
    ("codes", "statuses", "tried"),
    [
        pytest.param(None, {"a": 200}, ["a"], id="success-stops"),
        pytest.param(None, {"a": 246}, ["a"], id="246-counts-as-success"),
        pytest.param(None, {"a": 500, "b": 429, "c": 200}, ["a", "b", "c"], id="all-tried"),
        pytest.param(None, {"a": 401, "b": 200}, ["a", "b"], id="any-error-goes-on"),
        pytest.param({429}, {"a": 429, "b": 200}, ["a", "b"], id="listed-goes-on"),
        pytest.param({429}, {"a": 500, "b": 200}, ["a"], id="unlisted-stops"),
        pytest.param({200}, {"a": 200, "b": 404}, ["a", "b"], id="even-200-if-listed"),
        pytest.param(set(), {"a": 500, "b": 200}, ["a"], id="an-empty-list-never-goes-on"),
    ],
)
def test_fallback_goes_on_by_status(
    codes: set[int] | None, statuses: dict[str, int], tried: list[str]
) -> None:
    strategy = Fallback(None if codes is None else frozenset(codes))
    node = branch(strategy, leaf("a"), leaf("b"), leaf("c"))

    assert (tried, statuses[tried[-1]]) == follow(node, statuses)


@pytest.mark.parametrize(
    ("weights", "draw", "index"),
    [
        ((1, 1), 0.0, 0),
        ((1, 1), 0.4999, 0),
        ((1, 1), 0.5, 1),
        ((3, 1), 0.74, 0),
        ((3, 1), 0.75, 1),
        ((0, 1), 0.0, 1),
        ((1, 0), 0.999999, 0),
        ((0.1, 0.2, 0.7), 0.9999999999999999, 2),
    ],
)
def test_pick_takes_the_first_cumulative_weight_over_the_draw(
    weights: tuple[float, ...], draw: float, index: int
) -> None:
    assert index == pick(weights, draw)


def test_conditional_takes_the_first_that_holds() -> None:
    conditions = (
        Condition(Always(False), 0),
        Condition(Always(True), 1),
        Condition(Always(True), 2),
    )
    node = branch(Conditional(conditions), leaf("a"), leaf("b"), leaf("c"))

    assert (["b"], 200) == follow(node, {"b": 200})


def test_conditional_uses_the_default() -> None:
    node = branch(Conditional((Condition(Always(False), 0),), default=1), leaf("a"), leaf("b"))

    assert (["b"], 503) == follow(node, {"b": 503})


def test_conditional_without_a_match_or_default_is_refused() -> None:
    node = branch(Conditional((Condition(Always(False), 0),)), leaf("a"))

    with pytest.raises(RoutingFailed, match="did not resolve to any valid target"):
        follow(node, {})


# ---- random trees against a model that is written the other way round


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Node:
    return draw(_tree("config", depth))


@st.composite
def _tree(draw: st.DrawFn, path: str, depth: int) -> Node:
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return leaf(path)
    count = draw(st.integers(1, 3))
    targets = tuple(draw(_tree(f"{path}.targets[{i}]", depth - 1)) for i in range(count))
    strategy = draw(
        st.one_of(
            st.just(Single()),
            st.builds(LoadBalance, st.tuples(*[st.integers(1, 5) for _ in range(count)])),
            st.builds(
                Fallback, st.none() | st.frozensets(st.sampled_from([200, 429, 500]), max_size=3)
            ),
            st.builds(
                Conditional,
                st.lists(
                    st.builds(
                        Condition, st.builds(Always, st.booleans()), st.integers(0, count - 1)
                    ),
                    min_size=1,
                    max_size=3,
                ).map(tuple),
                st.integers(0, count - 1),
            ),
        )
    )
    return Branch(path=path, strategy=strategy, targets=targets)


def model(node: Node, statuses: list[int], draws: list[float]) -> tuple[list[str], int]:
    """Evaluate the tree eagerly: every leaf visited takes the next status."""
    if isinstance(node, Leaf):
        return [node.path], statuses.pop(0)
    strategy = node.strategy
    if isinstance(strategy, Fallback):
        tried: list[str] = []
        status = 0
        for target in node.targets:
            paths, status = model(target, statuses, draws)
            tried += paths
            listed = strategy.on_status_codes
            stop = status // 100 == 2 if listed is None else status not in listed
            if stop:
                break
        return tried, status
    if isinstance(strategy, Single):
        index = 0
    elif isinstance(strategy, LoadBalance):
        point, index = draws.pop(0) * sum(strategy.weights), 0
        while point >= sum(strategy.weights[: index + 1]):
            index += 1
    else:
        assert isinstance(strategy, Conditional)
        hits = [c.then for c in strategy.conditions if c.query.matches(FACTS)]
        index = hits[0] if hits else strategy.default or 0
    return model(node.targets[index], statuses, draws)


@given(
    tree=trees(),
    statuses=st.lists(st.sampled_from([200, 246, 400, 429, 500]), min_size=27, max_size=27),
    draws=st.lists(st.floats(0, 0.999), min_size=27, max_size=27),
)
def test_a_random_tree_walks_as_the_model_says(
    tree: Node, statuses: list[int], draws: list[float]
) -> None:
    expected = model(tree, list(statuses), list(draws))
    steps: Walk[Result] = walk(tree, FACTS, Draws(*draws))
    tried, remaining = [], list(statuses)
    target = next(steps)
    while True:
        tried.append(target.path)
        try:
            target = steps.send(Result(remaining.pop(0)))
        except StopIteration as stop:
            actual = (tried, stop.value.status)
            break

    assert expected == actual
