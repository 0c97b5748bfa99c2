"""Published schemas, against which what we write is checked; they lie beside the project."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).resolve().parents[2] / "../shared/schemas"


@cache
def openai_schema(name: str) -> Draft202012Validator:
    """Return the validator of one of OpenAI's schemas; skips the test where they are absent."""
    path = SCHEMAS / "openai.openapi.json"
    if not path.exists():
        pytest.skip(f"no schemas at {SCHEMAS.name}/ beside the project")
    document = json.loads(path.read_text(encoding="utf-8"))
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return Draft202012Validator(schema)


def check(name: str, value: Any) -> None:
    """Check a value; the first faults are named with their places."""
    faults = [
        f"{list(fault.absolute_path)}: {fault.message[:300]}"
        for fault in openai_schema(name).iter_errors(value)
    ]
    assert not faults, "\n".join(faults[:3])
