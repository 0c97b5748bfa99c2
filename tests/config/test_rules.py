"""What the keys of a config must be to one another."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.config import Branch, Conditional, LoadBalance, Single, parse_config
from tests.config.faults import branch, faults, leaf

A: dict[str, Any] = {"name": "a", "provider": "acme", "api_key": "k"}
B: dict[str, Any] = {"name": "b", "provider": "bolt", "api_key": "k"}
NEITHER = (
    "Invalid configuration. It must have either 'provider' and 'api_key', 'provider' with stored "
    "credentials, or 'strategy' and 'targets'"
)
NO_TARGETS = "A strategy needs 'targets'"
NO_STRATEGY = "'targets' need a 'strategy' that chooses among them"
NULL = "Must not be null; leave it out"
ANY = [{"query": {}, "then": "a"}]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({"provider": "acme", "api_key": "k"}, id="provider and key"),
        pytest.param({"provider": "acme"}, id="provider with stored credentials"),
        pytest.param({"provider": "acme", "aws_access_key_id": "a"}, id="provider and options"),
        pytest.param(branch("single", A), id="strategy and targets"),
        pytest.param({"retry": {"attempts": 1}}, id="retry alone"),
        pytest.param({"retry": {}}, id="empty retry alone"),
        pytest.param({"request_timeout": 5}, id="timeout alone"),
        pytest.param({"requestTimeout": 5}, id="timeout alone in camelCase"),
        pytest.param({"custom_host": "https://example.com"}, id="host alone"),
        pytest.param({"override_params": {}}, id="params alone"),
        pytest.param({"forward_headers": []}, id="forwarded headers alone"),
        pytest.param({"strict_open_ai_compliance": False}, id="compliance alone"),
        pytest.param({"retry": {}, "api_key": "k"}, id="policy and key"),
        pytest.param({"provider": "", "retry": {}}, id="empty provider and policy"),
        pytest.param(branch("single", A) | {"provider": "x", "opt": 1}, id="branch with provider"),
    ],
)
def test_a_config_that_says_whom_to_call_or_what_to_do_is_valid(raw: dict[str, Any]) -> None:
    assert list(parse_config(raw).leaves())


@pytest.mark.parametrize(
    ("raw", "path", "text"),
    [
        pytest.param({}, "", NEITHER, id="empty"),
        pytest.param({"provider": ""}, "", NEITHER, id="empty provider"),
        pytest.param({"api_key": "k"}, "", NEITHER, id="key alone"),
        pytest.param({"name": "a", "weight": 1}, "", NEITHER, id="name and weight"),
        pytest.param({"on_status_codes": [429]}, "", NEITHER, id="codes alone"),
        pytest.param({"resource_name": "x"}, "", NEITHER, id="option alone"),
        pytest.param({"strategy": {"mode": "single"}}, "strategy", NO_TARGETS, id="strategy alone"),
        pytest.param(
            {"strategy": {"mode": "single"}, "provider": "acme"},
            "strategy",
            NO_TARGETS,
            id="strategy and provider",
        ),
        pytest.param({"targets": [A]}, "targets", NO_STRATEGY, id="targets alone"),
        pytest.param(branch("single", {}), "targets.0", NEITHER, id="empty target"),
        pytest.param(branch("single", {"api_key": "k"}), "targets.0", NEITHER, id="target: key"),
        pytest.param(
            branch("single", {"provider": ""}), "targets.0", NEITHER, id="target: empty provider"
        ),
        pytest.param(
            branch("single", A, branch("single", {"retry": {}})),
            "targets.1.targets.0",
            NEITHER + "; a target inherits no provider",
            id="target: policy alone",
        ),
        pytest.param(
            branch("single", {}) | {"provider": "acme"},
            "targets.0",
            NEITHER,
            id="target below a branch with provider",
        ),
        pytest.param(branch("single", {"targets": [A]}), "targets.0.targets", NO_STRATEGY, id="b"),
        pytest.param(branch("fallback"), "targets", "Must hold at least one target", id="none"),
        pytest.param(
            branch("conditional"), "targets", "Must hold at least one target", id="none to name"
        ),
        pytest.param(
            branch("loadbalance"), "targets", "Must hold at least one target", id="none w"
        ),
    ],
)
def test_a_config_that_says_neither_is_refused(raw: dict[str, Any], path: str, text: str) -> None:
    found = faults(raw)

    assert [path] == list(found)
    assert found[path].startswith(text)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"provider": None, "retry": {}}, "provider"),
        (A | {"api_key": None}, "api_key"),
        (A | {"retry": None}, "retry"),
        (A | {"retry": {"attempts": None}}, "retry.attempts"),
        (A | {"retry": {"onStatusCodes": None}}, "retry.onStatusCodes"),
        (A | {"cache": None}, "cache"),
        (A | {"resource_name": None}, "resource_name"),
        (A | {"overrideParams": None}, "overrideParams"),
        (branch("loadbalance", A, B | {"weight": None}), "targets.1.weight"),
        (branch("conditional", A, B, conditions=ANY, default=None), "strategy.default"),
    ],
)
def test_a_null_is_refused_for_nobody_knows_what_it_means(raw: dict[str, Any], path: str) -> None:
    assert {path: NULL} == faults(raw)


def test_a_null_within_params_is_a_value() -> None:
    assert {"stop": None} == leaf(A | {"override_params": {"stop": None}}).policy.override_params


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param(
            {"request_timeout": 5, "requestTimeout": 6},
            {
                "request_timeout": "`request_timeout` is given more than once",
                "requestTimeout": "`request_timeout` is given more than once",
            },
            id="known",
        ),
        pytest.param(
            {"resource_name": "a", "resourceName": "a"},
            {
                "resource_name": "`resource_name` is given more than once",
                "resourceName": "`resource_name` is given more than once",
            },
            id="option",
        ),
        pytest.param(
            {"Request_Timeout": 5},
            {"Request_Timeout": "Unknown key; write it `request_timeout`"},
            id="capitals",
        ),
        pytest.param(
            {"PROVIDER": "x"},
            {"PROVIDER": "`provider` is given more than once",
             "provider": "`provider` is given more than once"},
            id="capitals of a given key",
        ),
    ],
)  # fmt: skip
def test_a_key_has_one_spelling(keys: dict[str, Any], expected: dict[str, str]) -> None:
    assert expected == faults(A | keys)
    assert {f"targets.0.{key}": text for key, text in expected.items()} == faults(
        branch("single", A | keys)
    )


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([None, None], (1, 1)),
        ([0.7, 0.3], (0.7, 0.3)),
        ([0, None], (0, 1)),
        ([5, 0], (5, 0)),
        ([1e-300, 0.0], (1e-300, 0)),
    ],
)
def test_weights_are_read(weights: list[float | None], expected: tuple[float, ...]) -> None:
    targets = [A if weight is None else A | {"weight": weight} for weight in weights]

    root = parse_config(branch("loadbalance", *targets)).root

    assert isinstance(root, Branch)
    assert LoadBalance(expected) == root.strategy


@pytest.mark.parametrize("weights", [[0], [0, 0.0], [1e308, 1e308]])
def test_weights_that_draw_nothing_are_refused(weights: list[float]) -> None:
    raw = branch("loadbalance", *[A | {"weight": weight} for weight in weights])

    assert {"targets": "The weights must add up to a number above zero"} == faults(raw)
    assert {"targets.1.targets"} == faults(branch("fallback", A, raw)).keys()


@pytest.mark.parametrize("weights", [[0, "1"], [0, -1]])
def test_a_bad_weight_is_one_fault(weights: list[Any]) -> None:
    raw = branch("loadbalance", *[A | {"weight": weight} for weight in weights])

    assert {"targets.1.weight"} == faults(raw).keys()


def test_weights_of_other_strategies_do_not_matter() -> None:
    root = parse_config(branch("single", A | {"weight": 0}, B)).root

    assert isinstance(root, Branch)
    assert Single() == root.strategy


@pytest.mark.parametrize("conditions", [{}, {"conditions": []}])
def test_a_router_needs_conditions(conditions: dict[str, Any]) -> None:
    raw = branch("conditional", A, default="a", **conditions)

    assert {"strategy.conditions": "No conditions passed in the query router"} == faults(raw)


def test_names_become_places() -> None:
    conditions = [{"query": {}, "then": "b"}, {"query": {"params.x": 1}, "then": "a"}]
    unnamed = {"provider": "acme"}

    root = parse_config(
        branch("conditional", unnamed, A, B, unnamed, conditions=conditions, default="a")
    ).root

    assert isinstance(root, Branch)
    assert isinstance(root.strategy, Conditional)
    assert [2, 1] == [condition.then for condition in root.strategy.conditions]
    assert 1 == root.strategy.default
    assert [None, "a", "b", None] == [target.name for target in root.targets]


def test_a_router_needs_no_default() -> None:
    root = parse_config(branch("conditional", A, conditions=ANY)).root

    assert isinstance(root, Branch)
    assert isinstance(root.strategy, Conditional)
    assert root.strategy.default is None


@pytest.mark.parametrize("name", ["", "c", "A", "a ", "x" * 5000])
def test_a_name_that_no_target_has_is_refused(name: str) -> None:
    text = f"Invalid target name found in the query router: {name[:64]}"
    conditions = [*ANY, {"query": {}, "then": name}]
    raw = branch("conditional", A, B, conditions=conditions, default=name)

    assert {"strategy.conditions.1.then": text, "strategy.default": text} == faults(raw)


def test_a_name_of_another_level_is_no_target() -> None:
    inner = branch("single", {"name": "inner", "provider": "acme"})

    found = faults(branch("conditional", A, inner, conditions=[{"query": {}, "then": "inner"}]))

    assert {"strategy.conditions.0.then"} == found.keys()


def test_a_branch_may_be_chosen_by_name() -> None:
    inner = branch("fallback", B) | {"name": "inner"}
    root = parse_config(
        branch("conditional", A, inner, conditions=[{"query": {}, "then": "inner"}])
    ).root

    assert isinstance(root, Branch)
    assert "inner" == root.targets[1].name


def test_targets_of_one_router_differ_in_name() -> None:
    raw = branch("conditional", A, B, A, A, conditions=ANY)
    text = "Another target has the same name"

    assert {"targets.2.name": text, "targets.3.name": text} == faults(raw)

    twins = list(parse_config(branch("fallback", A, A)).leaves())
    assert 2 == len(twins), "only a router goes by names"
