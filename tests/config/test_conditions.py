"""The query language of the conditional router."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.config import Branch, Conditional, Facts, Query, parse_config
from llmgateway.config.conditions import QueryCompiler
from llmgateway.config.patterns import Patterns
from tests.config.faults import branch
from tests.config.faults import faults as config_faults

UNSUPPORTED = "Unsupported operator used in the query router"

EXAMPLE_2 = {
    "strategy": {
        "mode": "conditional",
        "conditions": [
            {
                "query": {
                    "metadata.plan": {"$in": ["pro", "team"]},
                    "params.max_tokens": {"$gt": 1000},
                },
                "then": "big",
            },
            {
                "query": {"$or": [{"params.model": {"$regex": "^gpt-4"}}, {"metadata.vip": "yes"}]},
                "then": "mid",
            },
        ],
        "default": "small",
    },
    "targets": [
        {"name": "big", "provider": "anthropic", "api_key": "a"},
        {"name": "mid", "provider": "openai", "api_key": "b"},
        {"name": "small", "provider": "groq", "api_key": "c"},
    ],
}


def compiled(raw: Any) -> Query:
    """Return a query that has no fault."""
    compiler = QueryCompiler(Patterns())
    query = compiler.compile(raw)

    assert [] == compiler.faults
    return query


def faults(raw: Any) -> dict[tuple[str | int, ...], str]:
    """Return the faults of a query by their place."""
    compiler = QueryCompiler(Patterns())
    compiler.compile(raw)
    return dict(compiler.faults)


def matches(
    raw: Any,
    *,
    metadata: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    pathname: str = "/v1/chat/completions",
) -> bool:
    """Tell whether a query holds for such a request."""
    return compiled(raw).matches(Facts(metadata or {}, params or {}, pathname))


@pytest.mark.parametrize(
    ("metadata", "params", "expected"),
    [
        ({"plan": "pro"}, {"max_tokens": 2000}, "big"),
        ({"plan": "pro"}, {"max_tokens": 10, "model": "gpt-4o"}, "mid"),
        ({}, {"model": "x"}, "small"),
        ({"vip": "yes"}, {"model": "x"}, "mid"),
        ({"plan": "pro"}, {"model": "x"}, "small"),
    ],
)
def test_example_2(metadata: dict[str, Any], params: dict[str, Any], expected: str) -> None:
    root = parse_config(EXAMPLE_2).root
    assert isinstance(root, Branch)
    assert isinstance(root.strategy, Conditional)
    facts = Facts(metadata, params, "/v1/chat/completions")

    chosen = [c.then for c in root.strategy.conditions if c.query.matches(facts)]
    index = chosen[0] if chosen else root.strategy.default

    assert index is not None
    assert expected == root.targets[index].name


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        # a bare value is compared strictly
        ("a", "a", True),
        ("a", "b", False),
        (1, 1, True),
        (1, 1.0, True),
        (1, True, False),
        (True, 1, False),
        (True, True, True),
        (False, 0, False),
        ("1", 1, False),
        (None, None, True),
        (None, 0, False),
        ([], [], False),
        (["a"], "a", False),
        (["a"], ["a"], False),
        # $eq, $ne
        ({"$eq": "a"}, "a", True),
        ({"$eq": "1"}, 1, False),
        ({"$eq": None}, None, True),
        ({"$eq": {"a": 1}}, {"a": 1}, False),
        ({"$eq": [1]}, [1], False),
        ({"$ne": "a"}, "b", True),
        ({"$ne": "a"}, "a", False),
        ({"$ne": 1}, True, True),
        ({"$ne": [1]}, [1], True),
        # numbers
        ({"$gt": 5}, 6, True),
        ({"$gt": 5}, 5, False),
        ({"$gt": "5"}, "5.1", True),
        ({"$gt": 5}, "12abc", True),
        ({"$gt": 5}, "abc12", False),
        ({"$gt": 5}, True, False),
        ({"$gt": 0}, True, False),
        ({"$gt": 0}, None, False),
        ({"$gt": 0}, [5], False),
        ({"$gt": "x"}, 5, False),
        ({"$gt": None}, 5, False),
        ({"$gte": 5}, 5, True),
        ({"$gte": 5}, 4.999, False),
        ({"$gte": "x"}, "x", False),
        ({"$lt": 5}, -1, True),
        ({"$lt": 5}, 5, False),
        ({"$lte": 5}, "5.0", True),
        ({"$lte": 5}, 5.001, False),
        ({"$lt": "Infinity"}, 10**18, True),
        # lists
        ({"$in": ["a", 1]}, "a", True),
        ({"$in": ["a", 1]}, 1.0, True),
        ({"$in": ["a", 1]}, True, False),
        ({"$in": ["a", 1]}, "1", False),
        ({"$in": []}, "a", False),
        ({"$in": [None]}, None, True),
        ({"$in": [["a"], {}]}, ["a"], False),
        ({"$nin": ["a", 1]}, "b", True),
        ({"$nin": ["a", 1]}, "a", False),
        ({"$nin": ["a", 1]}, True, True),
        ({"$nin": []}, "a", True),
        ({"$nin": [["a"]]}, ["a"], True),
        # text
        ({"$regex": "^gpt-4"}, "gpt-4o", True),
        ({"$regex": "pt-4o$"}, "gpt-4o", True),
        ({"$regex": "GPT"}, "gpt-4o", False),
        ({"$regex": "^42$"}, 42, True),
        ({"$regex": "."}, None, False),
        ({"$regex": "."}, ["a"], False),
        # several operators
        ({"$gte": 5, "$lt": 10}, 5, True),
        ({"$gte": 5, "$lt": 10}, 10, False),
        ({"$ne": "a", "$nin": ["b"]}, "b", False),
        ({}, "anything", True),
    ],
)
def test_a_condition_is_tested_on_the_value(condition: Any, value: Any, expected: bool) -> None:
    assert expected == matches({"params.x": condition}, params={"x": value})
    assert expected == matches({"metadata.x": condition}, metadata={"x": value})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a", False),
        (None, False),
        ({"$eq": "a"}, False),
        ({"$eq": None}, False),
        ({"$ne": "a"}, True),
        ({"$ne": None}, True),
        ({"$gt": 0}, False),
        ({"$gte": 0}, False),
        ({"$lt": 0}, False),
        ({"$lte": 0}, False),
        ({"$in": ["a", None]}, False),
        ({"$nin": ["a", None]}, True),
        ({"$regex": ""}, False),
        ({"$regex": "undefined"}, False),
        ({}, True),
    ],
)
@pytest.mark.parametrize(
    "field",
    [
        "params.missing",
        "metadata.missing",
        "params.nested.key",
        "metadata.a.b",
        "params.",
        "params",
        "metadata",
        "url",
        "url.host",
        "url.pathname.x",
        "headers.x-user",
        "pathname",
        "",
        ".",
        ".x",
    ],
)
def test_a_field_that_is_not_there_is_undefined(field: str, condition: Any, expected: bool) -> None:
    found = matches(
        {field: condition}, params={"nested": {"key": "a"}, "": {}}, metadata={"a": {"b": "a"}}
    )

    assert expected == found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"url.pathname": "/v1/chat/completions"}, True),
        ({"url.pathname": {"$regex": "^/v1/chat"}}, True),
        ({"url.pathname": "/v1/embeddings"}, False),
    ],
)
def test_the_path_is_a_field(query: dict[str, Any], expected: bool) -> None:
    assert expected == matches(query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, True),
        ({"params.a": 1, "params.b": 2}, True),
        ({"params.a": 1, "params.b": 3}, False),
        ({"$and": [{"params.a": 1}, {"params.b": 2}]}, True),
        ({"$and": [{"params.a": 1}, {"params.b": 3}]}, False),
        ({"$and": []}, True),
        ({"$or": [{"params.a": 0}, {"params.b": 2}]}, True),
        ({"$or": [{"params.a": 0}, {"params.b": 0}]}, False),
        ({"$or": []}, False),
        ({"$or": [{}]}, True),
        ({"$or": [{"$and": [{"params.a": 1}, {"$or": [{"params.b": 2}]}]}]}, True),
        ({"params.a": 1, "$or": [{"params.b": 2}]}, True),
        ({"params.a": 0, "$or": [{"params.b": 2}]}, False),
        ({"params.a": 1, "$or": [{"params.b": 0}]}, False),
    ],
)
def test_queries_are_joined(query: dict[str, Any], expected: bool) -> None:
    assert expected == matches(query, params={"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"$or": [{"params.a": 1}], "params.b": 0}, True, id="field after $or"),
        pytest.param({"$and": [{"params.a": 1}], "params.b": 0}, True, id="field after $and"),
        pytest.param({"$or": [{"params.a": 1}], "$and": [{"params.b": 0}]}, True, id="group after"),
        pytest.param({"$and": [], "$or": []}, True, id="$or after $and"),
        pytest.param({"params.b": 0, "$or": [{"params.a": 1}]}, False, id="field before $or"),
        pytest.param({"params.t": {"$regex": "^a", "$ne": "abc"}}, True, id="after $regex"),
        pytest.param({"params.t": {"$ne": "abc", "$regex": "^a"}}, False, id="before $regex"),
        pytest.param({"params.t": {"$regex": "^a"}, "params.b": 0}, False, id="field after $regex"),
    ],
)  # fmt: skip
def test_what_stands_after_an_early_return_is_not_evaluated(
    query: dict[str, Any], expected: bool
) -> None:
    assert expected == matches(query, params={"a": 1, "b": 2, "t": "abc"})


@pytest.mark.parametrize(
    ("query", "place", "text"),
    [
        ([], (), "A query must be an object"),
        (None, (), "A query must be an object"),
        ("params.a", (), "A query must be an object"),
        (
            {"params.a": {"$like": "x"}},
            ("params.a", "$like"),
            f"{UNSUPPORTED}: $like",
        ),
        (
            {"params.a": {"b": 1}},
            ("params.a", "b"),
            f"{UNSUPPORTED}: b",
        ),
        ({"$nor": []}, ("$nor",), f"{UNSUPPORTED}: $nor"),
        ({"$eq": 1}, ("$eq",), f"{UNSUPPORTED}: $eq"),
        ({"params.a": {"$and": []}}, ("params.a", "$and"), f"{UNSUPPORTED}: $and"),
        ({"params.a": {"$" * 99: 1}}, ("params.a", "$" * 99), f"{UNSUPPORTED}: {'$' * 64}"),
        ({"$or": {"params.a": 1}}, ("$or",), "$or must be a list of queries"),
        ({"$and": "x"}, ("$and",), "$and must be a list of queries"),
        ({"$and": [{}, 5]}, ("$and", 1), "A query must be an object"),
        ({"params.a": {"$in": "abc"}}, ("params.a", "$in"), "$in and $nin take a list"),
        ({"params.a": {"$nin": None}}, ("params.a", "$nin"), "$in and $nin take a list"),
        ({"params.a": {"$regex": 5}}, ("params.a", "$regex"), "$regex must be a string"),
        (
            {"$or": [{"$and": [{"params.a": {"$regex": "("}}]}]},
            ("$or", 0, "$and", 0, "params.a", "$regex"),
            "RE2 cannot compile this pattern: missing ): (",
        ),
    ],
)  # fmt: skip
def test_a_query_that_cannot_work_is_refused_with_its_place(
    query: Any, place: tuple[str | int, ...], text: str
) -> None:
    assert {place: text} == faults(query)


def test_what_is_never_evaluated_is_checked_all_the_same() -> None:
    query = {"$or": [], "params.a": {"$regex": "a", "$like": 1}}

    assert [("params.a", "$like")] == list(faults(query))


def test_all_faults_of_a_query_are_found() -> None:
    query = {"params.a": {"$x": 1, "$in": 1}, "$or": [{"$y": 1}, 5], "$z": 1}

    assert [
        ("params.a", "$x"),
        ("params.a", "$in"),
        ("$or", 0, "$y"),
        ("$or", 1),
        ("$z",),
    ] == list(faults(query))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, False),
        ({"params.a": 1}, True),
        ({"metadata.params": 1}, False),
        ({"url.pathname": "/"}, False),
        ({"params.a.b": 1}, False),
        ({"$or": [{"metadata.a": 1}, {"$and": [{"params.a": 1}]}]}, True),
        ({"$and": [{"metadata.a": 1}]}, False),
        ({"$or": [], "params.a": 1}, False),
    ],
)
def test_a_query_tells_whether_it_reads_the_body(query: dict[str, Any], expected: bool) -> None:
    assert expected == compiled(query).reads_params


def test_a_fault_of_a_query_has_its_path_in_the_config() -> None:
    conditions = [
        {"query": {}, "then": "a"},
        {"query": {"params.model": {"$like": "x"}}, "then": "a"},
    ]
    raw = branch("conditional", {"name": "a", "provider": "acme"}, conditions=conditions)

    assert {
        "targets.0.strategy.conditions.1.query.params.model.$like": f"{UNSUPPORTED}: $like"
    } == config_faults(branch("fallback", raw))
