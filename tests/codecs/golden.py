"""Golden files: an input, and exactly what becomes of it.

A file is `{"about", "context", "input", "expected"}`. With `UPDATE_GOLDEN=1` in the environment a
run writes what it got; look at the difference before you keep it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from llmgateway.codecs.base import Context
from llmgateway.types.capabilities import Capabilities, Reasoning
from tests.codecs.crossing import context


def golden_files(folder: Path, kind: str) -> list[Any]:
    """Return the files of one kind: those whose name begins with it."""
    paths = sorted((folder / "golden").glob(f"{kind}_*.json"))
    assert paths, f"no golden files for {kind}"
    return [pytest.param(path, id=path.stem.removeprefix(f"{kind}_")) for path in paths]


def load(path: Path) -> tuple[Any, Context]:
    """Return a file's input and its context."""
    case = json.loads(path.read_text(encoding="utf-8"))
    members = dict(case.get("context", {}))
    if "capabilities" in members:
        facts = members["capabilities"]
        facts["reasoning"] = frozenset(Reasoning(word) for word in facts.get("reasoning", ["none"]))
        facts["efforts"] = tuple(facts.get("efforts", ("low", "medium", "high")))
        members["capabilities"] = Capabilities(**facts)
    return case["input"], context(**members)


def compare(path: Path, found: Any) -> None:
    """Hold what was found against the file."""
    case = json.loads(path.read_text(encoding="utf-8"))
    found = json.loads(json.dumps(found))
    if os.environ.get("UPDATE_GOLDEN"):
        text = json.dumps({**case, "expected": found}, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
    else:
        assert case["expected"] == found
