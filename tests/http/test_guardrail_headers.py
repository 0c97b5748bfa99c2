"""Default guardrails and hook events, as headers state them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgateway.config import Hook, SavedHook
from llmgateway.errors import InvalidConfig, InvalidRequest
from llmgateway.http.headers import (
    LATER_HEADERS,
    LLMGATEWAY,
    PORTKEY,
    REQUEST_HEADERS,
    GatewayHeaders,
)
from llmgateway.types.call import Overrides
from llmgateway.types.http import Headers

INPUT = "default-input-guardrails"
OUTPUT = "default-output-guardrails"
GUARDRAILS: list[Any] = ["pg-a@2", {"contains": {"words": ["Zoë", "\u20ac"]}, "deny": True}]

families = pytest.mark.parametrize("family", [PORTKEY, LLMGATEWAY])


def overrides(family: str, **fields: str) -> Overrides:
    """Return what a head with these fields of a family says, sent as UTF-8."""
    sent = [
        (f"{family}{name.replace('_', '-')}".encode(), value.encode())
        for name, value in fields.items()
    ]
    return GatewayHeaders.read(Headers(sent)).overrides


@families
@pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "utf-8"])
def test_default_guardrails_are_read(family: str, escaped: bool) -> None:
    text = json.dumps(GUARDRAILS, ensure_ascii=escaped)
    found = overrides(family, default_input_guardrails=text, default_output_guardrails=text)

    for name, stage, hooks in (
        (INPUT, "input", found.input_hooks),
        (OUTPUT, "output", found.output_hooks),
    ):
        saved, hook = hooks
        assert SavedHook("pg-a", 2, f"{family}{name}[0]") == saved
        assert isinstance(hook, Hook)
        assert hook.deny
        assert hook.id.startswith(f"{stage}_guardrail_")
        assert {"words": ["Zoë", "\u20ac"]} == hook.checks[0].parameters


@families
def test_the_same_text_is_parsed_once(family: str) -> None:
    first, again = (overrides(family, default_input_guardrails='[{"a": {}}]') for _ in range(2))

    assert first.input_hooks is again.input_hooks
    assert () == first.output_hooks


@families
@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[", "", "Must be JSON"),
        ("\x80\xff", "", None),
        ("{}", "", "Input should be a valid list"),
        ("pg-a", "", "Must be JSON"),
        ('[{"a": {}, "deny": 1}]', ".0.deny", "Input should be a valid boolean"),
        ('["pg-a", "pc-a"]', ".1", None),
    ],
)
@pytest.mark.parametrize("name", [INPUT, OUTPUT])
def test_faults_name_the_header(
    family: str, name: str, text: str, path: str, words: str | None
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        overrides(family, **{name: text})
    ((found, said),) = caught.value.faults

    assert (family + name, family + name + path) == (caught.value.param, found)
    assert words in (said, None)


def test_all_faults_come_at_once() -> None:
    with pytest.raises(InvalidConfig) as caught:
        overrides(LLMGATEWAY, default_input_guardrails='[5, {"a": 1}, {}]')

    assert 3 == len(caught.value.faults)


@families
@pytest.mark.parametrize(("text", "wanted"), [("true", True), ("True", True), ("false", False)])
def test_hook_events_are_asked_for(family: str, text: str, wanted: bool) -> None:
    assert wanted is overrides(family, hook_events=text).hook_events


def test_nobody_gets_hook_events_unasked() -> None:
    assert Overrides() == overrides(LLMGATEWAY)
    assert Overrides().hook_events is False
    with pytest.raises(InvalidRequest, match="must hold `true` or `false`"):
        overrides(LLMGATEWAY, hook_events="yes")


def test_guardrails_are_no_longer_for_later() -> None:
    assert {INPUT, OUTPUT, "hook-events"} <= REQUEST_HEADERS.keys()
    assert {"cache"} == LATER_HEADERS.keys()
