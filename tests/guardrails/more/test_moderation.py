from __future__ import annotations

from typing import Any

import pytest

from llmgateway.guardrails.base import CheckFailed, ParameterFault, Subject, Verdict
from llmgateway.guardrails.moderation import moderate_content, moderation
from llmgateway.types import JSON
from tests.guardrails.more.outside import Scripted

_HATE = {
    "flagged": True,
    "categories": {"hate": True, "violence": False, "illicit": None},
    "category_scores": {"hate": 0.9, "violence": 0.2},
}
_CLEAN = {
    "flagged": False,
    "categories": {"hate": False, "violence": False},
    "category_scores": {"hate": 0.01, "violence": 0.3},
}


async def _run(results: Any, *texts: str, **parameters: Any) -> Verdict:
    bound = moderation.bind(parameters)
    verdict = bound.run(Subject("input", texts or ("a text",)), Scripted({"results": results}))
    assert not isinstance(verdict, Verdict)
    return await verdict


@pytest.mark.parametrize(
    ("results", "parameters", "passes", "flagged"),
    [
        ([_CLEAN], {}, True, []),
        ([_HATE], {}, False, ["hate"]),
        ([_HATE], {"not": True}, True, ["hate"]),
        ([_HATE], {"categories": ["violence"]}, True, []),
        ([_HATE], {"categories": ["violence", "hate"]}, False, ["hate"]),
        ([_CLEAN], {"threshold": 0.3}, False, ["violence"]),
        ([_CLEAN], {"threshold": 0.31}, True, []),
        ([_CLEAN], {"threshold": 0.3, "categories": ["hate"]}, True, []),
        ([{"flagged": True}], {}, None, []),
        ([{"flagged": True, "categories": {}}], {}, False, []),
    ],
)
async def test_flags_count_as_asked(
    results: Any, parameters: JSON, passes: bool | None, flagged: list[str]
) -> None:
    if passes is None:
        with pytest.raises(CheckFailed):
            await _run(results, **parameters)
        return
    verdict = await _run(results, **parameters)

    assert (passes, flagged) == (verdict.passed, verdict.data["flaggedCategories"])


async def test_each_text_is_judged() -> None:
    verdict = await _run([_CLEAN, _HATE], "one", "zw\u00f6lf \U0001f600")

    assert not verdict.passed


@pytest.mark.parametrize(
    ("results", "parameters"),
    [
        (None, {}),
        ([], {}),
        ([_CLEAN, _CLEAN], {}),
        ([7], {}),
        ([{"flagged": "no", "categories": {}}], {}),
        ([_HATE], {"categories": ["hatred"]}),
        ([_HATE], {"categories": ["illicit"]}),
        ([{"flagged": False, "categories": {}, "category_scores": {}}], {"threshold": 0.5}),
        ([{"category_scores": {"hate": True}}], {"threshold": 0.5}),
    ],
)
async def test_what_is_not_told_is_an_error(results: Any, parameters: JSON) -> None:
    with pytest.raises(CheckFailed):
        await _run(results, **parameters)


async def test_no_text_passes_without_a_call() -> None:
    services = Scripted({})
    verdict = await moderation(Subject("output", ()), services=services)

    assert verdict.passed
    assert not services.asked


async def test_portkeys_id_is_an_alias() -> None:
    services = Scripted({"results": [_HATE]})
    verdict = await moderate_content(
        Subject("input", ("x" * 10**6,)), categories=["hate"], services=services
    )

    assert not verdict.passed
    assert services.asked[0][0] == "omni-moderation-latest"


def test_a_threshold_out_of_range_is_refused() -> None:
    with pytest.raises(ParameterFault):
        moderation.bind({"threshold": 1.5})
