"""Guardrails, mutators and hooks: how a config states them, and who inherits them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmgateway.config import (
    AnyHook,
    CheckSpec,
    Feedback,
    Hook,
    Policy,
    SavedHook,
    parse_config,
)
from llmgateway.config.schema import camel_case, snake_case
from tests.config.faults import branch, leaf
from tests.config.hooks import FULL, PLAIN, SHORT, WORDS, check_ids


def hooks(key: str, *elements: Any) -> tuple[AnyHook, ...]:
    """Return the hooks of a config with one such list."""
    found: tuple[AnyHook, ...] = getattr(
        leaf(PLAIN | {key: list(elements)}).policy, (SHORT | FULL)[snake_case(key)]
    )
    return found


def one(key: str, element: Any) -> Hook:
    """Return the only hook of such a list, one that is written out."""
    (hook,) = hooks(key, element)
    assert isinstance(hook, Hook)
    return hook


# ---- in short


def test_the_example_of_the_contract() -> None:
    hook = one(
        "input_guardrails",
        {
            "default.contains": {"words": ["secret"], "operator": "none"},
            "wordCount": {"minWords": 1, "maxWords": 500},
            "deny": True,
        },
    )

    assert hook.id.startswith("input_guardrail_")
    assert hook == Hook(
        id=hook.id,
        checks=(
            CheckSpec(
                "default.contains",
                {"words": ["secret"], "operator": "none"},
                "input_guardrails[0].default.contains",
            ),
            CheckSpec(
                "default.wordCount",
                {"minWords": 1, "maxWords": 500},
                "input_guardrails[0].wordCount",
            ),
        ),
        deny=True,
        path="input_guardrails[0]",
    )


@pytest.mark.parametrize(
    ("keys", "changed"),
    [
        ({}, {}),
        ({"deny": False}, {}),
        ({"deny": True}, {"deny": True}),
        ({"async": True}, {"is_async": True}),
        ({"sequential": True}, {"sequential": True}),
        ({"id": "mine"}, {"id": "mine"}),
        ({"id": None, "scope": None, "on_fail": None, "timeout_ms": None}, {}),
        ({"name": "Words"}, {}),
        ({"guardrail_version_id": "0e1f"}, {}),
        ({"scope": "all"}, {"scope": "all"}),
        ({"scope": "tool_arguments"}, {"scope": "tool_arguments"}),
        ({"stream_mode": "hold"}, {"stream_mode": "hold"}),
        ({"timeout_ms": 250}, {"timeout_ms": 250}),
        ({"fail_on_error": True}, {"fail_on_error": True}),
        ({"fail_on_error": False}, {"fail_on_error": False}),
        ({"on_success": {}}, {}),
        ({"on_success": {"feedback": {}}}, {"on_success": Feedback()}),
        (
            {"on_fail": {"feedback": {"value": -5, "weight": 0.5, "metadata": {"a_b": {"c": 1}}}}},
            {"on_fail": Feedback(-5, 0.5, {"a_b": {"c": 1}})},
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("spell", [str, camel_case], ids=["snake", "camel"])
def test_a_control_key_is_read_in_both_spellings(
    keys: dict[str, Any], changed: dict[str, Any], spell: Callable[[str], str]
) -> None:
    raw = {"contains": WORDS, **{spell(key): value for key, value in keys.items()}}
    hook = one(spell("output_guardrails"), raw)
    expected = {"id": hook.id, "path": f"{spell('output_guardrails')}[0]"} | changed

    assert Hook(checks=hook.checks, **expected) == hook
    assert ["default.contains"] == check_ids((hook,))


@pytest.mark.parametrize(
    ("key", "value", "check"),
    [
        ("contains", {}, CheckSpec("default.contains")),
        ("acme.a", {"apiKey": "k", "b_c": 2}, CheckSpec("acme.a", {"apiKey": "k", "b_c": 2})),
        ("a", {"id": "contains", "words": []}, CheckSpec("default.contains", {"words": []})),
        ("a", {"id": "acme.b"}, CheckSpec("acme.b")),
        ("a", {"is_enabled": False, "x": 1}, CheckSpec("default.a", {"x": 1}, is_enabled=False)),
        ("a", {"isEnabled": False}, CheckSpec("default.a", is_enabled=False)),
        ("a", {"is_enabled": True}, CheckSpec("default.a")),
        ("a", {"failOnError": True}, CheckSpec("default.a", {"failOnError": True})),
        ("a", {"name": "b", "deny": True}, CheckSpec("default.a", {"name": "b", "deny": True})),
    ],
)  # fmt: skip
def test_any_other_key_is_a_check(key: str, value: dict[str, Any], check: CheckSpec) -> None:
    (found,) = one("input_guardrails", {key: value}).checks

    assert (check.id, check.parameters, check.is_enabled) == (
        found.id,
        found.parameters,
        found.is_enabled,
    )
    assert f"input_guardrails[0].{key}" == found.path


@pytest.mark.parametrize(
    ("element", "slug", "version"),
    [
        ("pg-a", "pg-a", None),
        ("pg-A_b-9@3", "pg-A_b-9", 3),
        ({"id": "pg-a"}, "pg-a", None),
        ({"id": "pg-a@12"}, "pg-a", 12),
        ({"guardrail_version_id": "pg-a@1"}, "pg-a", 1),
        ({"guardrailVersionId": "pg-a"}, "pg-a", None),
    ],
)
@pytest.mark.parametrize("key", [key for key in SHORT if key.endswith("_guardrails")])
def test_a_saved_guardrail_is_named_by_its_slug(
    key: str, element: Any, slug: str, version: int | None
) -> None:
    found = hooks(key, {"contains": {}}, element)

    assert SavedHook(slug, version, f"{key}[1]") == found[1]


@pytest.mark.parametrize("key", ["input_mutators", "output_mutators"])
def test_a_mutator_runs_all_its_checks_in_order(key: str) -> None:
    hook = one(key, {"addPrefix": {"is_enabled": False, "prefix": "x"}, "b.c": {}, "async": False})

    assert ("mutator", True, False) == (hook.kind, hook.sequential, hook.is_async)
    assert [True, True] == [check.is_enabled for check in hook.checks]
    assert {"prefix": "x"} == hook.checks[0].parameters
    assert hook.id.startswith(f"{key[:-1]}_")


# ---- written out


@pytest.mark.parametrize("key", FULL)
@pytest.mark.parametrize("spell", [str, camel_case], ids=["snake", "camel"])
def test_a_hook_is_written_out(key: str, spell: Callable[[str], str]) -> None:
    raw = {
        "type": "guardrail",
        "id": "g1",
        "checks": [
            {"id": "contains", "parameters": {"id": 5, "a_b": 1}, spell("is_enabled"): False},
            {"id": "acme.b", "name": "B"},
        ],
        "deny": True,
        spell("on_fail"): {"feedback": {"value": 1}},
    }  # fmt: skip
    name = spell(key)

    assert Hook(
        id="g1",
        checks=(
            CheckSpec(
                "default.contains",
                {"id": 5, "a_b": 1},
                f"{name}[0].checks[0].parameters",
                is_enabled=False,
            ),
            CheckSpec("acme.b", {}, f"{name}[0].checks[1].parameters"),
        ),
        deny=True,
        on_fail=Feedback(1),
        path=f"{name}[0]",
    ) == one(name, raw)


def test_a_mutator_is_written_out() -> None:
    check = {"id": "addPrefix", "is_enabled": False}
    hook = one("before_request_hooks", {"type": "mutator", "checks": [check]})

    assert ("mutator", True) == (hook.kind, hook.sequential)
    assert hook.checks[0].is_enabled
    assert hook.id.startswith("input_mutator_")


# ---- ids


def test_a_made_up_id_is_stable_and_tells_nothing_of_the_contents() -> None:
    first = one("input_guardrails", {"contains": {"words": ["a"]}})
    again = one("input_guardrails", {"contains": {"words": ["b"]}, "deny": True})

    assert first.id == again.id


def test_no_two_places_make_up_the_same_id() -> None:
    raw: dict[str, Any] = {"contains": {}}
    target = PLAIN | {key: [raw, raw] for key in SHORT}
    config = parse_config(branch("single", target, target) | {key: [raw] for key in SHORT})
    ids = [
        hook.id
        for found in config.leaves()
        for group in found.policy.hook_groups
        for hook in group
        if isinstance(hook, Hook) and hook.path.startswith("targets")
    ]

    assert 2 * 2 * len(SHORT) == len(ids) == len(set(ids))


# ---- inheritance


PARENT: dict[str, Any] = {
    "before_request_hooks": [{"checks": [{"id": "p.before"}]}],
    "input_guardrails": [{"p.guard": {}}],
    "input_mutators": [{"p.mutate": {}}],
    "default_input_guardrails": [{"p.default": {}}],
}


@pytest.mark.parametrize(
    ("own", "expected", "defaults"),
    [
        pytest.param({}, ["p.before", "p.guard", "p.mutate"], ["p.default"], id="nothing"),
        pytest.param({"input_guardrails": [{"c.g": {}}]}, ["c.g"], ["p.default"], id="guard"),
        pytest.param({"input_mutators": [{"c.m": {}}]}, ["c.m"], ["p.default"], id="mutate"),
        pytest.param({"input_guardrails": []}, [], ["p.default"], id="none"),
        pytest.param(
            {"output_guardrails": [{"c.out": {}}]},
            ["p.before", "p.guard", "p.mutate"],
            ["p.default"],
            id="other stage",
        ),
        pytest.param(
            {
                "input_mutators": [{"c.mutate": {}}],
                "inputGuardrails": [{"c.guard": {}}, {"c.guard2": {}}],
                "before_request_hooks": [{"checks": [{"id": "c.before"}]}],
            },
            ["c.before", "c.guard", "c.guard2", "c.mutate"],
            ["p.default"],
            id="all",
        ),
        pytest.param(
            {"default_input_guardrails": [{"c.default": {}}]},
            ["p.before", "p.guard", "p.mutate"],
            ["p.default", "c.default"],
            id="default",
        ),
        pytest.param(
            {"default_input_guardrails": []},
            ["p.before", "p.guard", "p.mutate"],
            ["p.default"],
            id="no default",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("levels", [1, 3])
def test_a_target_inherits_hooks(
    own: dict[str, Any], expected: list[str], defaults: list[str], levels: int
) -> None:
    config: dict[str, Any] = PLAIN | own
    for _ in range(levels):
        config = branch("single", config)
    (found,) = parse_config(config | PARENT).leaves()

    assert expected == check_ids(found.policy.input_hooks)
    assert defaults == check_ids(found.policy.default_input_hooks)


def test_leaves_share_the_hooks_that_they_inherit() -> None:
    config = parse_config(branch("single", *[PLAIN] * 50) | PARENT)
    policies = [found.policy for found in config.leaves()]

    assert 50 == len(policies)
    assert 1 == len({id(policy.input_hooks) for policy in policies})
    assert 1 == len({id(policy.default_input_hooks[0]) for policy in policies})


@pytest.mark.parametrize("key", SHORT)
def test_guardrails_alone_are_a_config(key: str) -> None:
    assert parse_config({key: [{"a": {}}]}).names_provider is False


def test_a_config_without_hooks_has_none() -> None:
    assert Policy() == leaf(PLAIN).policy
