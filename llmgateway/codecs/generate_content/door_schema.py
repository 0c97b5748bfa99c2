"""Says a schema of Google's own kind as JSON schema.

Source: https://ai.google.dev/api/caching#Schema
"""

from __future__ import annotations

import re
from typing import Any, Final

from llmgateway.codecs.generate_content.shape import objects, pick, snake
from llmgateway.types import JSON

MAX_DEPTH: Final = 64

_KEYS: Final = (
    "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties",
    "anyOf", "propertyOrdering",
)  # fmt: skip
_CAMEL: Final = {snake(key): key for key in _KEYS}
_WHOLE: Final = frozenset(_KEYS) - {"anyOf", "propertyOrdering"}
"""Counts, which proto JSON may write as texts."""
_COUNT: Final = re.compile(r"[0-9]{1,18}")
"""A longer one is left as it came: Python refuses to read 4,300 digits, and nobody means them."""


def to_json_schema(schema: Any, depth: int = 0) -> JSON:
    """Return `schema` with JSON schema's words; what it says as data stays as it is."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return {}
    found: JSON = {}
    members: JSON = schema
    for name, value in members.items():
        key = _CAMEL.get(name, name)
        if key == "type" and isinstance(value, str):
            found["type"] = value.lower()
        elif key == "properties" and isinstance(value, dict):
            found["properties"] = {n: to_json_schema(v, depth + 1) for n, v in value.items()}
        elif key == "items":
            found["items"] = to_json_schema(value, depth + 1)
        elif key == "anyOf":
            found["anyOf"] = [to_json_schema(item, depth + 1) for item in objects(value)]
        elif key == "example":
            found["examples"] = [value]
        elif key in _WHOLE and isinstance(value, str) and _COUNT.fullmatch(value):
            found[key] = int(value)
        elif key not in ("nullable", "propertyOrdering"):
            found[key] = value
    return _nullable(found) if pick(schema, "nullable") is True else found


def _nullable(schema: JSON) -> JSON:
    """Return a schema that takes null as well."""
    kind, choices = schema.get("type"), schema.get("enum")
    if isinstance(choices, list) and None not in choices:
        schema = {**schema, "enum": [*choices, None]}
    if isinstance(kind, str):
        return {**schema, "type": [kind, "null"]}
    if isinstance(schema.get("anyOf"), list):
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return schema
