"""What a target inherits from the branches above it, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.config import Policy, Retry, parse_config
from llmgateway.errors import InvalidConfig
from tests.config.faults import branch


def policies(raw: dict[str, Any]) -> dict[str, Policy]:
    """Return the policy of each leaf by its path."""
    return {leaf.path: leaf.policy for leaf in parse_config(raw).leaves()}


def test_example_1() -> None:
    """The example of the contract: a retry is replaced whole, parameters are joined."""
    raw = {
        "retry": {"attempts": 3, "on_status_codes": [429]},
        "override_params": {"temperature": 0, "user": "a"},
        "strategy": {"mode": "fallback"},
        "targets": [
            {"provider": "openai", "api_key": "k1"},
            {
                "provider": "anthropic",
                "api_key": "k2",
                "retry": {"attempts": 1},
                "override_params": {"model": "claude-sonnet-4-5", "user": "b"},
            },
        ],
    }

    assert {
        "config.targets[0]": Policy(
            retry=Retry(3, frozenset({429}), retries_denials=False),
            override_params={"temperature": 0, "user": "a"},
        ),
        "config.targets[1]": Policy(
            retry=Retry(1, frozenset({429, 500, 502, 503, 504, 529})),
            override_params={"temperature": 0, "user": "b", "model": "claude-sonnet-4-5"},
        ),
    } == policies(raw)


PARENT: dict[str, Any] = {
    "retry": {"attempts": 5, "jitter": True},
    "request_timeout": 1000,
    "custom_host": "https://parent.example.com",
    "forward_headers": ["x-parent"],
    "override_params": {"a": {"x": 1}, "b": 1},
    "strict_open_ai_compliance": False,
}
INHERITED = Policy(
    retry=Retry(5, jitter=True),
    request_timeout_ms=1000,
    custom_host="https://parent.example.com",
    forward_headers=("x-parent",),
    override_params={"a": {"x": 1}, "b": 1},
    strict=False,
)


@pytest.mark.parametrize(
    ("own", "changed"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"retry": {}}, {"retry": Retry()}, id="retry whole"),
        pytest.param({"request_timeout": 5}, {"request_timeout_ms": 5}, id="timeout"),
        pytest.param(
            {"custom_host": "https://own.example.com"},
            {"custom_host": "https://own.example.com"},
            id="host",
        ),
        pytest.param({"forward_headers": ["X-Own"]}, {"forward_headers": ("x-own",)}, id="headers"),
        pytest.param({"forward_headers": []}, {"forward_headers": ()}, id="no headers"),
        pytest.param(
            {"override_params": {"a": {"y": 2}, "c": None}},
            {"override_params": {"a": {"y": 2}, "b": 1, "c": None}},
            id="params shallowly",
        ),
        pytest.param({"override_params": {}}, {}, id="no params"),
        pytest.param({"strict_open_ai_compliance": True}, {"strict": True}, id="strict"),
    ],
)
def test_a_target_inherits_what_it_does_not_say(own: dict[str, Any], changed: Any) -> None:
    target = {"provider": "acme", **own}
    expected = {name: getattr(INHERITED, name) for name in Policy.__slots__} | changed

    found = policies(branch("single", target, branch("single", target)) | PARENT)

    assert {
        "config.targets[0]": Policy(**expected),
        "config.targets[1].targets[0]": Policy(**expected),
    } == found


def test_the_nearest_branch_counts() -> None:
    middle = branch("single", {"provider": "acme"}) | {
        "request_timeout": 2,
        "override_params": {"b": 2},
    }

    (policy,) = policies(
        branch("single", middle)
        | {"request_timeout": 1, "override_params": {"a": 1, "b": 1}, "retry": {"attempts": 1}}
    ).values()

    assert Policy(retry=Retry(1), request_timeout_ms=2, override_params={"a": 1, "b": 2}) == policy


def test_a_sibling_inherits_nothing() -> None:
    own = {"provider": "acme", "retry": {"attempts": 1}, "override_params": {"a": 1}}

    found = policies(branch("single", own, {"provider": "acme"}))

    assert Policy() == found["config.targets[1]"]


def test_whom_to_call_is_not_inherited() -> None:
    raw = branch("single", {"provider": "acme"}) | {
        "provider": "bolt",
        "api_key": "k",
        "resource_name": "r",
        "name": "root",
        "weight": 3,
    }

    (leaf,) = parse_config(raw).leaves()

    assert ("acme", None, {}, None) == (leaf.provider, leaf.api_key, leaf.options, leaf.name)


def test_leaves_come_in_the_order_of_the_json() -> None:
    target = {"provider": "acme"}
    raw = branch(
        "fallback", branch("loadbalance", target, target), target, branch("single", target)
    )

    assert [
        "config.targets[0].targets[0]",
        "config.targets[0].targets[1]",
        "config.targets[1]",
        "config.targets[2].targets[0]",
    ] == list(policies(raw))


def test_a_single_target_has_the_path_of_the_config() -> None:
    assert ["config"] == list(policies({"provider": "acme"}))


def test_targets_that_add_nothing_share_what_they_inherit() -> None:
    config = parse_config(
        {
            "override_params": {"temperature": 0},
            "strategy": {"mode": "fallback"},
            "targets": [{"provider": "openai"}, {"provider": "groq"}],
        }
    )
    first, second = config.leaves()

    assert first.policy.override_params is second.policy.override_params


def test_what_grows_by_inheritance_is_bounded() -> None:
    many = {f"p{number}": number for number in range(3000)}
    targets = [{"provider": "openai", "override_params": {"x": 1}} for _ in range(3)]

    with pytest.raises(InvalidConfig, match="override_params over all targets"):
        parse_config(
            {"override_params": many, "strategy": {"mode": "fallback"}, "targets": targets}
        )
