"""JSON schemas that nobody vouches for: nothing is fetched, all of it ends."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from typing import Any

import pytest

from llmgateway.guardrails import CheckFailed, ParameterFault
from llmgateway.guardrails.fences import json_in
from llmgateway.guardrails.schemas import MAX_ERRORS, compile_schema
from tests.guardrails.stubs import bound, run, subject


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def doubling(keyword: str, depth: int) -> dict[str, Any]:
    """Each level applies the next one twice: 2 ** depth applications."""
    defs: dict[str, Any] = {
        f"d{level}": {keyword: [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(depth)
    }
    defs[f"d{depth}"] = {"type": "object"}
    return {"$defs": defs, "$ref": "#/$defs/d0"}


def unevaluated(depth: int) -> dict[str, Any]:
    """The same, looked through by a keyword that stands first."""
    both = ("a", "b")
    defs: dict[str, Any] = {
        f"d{level}": {"dependentSchemas": {key: {"$ref": f"#/$defs/d{level + 1}"} for key in both}}
        for level in range(depth)
    }
    defs[f"d{depth}"] = {"type": "object"}
    return {"unevaluatedProperties": False, "$defs": defs, "$ref": "#/$defs/d0"}


ENDLESS = {
    "allOf": doubling("allOf", 40),
    "oneOf": doubling("oneOf", 40),
    "anyOf": {**doubling("anyOf", 40), "$defs": {**doubling("anyOf", 40)["$defs"], "d40": False}},
    "unevaluated": unevaluated(40),
    "itself": {"$ref": "#"},
    "each other": {
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        "$ref": "#/$defs/a",
    },
    "dynamic": {"$dynamicAnchor": "n", "$dynamicRef": "#n"},
    "doubling itself": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_schemas_end(name: str) -> None:
    began = time.thread_time()
    schema = compile_schema(ENDLESS[name])
    with pytest.raises(CheckFailed, match="too long|too deep"):
        schema.errors({"a": 1, "b": 2})
    assert time.thread_time() - began < 2


def test_a_recursive_schema_of_a_finite_value() -> None:
    tree = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
    }
    schema = compile_schema(tree)
    assert schema.errors({"children": [{"children": []}, {}]}) == []
    found = schema.errors({"children": [{"children": [1]}]})
    assert found == [{"path": "/children/0/children/0", "message": "1 is not of type 'object'"}]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://169.254.169.254/schema.json"},
        {"properties": {"a": {"$ref": "https://example.com/a.json#/x"}}},
        {"$ref": "file:///etc/passwd"},
        {"$dynamicRef": "https://example.com/b.json"},
        {"properties": {"a": {"pattern": "(?=x)"}}},
        {"patternProperties": {"(a": {}}},
        {"type": "nonsense"},
        {"properties": []},
        {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
        {"enum": ["x" * 70_000]},
        {"properties": {f"p{n}": {"pattern": f"a{n}"} for n in range(65)}},
    ],
)
def test_refused_when_the_config_is_read(schema: dict[str, Any]) -> None:
    with pytest.raises(ParameterFault) as found:
        bound("jsonSchema", {"schema": schema})
    assert found.value.path[:1] == ("schema",)


def test_a_schema_that_nests_too_deep() -> None:
    schema: dict[str, Any] = {}
    for _ in range(100):
        schema = {"not": schema}
    with pytest.raises(ParameterFault, match="nests"):
        compile_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "other.json"},
        {"$id": "https://example.com/root.json", "$ref": "other.json"},
        {"$ref": "#/$defs/nothing"},
        {"$ref": "#nowhere"},
    ],
)
def test_unknown_references_are_errors(schema: dict[str, Any]) -> None:
    with pytest.raises(CheckFailed, match="does not hold"):
        compile_schema(schema).errors({})


def test_ids_and_metaschemas_are_names_alone() -> None:
    schema = compile_schema(
        {
            "$schema": "https://example.com/my-own-draft",
            "$id": "https://example.com/root.json",
            "$defs": {"n": {"$id": "https://example.com/n.json", "type": "number"}},
            "properties": {
                "n": {"$ref": "https://example.com/n.json"},
                "s": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
            },
        }
    )
    assert schema.errors({"n": 1, "s": {"type": "object"}}) == []
    assert len(schema.errors({"n": "x", "s": {"type": 1}})) == 2


def test_errors_are_few_and_short() -> None:
    schema = compile_schema({"items": {"type": "string"}})
    found = schema.errors([["x" * 10_000]] * 500)
    assert len(found) == MAX_ERRORS
    assert all(len(error["message"]) < 400 for error in found)


def test_data_that_looks_like_keywords() -> None:
    schema = {"properties": {"pattern": {"const": {"$ref": "http://x.example/"}}}}
    assert compile_schema(schema).errors({"pattern": {"$ref": "http://x.example/"}}) == []


@pytest.mark.parametrize("value", [[1] * 100_000, {str(n): n for n in range(50_000)}])
@pytest.mark.parametrize(
    "schema",
    [
        {"uniqueItems": True},
        {"additionalProperties": {"type": "integer"}},
        {"patternProperties": {"1+": {"type": "integer"}, "(a|aa)+$": {}}},
        {"propertyNames": {"pattern": "^[0-9]+$"}},
        {"items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        {"anyOf": [{"type": "string"}] * 200},
        {"unevaluatedProperties": {"type": "integer"}},
        {"contains": {"const": 2}, "minContains": 5},
        {"unevaluatedItems": {"type": "integer"}},
    ],
)
def test_large_values_end(schema: dict[str, Any], value: Any) -> None:
    ready = compile_schema(schema)
    began = time.thread_time()
    try:
        ready.errors(value)
    except CheckFailed as exc:
        assert "too long" in str(exc)
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    "text",
    [
        "{" * 2**20,
        '{"a":' * 2**17,
        '{"a":1' * 2**17,
        "```" * 2**18,
        "```{" * 2**18,
        "[" * 2**20,
        '{"' + "\\" * 2**20,
        "{}" * 2**19,
        "1" * 2**20,
        "```json\n" + "9" * 10_000 + "\n```",
    ],
)
async def test_texts_that_are_nearly_json(text: str) -> None:
    began = time.thread_time()
    json_in(text)
    await run(bound("jsonKeys", {"keys": ["a"]}), subject(text))
    await run(bound("containsCode", {"format": "JSON"}), subject(text))
    assert time.thread_time() - began < 2


def test_json_that_is_not() -> None:
    assert json_in('{"a": NaN}') == []
    assert [found.value for found in json_in('{"a": {"b": [1, "}"]}} tail }')] == [
        {"a": {"b": [1, "}"]}}
    ]
    assert json_in(json.dumps("{}")) != []


def test_without_jsonschema(monkeypatch: pytest.MonkeyPatch) -> None:
    from llmgateway.guardrails import schemas

    schemas._validator_class.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "jsonschema", None)
    with pytest.raises(ParameterFault, match=r"llmgateway\[guardrails\]"):
        bound("jsonSchema", {"schema": {}})
