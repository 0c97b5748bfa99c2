"""A body in which only the model or added members differ: all its other bytes stay as they came."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.engine.body import splice


def spliced(raw: bytes, **changes: Any) -> bytes | None:
    before = orjson.loads(raw)
    return splice(raw, before, {**before, **changes})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"model":"a","messages":[]}', b'{"model":"b","messages":[]}'),
        (b'{"messages":[],"model":"a"}', b'{"messages":[],"model":"b"}'),
        (b' { "x":1e2 , "model"\t:\r\n "a" } ', b' { "x":1e2 , "model"\t:\r\n "b" } '),
        (b'{"t":"a \\"model\\" of","model":"a"}', b'{"t":"a \\"model\\" of","model":"b"}'),
        ('{"t":"ü","model":"ü"}'.encode(), '{"t":"ü","model":"b"}'.encode()),
    ],
)
def test_the_model_is_replaced_where_it_stands(raw: bytes, expected: bytes) -> None:
    assert expected == spliced(raw, model="b")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"model":"a","model":"c"}', id="twice"),
        pytest.param(b'{"model":"a","x":{"model":"c"}}', id="nested-too"),
        pytest.param(b'{"x":{"model":"a"},"\\u006dodel":"a"}', id="the-real-one-in-escapes"),
        pytest.param(b'{"model":"a","\\u006Dodel":"a"}', id="twice-one-in-escapes"),
        pytest.param(b'{"model":"a\\n"}', id="escape-in-the-value"),
        pytest.param(b'{"x":["model"],"model":"a"}', id="also-a-value"),
    ],
)
def test_where_the_text_leaves_a_doubt_it_is_written_anew(raw: bytes) -> None:
    assert spliced(raw, model="b") is None


def test_members_are_added_at_the_end() -> None:
    raw = b'{ "stream" : true }\n'

    assert b'{ "stream" : true ,"o":{"u":true}}' == spliced(raw, o={"u": True})


def test_model_and_members_in_one_go() -> None:
    assert b'{"model":"b","a":1}' == spliced(b'{"model":"a"}', model="b", a=1)


def test_other_changes_are_none_of_its_business() -> None:
    before = {"model": "a", "n": 1}

    assert splice(b'{"model":"a","n":1}', before, {"model": "a", "n": 2000}) is None
    assert splice(b'{"model":"a","n":1}', before, {"model": "a"}) is None
    assert splice(b"{}", {}, {"a": 1}) is None


KEYS = st.sampled_from(["model", "Model", "m", "messages", '"model"', "\\u006dodel", "modèle"])
LEAVES = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["model", '"model":"x"', "a"])
)
TREES = st.recursive(
    LEAVES, lambda some: st.lists(some, max_size=3) | st.dictionaries(KEYS, some, max_size=3)
)


@given(st.lists(st.tuples(KEYS, TREES), max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_what_is_spliced_reads_as_what_was_meant(
    members: list[tuple[str, Any]], ascii_only: bool, indent: int | None
) -> None:
    """Duplicate keys included: the text is put together member by member."""
    parts = [
        f"{json.dumps(key, ensure_ascii=ascii_only)}: "
        f"{json.dumps(tree, ensure_ascii=ascii_only, indent=indent)}"
        for key, tree in members
    ]
    raw = ("{" + ", ".join(parts) + "}").encode()
    before = orjson.loads(raw)
    if not isinstance(before.get("model"), str):
        return
    after = {**before, "model": "new", "added": [1]}

    result = splice(raw, before, after)

    if result is not None:
        assert after == orjson.loads(result)
        assert after == json.loads(result)
        assert result.count(b'"new"') == raw.count(b'"new"') + 1
