"""What this format's requests and answers may hold: the published shapes, closed.

The file has no request envelope; it is composed here from what it has.
Source: https://ai.google.dev/api/generate-content#request-body
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.codecs.schemas import SCHEMAS


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _list(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _ref(name)}


_REQUEST = {
    "type": "object",
    "additionalProperties": False,
    "required": ["contents"],
    "properties": {
        "model": {"type": "string"},
        "contents": {**_list("Content"), "minItems": 1},
        "systemInstruction": _ref("Content"),
        "tools": _list("Tool"),
        "toolConfig": _ref("ToolConfig"),
        "generationConfig": _ref("GenerationConfig"),
        "safetySettings": _list("SafetySetting"),
        "cachedContent": {"type": "string"},
    },
}
_EMBED = {
    "type": "object",
    "additionalProperties": False,
    "required": ["content"],
    "properties": {
        "model": {"type": "string"},
        "content": _ref("Content"),
        "taskType": {"type": "string"},
        "title": {"type": "string"},
        "outputDimensionality": {"type": "integer"},
    },
}
_ENVELOPES = {
    "GenerateContentRequest": _REQUEST,
    "EmbedContentRequest": _EMBED,
    "BatchEmbedContentsRequest": {
        "type": "object",
        "additionalProperties": False,
        "required": ["requests"],
        "properties": {
            "requests": {"type": "array", "items": {**_EMBED, "required": ["model", "content"]}}
        },
    },
    "CountTokensRequest": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "generateContentRequest": {**_REQUEST, "required": ["model", "contents"]},
        },
    },
}


@cache
def _validator(name: str) -> Draft202012Validator:
    path = SCHEMAS / "gemini.schema.json"
    if not path.exists():
        pytest.skip(f"no schemas at {SCHEMAS.name}/ beside the project")
    defs = json.loads(path.read_text(encoding="utf-8"))["$defs"]
    # The SDK keeps this member in a type of its own.
    defs["GenerationConfig"]["properties"]["imageConfig"] = _ref("ImageConfig")
    return Draft202012Validator({**_ENVELOPES.get(name, _ref(name)), "$defs": defs})


def check(name: str, value: Any) -> None:
    """Check a value; the first faults are named with their places."""
    faults = sorted(_validator(name).iter_errors(value), key=lambda fault: list(fault.path))

    assert [] == [f"{list(fault.path)}: {fault.message[:300]}" for fault in faults[:3]]
