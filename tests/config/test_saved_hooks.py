"""Guardrails outside of a config: lists of settings, headers and keys, and saved guardrails."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.config import (
    CheckSpec,
    Feedback,
    Hook,
    SavedHook,
    parse_config,
    parse_guardrail,
    parse_hooks,
)
from llmgateway.config.groups import MAX_CHECKS, Stage
from llmgateway.config.parse import MAX_DEPTH
from llmgateway.config.schema import CONTROL_KEYS, camel_case
from llmgateway.errors import InvalidConfig
from tests.config.faults import branch
from tests.config.hooks import (
    BOOLEAN,
    EMPTY,
    FULL,
    LIST,
    NO_CHECK,
    OBJECT,
    PLAIN,
    SHORT,
    TOO_MANY,
    UNKNOWN,
    WORDS,
    alone,
    check_ids,
    faults_of,
)  # fmt: skip


@pytest.mark.parametrize("stage", ["input", "output"])
def test_a_list_stands_alone(stage: Stage) -> None:
    raw = ["pg-a@2", {"contains": WORDS, "deny": True}]
    found = parse_hooks(raw, stage, "settings")

    assert SavedHook("pg-a", 2, "settings[0]") == found[0]
    assert isinstance(found[1], Hook)
    assert ("settings[1]", True) == (found[1].path, found[1].deny)
    assert found[1].id.startswith(f"{stage}_guardrail_")
    assert found == parse_hooks(json.dumps(raw), stage, "settings")
    assert found == parse_hooks(orjson.dumps(raw), stage, "settings")
    assert found == parse_hooks((raw[0], MappingProxyType(raw[1])), stage, "settings")  # type: ignore[arg-type]


def deep(levels: int) -> Any:
    """Return a list of guardrails of so many levels."""
    value: Any = {}
    for _ in range(levels - 4):
        value = [value]
    return [{"a": {"x": value}}]


def recursive() -> list[Any]:
    """Return a list that holds itself."""
    endless: list[Any] = []
    endless.append(endless)
    return endless


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("{", "Must be JSON"),
        (b"\xff", "Must be JSON"),
        ("", "Must be JSON"),
        ("{}", LIST),
        ("null", LIST),
        ('"pg-a"', LIST),
        ([{"a": {"x": object()}}], "Must hold nothing but what JSON can express"),
        (recursive(), "Must hold nothing but what JSON can express"),
        (deep(MAX_DEPTH + 1), f"Must not be nested deeper than {MAX_DEPTH} levels"),
    ],
)
def test_a_list_at_fault_as_a_whole(raw: Any, text: str) -> None:
    assert {"input_guardrails": text} == alone(raw)


def test_a_list_may_be_as_deep_as_a_config() -> None:
    assert 1 == len(parse_hooks(deep(MAX_DEPTH), "input", "x"))


SAVED: dict[str, Any] = {
    "checks": [
        {"id": "default.contains", "parameters": WORDS, "name": "Words", "is_enabled": True},
        {"id": "wordCount", "is_enabled": False},
    ],
    "actions": {"deny": True, "async": True, "onFail": {"feedback": {"value": -1}}},
}


@pytest.mark.parametrize("write", [dict, json.dumps, orjson.dumps, MappingProxyType])
def test_a_saved_guardrail(write: Callable[[Any], Any]) -> None:
    expected = Hook(
        id="pg-a",
        checks=(
            CheckSpec("default.contains", WORDS, "pg-a.checks[0].parameters"),
            CheckSpec("default.wordCount", {}, "pg-a.checks[1].parameters", is_enabled=False),
        ),
        deny=True,
        is_async=True,
        on_fail=Feedback(-1),
        path="pg-a",
    )

    assert (expected,) == parse_guardrail(write(SAVED), "pg-a")


@pytest.mark.parametrize(
    ("raw", "changed"),
    [
        ({"checks": [{"id": "a"}]}, {}),
        ({"checks": [{"id": "a"}], "actions": {}}, {}),
        ({"checks": [{"id": "a"}], "actions": None}, {}),
        ({"checks": [{"id": "a"}], "deny": True, "name": "A"}, {"deny": True}),
        (
            {"checks": [{"id": "a"}], "actions": {"deny": True}, "scope": "all"},
            {"deny": True, "scope": "all"},
        ),
        ({"checks": [{"id": "a"}], "actions": {"id": "b"}}, {"id": "b"}),
        ({"checks": [{"id": "a"}], "type": "mutator"}, {"kind": "mutator", "sequential": True}),
        ({"a": {}, "deny": True}, {"deny": True}),
        ({"a": {}, "id": "b"}, {"id": "b"}),
    ],
)  # fmt: skip
def test_the_forms_of_a_saved_guardrail(raw: dict[str, Any], changed: dict[str, Any]) -> None:
    (hook,) = parse_guardrail(raw, "pg-x")

    assert Hook(**({"id": "pg-x", "path": "pg-x", "checks": hook.checks} | changed)) == hook
    assert ["default.a"] == check_ids((hook,))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("{", {"pg-x": "Must be JSON"}),
        ("[]", {"pg-x": OBJECT}),
        ('"pg-y"', {"pg-x": OBJECT}),
        ({}, {"pg-x": NO_CHECK}),
        ({"id": "pg-y"}, {"pg-x": NO_CHECK}),
        ({"checks": []}, {"pg-x.checks": EMPTY}),
        ({"checks": {}}, {"pg-x.checks": LIST}),
        ({"actions": {"deny": True}}, {"pg-x.checks": "Field required"}),
        ({"checks": [{"id": "a"}], "actions": []}, {"pg-x.actions": OBJECT}),
        ({"checks": [{"id": "a"}], "actions": {"deny": 1}}, {"pg-x.actions.deny": BOOLEAN}),
        ({"checks": [{"id": "a"}], "actions": {"a": {}}}, {"pg-x.actions.a": UNKNOWN}),
        (
            {"checks": [{"id": "a"}], "async": True, "actions": {"async": False}},
            {"pg-x.actions.async": "Stands beside `actions` too"},
        ),
        ({"checks": [{"id": f"c{i}"} for i in range(MAX_CHECKS + 1)]}, {"": TOO_MANY}),
    ],
)
def test_a_saved_guardrail_at_fault(raw: Any, expected: dict[str, str]) -> None:
    assert expected == dict(faults_of(lambda: parse_guardrail(raw, "pg-x")))


@pytest.mark.parametrize("slug", ["", "a", "pg-", "pg-a@2", "pg-a b", "pg-a\n", "pg-" + "a" * 62])
def test_a_slug_at_fault(slug: str) -> None:
    ((path, text),) = faults_of(lambda: parse_guardrail(SAVED, slug))

    assert slug[:64] == path
    assert text.startswith("Must begin with pg-")


# ---- whatever comes

several = settings(deadline=None, max_examples=300)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["pg-a", "pg-a@2", "mutator", "guardrail", "all", "hold"])
)
NAMES = st.sampled_from(
    [*sorted(CONTROL_KEYS), "checks", "actions", "parameters", "type", "feedback", "value",
     "is_enabled", "isEnabled", "contains", "default.contains", "targets", *SHORT, *FULL]
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=6), inner, max_size=5)
    ),
    max_leaves=20,
)


def ends_well(call: Callable[[], object]) -> None:
    """Call, and look at a refusal as a caller would."""
    try:
        call()
    except InvalidConfig as error:
        assert error.faults
        orjson.dumps(error.to_openai())


@several
@given(anything)
def test_any_json_is_read_or_refused(raw: Any) -> None:
    text = orjson.dumps(raw)

    ends_well(lambda: parse_hooks(text, "output", "x"))
    ends_well(lambda: parse_hooks(orjson.dumps([raw]), "input", "x"))
    ends_well(lambda: parse_guardrail(text, "pg-x"))


@several
@given(st.sampled_from([*SHORT, *FULL]), st.lists(anything, max_size=3))
def test_any_list_of_a_config_is_read_or_refused(key: str, raw: list[Any]) -> None:
    ends_well(lambda: parse_config(PLAIN | {key: raw}))
    ends_well(lambda: parse_config(branch("single", PLAIN) | {camel_case(key): raw}))


@several
@given(st.text(max_size=40) | st.binary(max_size=40))
def test_any_text_is_read_or_refused(raw: str | bytes) -> None:
    ends_well(lambda: parse_hooks(raw, "input", "x"))
    ends_well(lambda: parse_guardrail(raw, "pg-x"))
