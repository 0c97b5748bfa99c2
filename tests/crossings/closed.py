"""OpenAI's schema of a chat request, closed: what it does not name may not be sent."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from tests.codecs.schemas import SCHEMAS

_HERE: Final = "#/components/schemas/"
# A tool's parameters are any JSON schema, and a user's metadata any members.
_OPEN: Final = frozenset({"FunctionParameters", "Metadata", "ResponseFormatJsonSchemaSchema"})


def check_chat_request(body: Any) -> None:
    """Check a request that we write; the first faults are named with their places."""
    faults = list(_validator().iter_errors(body))

    assert [] == [f"{list(fault.absolute_path)}: {fault.message[:300]}" for fault in faults[:3]]


@cache
def _validator() -> Draft202012Validator:
    path = SCHEMAS / "openai.openapi.json"
    if not path.exists():
        pytest.skip(f"no schemas at {SCHEMAS.name}/ beside the project")
    components = json.loads(path.read_text(encoding="utf-8"))["components"]["schemas"]
    parts = set(_parts(components))
    closed = {
        name: schema if name in _OPEN else _closed(schema, is_part=name in parts)
        for name, schema in components.items()
    }
    schema = {"$ref": f"{_HERE}CreateChatCompletionRequest", "components": {"schemas": closed}}
    return Draft202012Validator(schema)


def _parts(schema: Any) -> list[str]:
    """Return the names of schemas that are but parts of others, and so cannot be closed."""
    if isinstance(schema, list):
        return [name for one in schema for name in _parts(one)]
    if not isinstance(schema, dict):
        return []
    named = [one["$ref"].removeprefix(_HERE) for one in schema.get("allOf", ()) if "$ref" in one]
    return [*named, *(name for value in schema.values() for name in _parts(value))]


def _closed(schema: Any, *, is_part: bool = False) -> Any:
    """Return a copy in which an object has the members that are named, and no other."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {
        key: [_closed(one, is_part=True) for one in value] if key == "allOf" else _closed(value)
        for key, value in schema.items()
    }
    is_object = isinstance(copy.get("properties"), dict) or "allOf" in copy
    if is_object and not is_part and "additionalProperties" not in copy:
        copy["unevaluatedProperties"] = False
    return copy
