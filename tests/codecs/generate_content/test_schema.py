"""Schemas in the subset that older models take, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.generate_content.door_schema import MAX_DEPTH, to_json_schema
from llmgateway.codecs.generate_content.schema import MAX_NODES, to_subset
from tests.codecs.generate_content.schemas import check

DATA = {"$ref": "#/not/a/reference", "type": "object", "anyOf": [{"$ref": "x"}]}

CASES: dict[str, tuple[Any, Any]] = {
    "nullable-type": ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
    "nullable-union": (
        {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "d"},
        {"description": "d", "type": "INTEGER", "nullable": True},
    ),
    "union": (
        {"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}], "nullable": True},
    ),
    "type-list": (
        {"type": ["string", "integer"], "title": "t"},
        {"title": "t", "anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
    ),
    "only-null": ({"anyOf": [{"type": "null"}]}, {"type": "NULL"}),
    "reference": (
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A", "description": "own"}},
            "$defs": {"A": {"type": "number", "description": "theirs", "minimum": 1}},
        },
        {
            "type": "OBJECT",
            "properties": {"a": {"type": "NUMBER", "description": "own", "minimum": 1}},
        },
    ),
    "older-definitions": (
        {"$ref": "#/definitions/a~1b%20c", "definitions": {"a/b c": {"type": "string"}}},
        {"type": "STRING"},
    ),
    "dangling-reference": ({"$ref": "#/$defs/none"}, {"type": "STRING"}),
    "foreign-reference": ({"$ref": "https://example.com/x"}, {"type": "STRING"}),
    "recursion": (
        {
            "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}},
            "$ref": "#/$defs/n",
        },
        {"type": "OBJECT", "properties": {"next": {"type": "OBJECT"}}},
    ),
    "recursion-to-the-root": (
        {"type": "object", "properties": {"me": {"$ref": "#"}}},
        {
            "type": "OBJECT",
            "properties": {"me": {"type": "OBJECT", "properties": {"me": {"type": "OBJECT"}}}},
        },
    ),
    "all-of": (
        {
            "allOf": [
                {"$ref": "#/$defs/A"},
                {"properties": {"b": {"type": "string"}}, "required": ["b"]},
            ],
            "required": ["c"],
            "properties": {"c": {"type": "boolean"}},
            "$defs": {"A": {"properties": {"a": {"type": "integer"}}, "required": ["a"]}},
        },
        {
            "type": "OBJECT",
            "properties": {
                "b": {"type": "STRING"},
                "a": {"type": "INTEGER"},
                "c": {"type": "BOOLEAN"},
            },
            "required": ["c", "a", "b"],
        },
    ),
    "all-of-itself": ({"allOf": [{"$ref": "#"}]}, {"type": "STRING"}),
    "dropped-keywords": (
        {
            "$schema": "x",
            "$id": "y",
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {},
            "properties": {"a": {"type": "string", "format": "uuid", "contentEncoding": "x"}},
        },
        {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
    ),
    "kept-formats": (
        {"type": "array", "items": {"type": "string", "format": "date-time"}, "minItems": 1},
        {"minItems": 1, "type": "ARRAY", "items": {"type": "STRING", "format": "date-time"}},
    ),
    "enum": ({"enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
    "enum-of-null": ({"type": "string", "enum": [None]}, {"type": "STRING", "nullable": True}),
    "const": ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
    "enum-of-numbers": (
        {"type": "integer", "enum": [1, 2], "description": "d."},
        {"description": "d. One of: 1, 2.", "type": "INTEGER"},
    ),
    "const-number": (
        {"type": "integer", "const": 1},
        {"type": "INTEGER", "description": "One of: 1."},
    ),
    "data-that-looks-like-schema": (
        {
            "type": "object",
            "default": DATA,
            "examples": [DATA],
            "properties": {"$ref": {"type": "string"}, "enum": {"type": "string"}},
        },
        {
            "default": DATA,
            "example": DATA,
            "type": "OBJECT",
            "properties": {"$ref": {"type": "STRING"}, "enum": {"type": "STRING"}},
        },
    ),
    "required-of-nothing": (
        {"type": "object", "properties": {"a": {}}, "required": ["a", "gone"]},
        {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]},
    ),
    "list-without-items": ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
    "places": (
        {"prefixItems": [{"type": "string"}, {"type": "integer"}]},
        {"type": "ARRAY", "items": {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}},
    ),
    "one-place-in-the-older-way": (
        {"type": "array", "items": [{"type": "integer"}]},
        {"type": "ARRAY", "items": {"type": "INTEGER"}},
    ),
    "map": ({"additionalProperties": {"type": "string"}}, {"type": "OBJECT"}),
    "anything": (True, {"type": "STRING"}),
}


@pytest.mark.parametrize(("schema", "expected"), CASES.values(), ids=CASES)
def test_the_subset(schema: Any, expected: Any) -> None:
    assert expected == to_subset(schema)
    if "data" not in str(schema):
        check("Schema", to_subset(schema))


def size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(size, value.values()))
    return sum(map(size, value)) if isinstance(value, list) else 0


def test_long_chains_are_bounded() -> None:
    chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(500)}
    nested: Any = {"type": "string"}
    for _ in range(900):
        nested = {"allOf": [nested]}

    assert {"type": "OBJECT"} == to_subset({"$ref": "#/$defs/d0", "$defs": chain})
    assert {"type": "STRING"} == to_subset(nested)


def test_deep_schemas_are_bounded() -> None:
    deep: Any = {"type": "string"}
    for _ in range(100):
        deep = {"properties": {"a": deep}}

    assert size(to_subset(deep)) < 100


def test_references_that_fan_out_are_bounded() -> None:
    names = [f"d{n}" for n in range(40)]
    defs = {
        name: {"properties": {str(i): {"$ref": f"#/$defs/{after}"} for i in range(4)}}
        for name, after in zip(names, [*names[1:], "end"], strict=True)
    }
    subset = to_subset({"$ref": "#/$defs/d0", "$defs": {**defs, "end": {"type": "string"}}})

    assert size(subset) < 4 * MAX_NODES


_KEYS = st.sampled_from(
    "type properties items $ref $defs anyOf allOf oneOf enum const default required nullable "
    "prefixItems format description examples".split()
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from(
    ["string", "null", "object", "array", "#", "#/$defs/a", "#/properties/a"]
)  # fmt: skip
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.just("a"), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(schema=SCHEMAS)
def test_any_schema_gives_one_without_references(schema: Any) -> None:
    def walk(value: Any) -> None:
        assert "$ref" not in value and {"type", "anyOf"} & set(value)
        for inner in (value.get("properties") or {}).values():
            walk(inner)
        for inner in [*value.get("anyOf", ()), *([value["items"]] if "items" in value else [])]:
            walk(inner)

    walk(to_subset(schema))
    to_json_schema(schema)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"type": "STRING"}, {"type": "string"}),
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"any_of": [{"type": "STRING"}], "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        ({"nullable": True}, {}),
        (
            {"type": "STRING", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {
                "type": "OBJECT",
                "properties": {"type": {"type": "ARRAY", "items": {"type": "INTEGER"}}},
                "propertyOrdering": ["type"],
                "example": {"type": "X"},
                "min_properties": "1",
            },
            {
                "type": "object",
                "properties": {"type": {"type": "array", "items": {"type": "integer"}}},
                "examples": [{"type": "X"}],
                "minProperties": 1,
            },
        ),
    ],
)
def test_googles_own_schema_as_json_schema(theirs: Any, expected: Any) -> None:
    assert expected == to_json_schema(theirs)


def test_a_schema_without_end_is_bounded() -> None:
    schema: Any = {"type": "STRING"}
    for _ in range(MAX_DEPTH + 10):
        schema = {"items": schema}

    assert size(to_json_schema(schema)) <= MAX_DEPTH + 2
