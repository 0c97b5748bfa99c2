"""All that can be wrong with the guardrails, mutators and hooks of a config."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.config import parse_config
from llmgateway.config.groups import MAX_CHECKS, MAX_HOOKS
from tests.config.faults import branch, faults
from tests.config.hooks import (
    BOOLEAN,
    CHECK_ID,
    ELEMENT,
    EMPTY,
    FULL,
    LIST,
    MODES,
    NO_CHECK,
    NUMBER,
    OBJECT,
    PARAMETERS,
    PLAIN,
    SCOPES,
    SHORT,
    SLUG,
    STRING,
    TOO_MANY,
    UNKNOWN,
    alone,
    faults_of,
)  # fmt: skip


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (5, {"": ELEMENT}),
        (None, {"": ELEMENT}),
        (True, {"": ELEMENT}),
        ([], {"": ELEMENT}),
        ("", {"": SLUG}),
        ("pg-", {"": SLUG}),
        ("pc-a", {"": SLUG}),
        ("pg-a@0", {"": SLUG}),
        ("pg-a@", {"": SLUG}),
        ("pg-a@1.5", {"": SLUG}),
        ("pg-a@\u0663", {"": SLUG}),
        ("pg-a\n", {"": SLUG}),
        ("pg-\u00e9", {"": SLUG}),
        (f"pg-{'a' * 62}", {"": SLUG}),
        ({"id": "mine"}, {".id": SLUG}),
        ({"id": 5}, {".id": SLUG}),
        ({"guardrailVersionId": None}, {".guardrailVersionId": SLUG}),
        ({}, {"": NO_CHECK}),
        ({"deny": True}, {"": NO_CHECK}),
        ({"id": "pg-a", "deny": True}, {"": NO_CHECK}),
        ({"id": "pg-a", "guardrail_version_id": "pg-a@1"}, {"": NO_CHECK}),
        ({"a": 5}, {".a": PARAMETERS}),
        ({"a": None}, {".a": PARAMETERS}),
        ({"a": [], "b": "x"}, {".a": PARAMETERS, ".b": PARAMETERS}),
        ({"denny": True, "a": {}}, {".denny": PARAMETERS}),
        ({"": {}}, {"..id": CHECK_ID}),
        ({"a b": {}}, {".a b.id": CHECK_ID}),
        ({"a\n": {}}, {".a\n.id": CHECK_ID}),
        ({"\u00e4": {}}, {".\u00e4.id": CHECK_ID}),
        ({"x" * 129: {}}, {f".{'x' * 129}.id": CHECK_ID}),
        ({"a": {"id": 5}}, {".a.id": STRING}),
        ({"a": {"id": None}}, {".a.id": STRING}),
        ({"a": {"id": ""}}, {".a.id": CHECK_ID}),
        ({"a": {"is_enabled": "no"}}, {".a.is_enabled": BOOLEAN}),
        ({"a": {"isEnabled": 0}}, {".a.isEnabled": BOOLEAN}),
        ({"a": {"is_enabled": True, "isEnabled": False}}, {".a.isEnabled": UNKNOWN}),
        ({"a": {}, "deny": "true"}, {".deny": BOOLEAN}),
        ({"a": {}, "deny": None}, {".deny": BOOLEAN}),
        ({"a": {}, "async": 1}, {".async": BOOLEAN}),
        ({"a": {}, "sequential": []}, {".sequential": BOOLEAN}),
        ({"a": {}, "id": 5}, {".id": STRING}),
        ({"a": {}, "id": ""}, {".id": EMPTY}),
        ({"a": {}, "id": "x" * 257}, {".id": "String should have at most 256 characters"}),
        ({"a": {}, "name": {}}, {".name": STRING}),
        ({"a": {}, "guardrailVersionId": 3}, {".guardrailVersionId": STRING}),
        ({"a": {}, "on_fail": True}, {".on_fail": OBJECT}),
        ({"a": {}, "onFail": {"feedback": 5}}, {".onFail.feedback": OBJECT}),
        ({"a": {}, "on_fail": {"deny": True}}, {".on_fail.deny": UNKNOWN}),
        (
            {"a": {}, "on_success": {"feedback": {"value": "1", "weight": True, "metadata": []}}},
            {
                ".on_success.feedback.value": NUMBER,
                ".on_success.feedback.weight": NUMBER,
                ".on_success.feedback.metadata": OBJECT,
            },
        ),
        ({"a": {}, "on_success": {"feedback": {"n": 1}}}, {".on_success.feedback.n": UNKNOWN}),
        (
            {"a": {}, "scope": "first"},
            {".scope": SCOPES},
        ),
        ({"a": {}, "streamMode": 5}, {".streamMode": MODES}),
        ({"a": {}, "timeout_ms": 0}, {".timeout_ms": "Input should be greater than 0"}),
        ({"a": {}, "timeoutMs": 1.5}, {".timeoutMs": "Input should be a valid integer"}),
        (
            {"a": {}, "timeout_ms": 10**10},
            {".timeout_ms": "Input should be less than or equal to 1000000000"},
        ),
        ({"a": {}, "fail_on_error": "closed"}, {".fail_on_error": BOOLEAN}),
        ({"a": {}, "on_fail": {}, "onFail": {}}, {".onFail": UNKNOWN}),
        ({"a": {}, "deny": 1, "b": 2, "scope": "x"}, {
            ".deny": BOOLEAN,
            ".b": PARAMETERS,
            ".scope": SCOPES,
        }),
    ],
)  # fmt: skip
def test_a_guardrail_at_fault(element: Any, expected: dict[str, str]) -> None:
    """Each fault has its path, in a target, in a list that stands alone, and all come at once."""
    at = {f"input_guardrails.1{path}": text for path, text in expected.items()}
    target = PLAIN | {"input_guardrails": ["pg-a", element]}
    wrong = PLAIN | {"retry": 5}

    assert at == faults(target)
    nested = {f"targets.1.{path}": text for path, text in at.items()} | {"targets.0.retry": OBJECT}
    assert nested == faults(branch("single", wrong, target))
    assert at == alone(["pg-a", element])


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (5, {"": OBJECT}),
        ("pg-a", {"": OBJECT}),
        ({}, {".checks": "Field required"}),
        ({"checks": []}, {".checks": EMPTY}),
        ({"checks": {}}, {".checks": LIST}),
        ({"checks": ["contains"]}, {".checks.0": OBJECT}),
        ({"checks": [{}]}, {".checks.0.id": "Field required"}),
        ({"checks": [{"id": "a", "parameters": []}]}, {".checks.0.parameters": OBJECT}),
        ({"checks": [{"id": "a", "params": {}}]}, {".checks.0.params": UNKNOWN}),
        ({"checks": [{"id": "a"}, {"id": "a b"}]}, {".checks.1.id": CHECK_ID}),
        ({"checks": [{"id": "a", "isEnabled": 1}]}, {".checks.0.isEnabled": BOOLEAN}),
        (
            {"checks": [{"id": "a"}], "type": "guard"},
            {".type": "Input should be 'guardrail' or 'mutator'"},
        ),
        ({"checks": [{"id": "a"}], "denny": True}, {".denny": UNKNOWN}),
        ({"checks": [{"id": "a"}], "actions": {}}, {".actions": UNKNOWN}),
        (
            {"checks": [{"id": "a"}], "type": "mutator", "async": True},
            {".async": "A mutator is never async; leave it out"},
        ),
    ],
)
@pytest.mark.parametrize("key", FULL)
def test_a_hook_at_fault(key: str, element: Any, expected: dict[str, str]) -> None:
    at = {f"{key}.0{path}": text for path, text in expected.items()}

    assert at == faults(PLAIN | {key: [element]})


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("pg-a", {"": "Must be an object"}),
        ({"id": "pg-a"}, {"": NO_CHECK}),
        ({"a": {}, "async": True}, {".async": "A mutator is never async; leave it out"}),
    ],
)
def test_a_mutator_at_fault(element: Any, expected: dict[str, str]) -> None:
    at = {f"output_mutators.0{path}": text for path, text in expected.items()}

    assert at == faults(PLAIN | {"output_mutators": [element]})


@pytest.mark.parametrize("key", [*SHORT, *FULL])
@pytest.mark.parametrize(
    ("value", "text"),
    [({}, LIST), ("pg-a", LIST), (5, LIST), (None, "Must not be null; leave it out")],
)
def test_what_is_no_list_is_a_fault(key: str, value: Any, text: str) -> None:
    assert {key: text} == faults(PLAIN | {key: value})


def test_a_list_in_two_spellings_is_a_fault() -> None:
    raw = PLAIN | {"input_guardrails": ["pg-a"], "inputGuardrails": ["pg-b"]}

    assert {"input_guardrails", "inputGuardrails"} <= dict(
        faults_of(lambda: parse_config(raw))
    ).keys()


def test_hooks_and_checks_are_bounded_over_a_whole_config() -> None:
    def config(count: int, checks: int) -> dict[str, Any]:
        whole: dict[str, Any] = {f"c{i}": {} for i in range(checks)}
        return branch("single", *[PLAIN | {"input_guardrails": [whole]}] * count)

    parse_config(config(MAX_HOOKS, MAX_CHECKS // MAX_HOOKS))
    assert {"": TOO_MANY} == faults(config(MAX_HOOKS + 1, 1))
    assert {"": TOO_MANY} == faults(config(1, MAX_CHECKS + 1))
    assert {"": TOO_MANY} == alone(["pg-a"] * (MAX_HOOKS + 1))
