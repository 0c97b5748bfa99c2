"""The ways into `parse_config`, its bounds, and how it words what is wrong."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import orjson
import pytest

from llmgateway.config import DEFAULT_CONFIG, Config, Leaf, Policy, parse_config
from llmgateway.config.parse import MAX_DEPTH, MAX_FAULTS, MAX_LEVELS, MAX_TARGETS
from tests.config.faults import branch, faults, leaf, refusal

PLAIN = {"provider": "acme", "api_key": "k"}
NOT_JSON = "Invalid config passed. You need to pass a valid json"
SAVED = "Saved configs (pc-…) cannot be named here; pass the config itself as JSON"


def nested(levels: int) -> dict[str, Any]:
    """Return a config whose only leaf has `levels` branches above it."""
    config: dict[str, Any] = PLAIN
    for _ in range(levels):
        config = branch("single", config)
    return config


def deep(levels: int) -> dict[str, Any]:
    """Return a config of so many levels of objects and lists."""
    value: Any = 1
    for _ in range(levels - 2):
        value = [value]
    return {"provider": "acme", "override_params": {"x": value}}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"provider": "acme", "api_key": "k"}', id="bytes"),
        pytest.param('{"provider": "acme", "api_key": "k"}', id="text"),
        pytest.param(PLAIN, id="dict"),
        pytest.param(MappingProxyType(PLAIN), id="mapping"),
    ],
)
def test_a_config_comes_as_json_or_as_a_mapping(raw: Any) -> None:
    config = parse_config(raw)

    assert isinstance(config.root, Leaf)
    assert "acme" == config.root.provider
    assert config.root.api_key is not None
    assert "k" == config.root.api_key.get_secret_value()


def test_a_mapping_may_hold_mappings_and_tuples() -> None:
    raw = MappingProxyType(
        {
            "strategy": MappingProxyType({"mode": "single"}),
            "targets": (MappingProxyType(PLAIN),),
        }
    )

    assert parse_config(raw).root == parse_config(branch("single", PLAIN)).root


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param("{", NOT_JSON, id="cut"),
        pytest.param("", NOT_JSON, id="empty"),
        pytest.param(b"\xff\xfe", NOT_JSON, id="no UTF-8"),
        pytest.param('{"provider": "\ud800"}', NOT_JSON, id="surrogate"),
        pytest.param('{"provider": "acme", "weight": NaN}', NOT_JSON, id="not a number"),
        pytest.param('{"provider": "acme", "weight": 1e999}', NOT_JSON, id="infinity"),
        pytest.param("[" * 5000 + "]" * 5000, NOT_JSON, id="deep"),
        pytest.param("acme", NOT_JSON, id="word"),
        pytest.param("pc-prod-1a2b", SAVED, id="slug"),
        pytest.param(b" pc-prod-1a2b\n", SAVED, id="slug in bytes"),
        pytest.param('"pc-prod-1a2b"', SAVED, id="slug in quotes"),
        pytest.param(
            '{"mode": "fallback", "options": [{"provider": "acme"}]}',
            "This version of config is not supported in this route. "
            "Please migrate to the latest version",
            id="legacy",
        ),
    ],
)
def test_what_is_no_config_at_all_is_refused_in_the_words_of_the_contract(
    raw: bytes | str, message: str
) -> None:
    error = refusal(raw)

    assert message == error.message
    assert () == error.faults
    assert 400 == error.status


@pytest.mark.parametrize("raw", ["[]", "[1]", "5", "true", "null", "1.5"])
def test_json_that_is_no_object_is_a_fault_of_the_root(raw: str) -> None:
    assert {"": "Input should be an object"} == faults(raw)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({1, 2}, id="set"),
        pytest.param({1: 2}, id="number as key"),
        pytest.param(2**70, id="huge integer"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param(object(), id="object"),
    ],
)
def test_a_mapping_with_more_than_json_is_refused(value: Any) -> None:
    found = faults({"provider": "acme", "override_params": {"x": value}})

    assert {"": "Must hold nothing but what JSON can express"} == found


def test_a_mapping_that_holds_itself_is_refused() -> None:
    raw: dict[str, Any] = {"provider": "acme"}
    raw["override_params"] = raw

    assert {"": "Must hold nothing but what JSON can express"} == faults(raw)


def test_targets_nest_up_to_a_limit() -> None:
    (only,) = parse_config(nested(MAX_LEVELS)).leaves()

    assert "config" + ".targets[0]" * MAX_LEVELS == only.path
    assert ["Must not hold more than 512 targets in all, in 32 levels"] == list(
        faults(nested(MAX_LEVELS + 1)).values()
    )


def test_targets_are_counted_up_to_a_limit() -> None:
    half = MAX_TARGETS // 2 - 1
    tree = branch("single", branch("single", *[PLAIN] * half), branch("single", *[PLAIN] * half))

    assert 2 * half == len(list(parse_config(tree).leaves()))
    tree["targets"].append(PLAIN)
    assert {""} == faults(tree).keys()


def test_json_nests_up_to_a_limit() -> None:
    assert "acme" == leaf(deep(MAX_DEPTH)).provider
    assert {"": "Must not be nested deeper than 100 levels"} == faults(deep(MAX_DEPTH + 1))


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 240, 1000])
@pytest.mark.parametrize(
    "path",
    [
        '{"strategy":{"mode":"single"},"targets":[',
        '{"provider":"acme","option":[',
        '{"strategy":{"mode":"conditional","conditions":[{"then":"a","query":{"$or":[',
        '{"a":{"$or":[',
    ],
)
def test_deep_json_is_refused_wherever_it_is(path: str, depth: int) -> None:
    closing = {"{": "}", "[": "]"}
    opened = (path * depth)[: len(path) * depth]
    closers = "".join(closing[char] for char in reversed(opened) if char in closing)

    assert refusal(opened + "1" + closers).message.startswith("Invalid config passed")


def test_all_faults_are_named_at_once() -> None:
    """Faults of types, of values, of queries and of what keys are to one another."""
    found = faults(
        {
            **branch(
                "conditional",
                {"name": "a", "provider": 5},
                {"name": "b", "retry": {"attempts": "3"}},
                default="c",
                conditions=[{"query": {"params.x": {"$like": 1}}, "then": "d"}],
            ),
            "request_timeout": 0,
        }
    )

    assert {
        "request_timeout",
        "strategy.conditions.0.query.params.x.$like",
        "strategy.conditions.0.then",
        "strategy.default",
        "targets.0.provider",
        "targets.1",
        "targets.1.retry.attempts",
    } == found.keys()


def test_an_answer_lists_faults_up_to_a_limit() -> None:
    codes = ["x"] * (MAX_FAULTS + 7)

    found = refusal({"provider": "acme", "on_status_codes": codes}).faults

    assert MAX_FAULTS + 1 == len(found)
    assert ("", "There are 7 more faults") == found[-1]


def test_faults_become_an_answer_with_paths() -> None:
    body = refusal(branch("single", {**PLAIN, "retry": {"attempts": "3"}})).to_openai()

    assert "Invalid config passed" == body["message"]
    assert ["path: targets.0.retry.attempts, message: Input should be a valid integer"] == body[
        "errors"
    ]


def test_the_last_of_double_keys_counts() -> None:
    """What was checked is what is used, so a key that stands twice can fool nobody."""
    config = parse_config('{"provider": "one", "provider": "two"}')

    assert ["two"] == [target.provider for target in config.leaves()]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(PLAIN, True, id="provider"),
        pytest.param(branch("single", PLAIN), True, id="targets"),
        pytest.param({"retry": {"attempts": 1}}, False, id="policy"),
        pytest.param({"provider": "", "request_timeout": 5}, False, id="empty provider"),
    ],
)
def test_a_config_tells_whether_it_names_a_provider(raw: dict[str, Any], expected: bool) -> None:
    assert expected == parse_config(raw).names_provider


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"params.model": "m"}, True, id="field of the body"),
        pytest.param(
            {"$or": [{"url.pathname": "/"}, {"params.model": "m"}]}, True, id="in a group"
        ),
        pytest.param({"metadata.a": 1, "url.pathname": "/"}, False, id="other fields"),
        pytest.param({"$and": [], "params.model": "m"}, False, id="never evaluated"),
    ],
)
def test_a_config_tells_whether_it_reads_the_body(query: dict[str, Any], expected: bool) -> None:
    conditions = [{"query": query, "then": "a"}]
    inner = branch("conditional", {"name": "a", **PLAIN}, conditions=conditions)

    assert expected == parse_config(inner).reads_params
    assert expected == parse_config(branch("fallback", PLAIN, inner)).reads_params


def test_the_default_config_leaves_all_to_the_request() -> None:
    assert not DEFAULT_CONFIG.names_provider
    assert [Policy()] == [target.policy for target in DEFAULT_CONFIG.leaves()]


def test_no_value_that_may_be_a_secret_shows_in_a_repr() -> None:
    secret = "sk-canary"
    config: Config = parse_config(
        branch(
            "single",
            {
                "provider": "acme",
                "api_key": secret,
                "acme_secret": secret,
                "service_account_json": {"private_key": secret},
                "custom_host": f"https://example.com/{secret}",
                "override_params": {"tools": [{"authorization": secret}]},
            },
        )
    )

    assert secret not in repr(config)
    assert secret in orjson.dumps(leaf(PLAIN | {"a": secret}).options).decode()


def test_no_secret_shows_in_a_refusal() -> None:
    secret = "sk-canary"
    error = refusal(
        {
            "provider": [secret],
            "api_key": f"{secret}\n",
            "acme_secret": f"{secret}\0",
            "retry": secret,
        }
    )

    assert {"provider", "api_key", "acme_secret", "retry"} == dict(error.faults).keys()
    assert secret not in f"{error.to_openai()} {error!r} {error.__context__!r}"
