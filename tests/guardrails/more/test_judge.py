from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.guardrails.base import CheckFailed, ParameterFault, Subject, Verdict
from llmgateway.guardrails.judge import judge, question
from tests.guardrails.more.outside import Scripted


def _answer(content: Any) -> Scripted:
    return Scripted({"choices": [{"message": {"role": "assistant", "content": content}}]})


async def _run(content: Any, text: str = "a text", **parameters: Any) -> Verdict:
    bound = judge.bind({"model": "m", "criteria": "It is polite.", **parameters})
    verdict = bound.run(Subject("output", (text,)), _answer(content))
    assert not isinstance(verdict, Verdict)
    return await verdict


@pytest.mark.parametrize(
    ("content", "parameters", "passes"),
    [
        ('{"pass": true, "reason": "fine"}', {}, True),
        ('{"pass": false, "reason": "rude"}', {}, False),
        ('```json\n{"pass": true, "reason": "fine"}\n```', {}, True),
        ('  ```\n{"pass": false, "reason": ""}\n```  ', {}, False),
        ('{"score": 0.7, "reason": "r"}', {"threshold": 0.7}, True),
        ('{"score": 0, "reason": "r"}', {"threshold": 0.5}, False),
    ],
)
async def test_the_judge_decides(content: str, parameters: Any, passes: bool) -> None:
    assert passes == (await _run(content, **parameters)).passed


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "true",
        "[]",
        "Yes, it passes.",
        'Here: {"pass": true, "reason": "x"}',
        '{"pass": "true", "reason": "x"}',
        '{"pass": 1, "reason": "x"}',
        '{"pass": true}',
        '{"pass": true, "reason": null}',
        '{"pass": false, "pass": true, "reason": "x"}',
        '{"pass": true, "reason": "cut off',
        '{"score": 1, "reason": "x"}',
        '```python\n{"pass": true, "reason": "x"}\n```',
        "[" * 100_000,
        [{"type": "text", "text": "{}"}],
    ],
)
async def test_anything_else_is_an_error(content: Any) -> None:
    with pytest.raises(CheckFailed):
        await _run(content)


@pytest.mark.parametrize("score", ["1.1", "-1", "true", '"1"', "NaN", "null"])
async def test_a_score_out_of_range_is_an_error(score: str) -> None:
    with pytest.raises(CheckFailed):
        await _run(f'{{"score": {score}, "reason": "x"}}', threshold=0.5)


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [None]}, {"choices": {}}])
async def test_an_answer_without_a_choice_is_an_error(answer: Any) -> None:
    with pytest.raises(CheckFailed):
        await judge(Subject("output", ("x",)), "m", "c", services=Scripted(answer))


@pytest.mark.parametrize(("text", "most"), [("", 10), ("x" * 11, 10), ("x" * 10**6, 50_000)])
async def test_no_text_and_too_long_ones_are_errors(text: str, most: int) -> None:
    with pytest.raises(CheckFailed):
        await _run('{"pass": true, "reason": ""}', text, maxCharacters=most)


@given(st.text(max_size=200))
def test_the_text_cannot_end_its_own_frame(text: str) -> None:
    user = question(text, "c", None)["messages"][1]["content"]
    mark = user.partition("\n")[0]

    assert mark not in text
    assert 2 == user.count(mark)


async def test_options_go_along_and_the_rest_is_the_checks() -> None:
    services = _answer('{"pass": true, "reason": "fine"}')
    await judge(
        Subject("input", ("x",)), "@p/m", "c", options={"temperature": 0}, services=services
    )
    model, body = services.asked[0]

    assert "@p/m" == model
    assert {"temperature", "messages", "response_format"} == set(body)
    assert json.dumps(body)


@pytest.mark.parametrize(
    "parameters",
    [
        {"criteria": "c"},
        {"model": "m"},
        {"model": "m", "criteria": ""},
        {"model": "m", "criteria": "c", "options": {"stream": True}},
        {"model": "m", "criteria": "c", "options": {"messages": []}},
        {"model": "m", "criteria": "c", "threshold": 2},
    ],
)
def test_bad_parameters_are_refused(parameters: Any) -> None:
    with pytest.raises(ParameterFault):
        judge.bind(parameters)


async def test_a_long_reason_is_cut() -> None:
    verdict = await _run(json.dumps({"pass": True, "reason": "é" * 1000}))

    assert 500 == len(verdict.data["explanation"])
