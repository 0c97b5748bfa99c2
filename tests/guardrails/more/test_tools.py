from __future__ import annotations

from typing import Any

import pytest

from llmgateway.guardrails.base import CheckFailed, ParameterFault, Subject
from llmgateway.guardrails.tools import tool_calls

_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "pattern": "^[A-Z]"}},
    "required": ["city"],
    "additionalProperties": False,
}


def _subject(*calls: tuple[str | None, str], is_json: bool = True) -> Subject:
    return Subject(
        "output",
        tuple(arguments for _, arguments in calls),
        places=("tool_arguments",) * len(calls),
        tools=tuple(name for name, _ in calls),
        is_json=(is_json,) * len(calls),
    )


@pytest.mark.parametrize(
    ("calls", "parameters", "passes"),
    [
        ([], {"allowed": []}, True),
        ([("weather", "{}")], {}, True),
        ([("weather", "{}")], {"allowed": ["weather"]}, True),
        ([("weather", "{}")], {"allowed": []}, False),
        ([("Weather", "{}")], {"allowed": ["weather"]}, False),
        ([("we\u0430ther", "{}")], {"allowed": ["weather"]}, False),
        ([("weather", "{}"), ("delete", "{}")], {"allowed": ["weather"]}, False),
        ([("delete", "{}")], {"blocked": ["delete"]}, False),
        ([("delete", "")], {"blocked": ["delete"]}, False),
        ([("w", "")], {}, True),
        ([("w", " ")], {"schemas": {"w": _CITY}}, False),
        ([("delete", "{}")], {"allowed": ["delete"], "blocked": ["delete"]}, False),
        ([("delete", "{}")], {"blocked": ["delete"], "not": True}, True),
        ([("w", "{}"), ("w", "{}")], {"maxCalls": 2}, True),
        ([("w", "{}"), ("w", "{}")], {"max_calls": 1}, False),
        ([("w", '{"city": "Bonn"}')], {"schemas": {"w": _CITY}}, True),
        ([("w", '{"city": "bonn"}')], {"schemas": {"w": _CITY}}, False),
        ([("w", '{"city": "Bonn", "x": 1}')], {"schemas": {"w": _CITY}}, False),
        ([("v", '{"x": 1}')], {"schemas": {"w": _CITY}}, True),
        ([(None, "{}")], {}, True),
        ([("w", '{"a": "\\ud83d\\ude00 \u6f22"}')], {}, True),
    ],
)
def test_calls_are_held_against_the_lists(
    calls: list[tuple[str | None, str]], parameters: Any, passes: bool
) -> None:
    arguments = tool_calls.bind(parameters).arguments

    assert passes == tool_calls(_subject(*calls), **arguments).passed


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '"x"',
        "null",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 2}}',
        "{} {}",
        "[" * 100_000,
        '{"a": "' + "x" * 10**6,
        "{'a': 1}",
    ],
)
def test_arguments_that_are_no_one_object_fail(text: str) -> None:
    assert not tool_calls(_subject(("w", text))).passed


def test_free_text_is_read_only_for_a_schema() -> None:
    subject = _subject(("shell", "ls -l"), is_json=False)
    bound = tool_calls.bind({"schemas": {"shell": _CITY}})

    assert tool_calls(subject).passed
    assert not tool_calls(subject, **bound.arguments).passed


@pytest.mark.parametrize("parameters", [{"allowed": ["w"]}, {"blocked": ["w"]}])
def test_a_call_without_a_name_is_an_error_where_names_matter(parameters: Any) -> None:
    with pytest.raises(CheckFailed):
        tool_calls(_subject((None, "{}")), **parameters)


def test_other_texts_are_left_alone() -> None:
    subject = Subject("output", ("no JSON", "{}"), places=("text", "tool_arguments"))

    assert 1 == tool_calls(subject).data["toolCalls"]


def test_values_are_not_told() -> None:
    arguments = tool_calls.bind({"schemas": {"w": _CITY}}).arguments
    verdict = tool_calls(_subject(("w", '{"city": "geheim"}')), **arguments)

    assert "geheim" not in str(verdict.data)
    assert [
        {"tool": "w", "problem": "the arguments do not fit the schema at /city"}
    ] == verdict.data["problems"]


@pytest.mark.parametrize(
    "parameters",
    [{"schemas": {"w": {"type": "nonsense"}}}, {"maxCalls": -1}, {"allowed": "w"}],
)
def test_bad_parameters_are_refused(parameters: Any) -> None:
    with pytest.raises(ParameterFault):
        tool_calls.bind(parameters)
