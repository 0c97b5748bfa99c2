"""The contract's checks by cases that are data: text and parameters in, verdict and data out.

A case: `check`, `stage`, `texts`, `parameters` and what else the subject says; `verdict`, or
`error`; `data`, which the verdict's data must hold at least; `changed` (the texts afterwards) and
`inserted` (role and text). Whatever is not there must not happen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmgateway.guardrails import CheckFailed, Insertion
from tests.guardrails.stubs import bound, run, subject

CASES: list[dict[str, Any]] = [
    {**case, "file": path.stem}
    for path in sorted((Path(__file__).parent / "cases").glob("*.json"))
    for case in json.loads(path.read_text(encoding="utf-8"))
]
_FACTS = ("model", "metadata", "request_type", "is_stream", "roles")


def test_there_are_enough() -> None:
    assert len(CASES) >= 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['file']}: {case['name']}")
async def test_case(case: dict[str, Any]) -> None:
    facts = {key: case[key] for key in _FACTS if key in case}
    seen = subject(*case["texts"], stage=case["stage"], **facts)
    one = bound(case["check"], case["parameters"])
    assert case["stage"] in one.check.stages
    if case.get("error"):
        with pytest.raises(CheckFailed):
            await run(one, seen)
        return
    verdict = await run(one, seen)
    assert verdict.passed is case["verdict"]
    assert isinstance(verdict.data["explanation"], str)
    for key, wanted in case.get("data", {}).items():
        assert verdict.data[key] == wanted, key
    changed, inserted = case.get("changed"), case.get("inserted")
    assert verdict.texts == (None if changed is None else tuple(changed))
    assert verdict.insert == (None if inserted is None else Insertion(*inserted))
    assert one.may_change or (verdict.texts is None and verdict.insert is None)
    json.dumps(verdict.data)
