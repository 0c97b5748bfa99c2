"""Each tweak: what it changes, what it leaves alone, and what the docs say of it."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.providers import Clamp, Drop, KeepAfter, MapRole, MapValue, Rename, Tweak

CHANGES: list[tuple[Tweak, dict[str, Any], dict[str, Any] | None]] = [
    (Rename("a", "b"), {"a": 1, "c": 2}, {"b": 1, "c": 2}),
    (Rename("a", "b"), {"a": 1, "b": 3}, {"b": 3}),
    (Rename("a", "b"), {"a": None}, {"b": None}),
    (Rename("a", "b"), {"b": 1}, None),
    (Drop("a"), {"a": 1, "b": 2}, {"b": 2}),
    (Drop("a"), {"b": 2}, None),
    (Clamp("t", 0, 1), {"t": 2}, {"t": 1}),
    (Clamp("t", 0, 1), {"t": -0.5}, {"t": 0}),
    (Clamp("t", 0, 1), {"t": 0.7}, None),
    (Clamp("t", 0, 1), {"t": True}, None),
    (Clamp("t", 0, 1), {"t": "2"}, None),
    (Clamp("t", 0, 1), {}, None),
    (MapValue("v", {"x": "y"}), {"v": "x"}, {"v": "y"}),
    (MapValue("v", {"x": None}), {"v": "x"}, {"v": None}),
    (MapValue("v", {"x": "y"}), {"v": "z"}, None),
    (MapValue("v", {"x": "y"}), {"v": {"x": 1}}, None),
    (MapValue("v", {"x": "y"}), {}, None),
    (
        MapRole("developer", "system"),
        {"messages": [{"role": "developer", "content": "a"}, {"role": "user"}, 7]},
        {"messages": [{"role": "system", "content": "a"}, {"role": "user"}, 7]},
    ),
    (MapRole("developer", "system"), {"messages": [{"role": "user"}]}, None),
    (MapRole("developer", "system"), {"messages": "developer"}, None),
    (MapRole("developer", "system"), {}, None),
    (KeepAfter("model", ":"), {"model": "a:b:c"}, {"model": "b:c"}),
    (KeepAfter("model", ":"), {"model": "a"}, {"model": ""}),
    (KeepAfter("model", ":"), {"model": 1}, None),
    (KeepAfter("model", ":"), {}, None),
]


@pytest.mark.parametrize(("tweak", "body", "changed"), CHANGES)
def test_apply(tweak: Tweak, body: dict[str, Any], changed: dict[str, Any] | None) -> None:
    before = repr(body)

    assert changed == tweak.apply(body)
    assert before == repr(body), "the caller's body is never edited"


@pytest.mark.parametrize(
    ("tweak", "param", "drops", "words"),
    [
        (Rename("a", "b"), "a", False, "`a` is sent as `b`"),
        (Drop("a"), "a", True, "`a` is left out"),
        (Clamp("a", 0, 1.5), "a", False, "`a` is kept within 0 and 1.5"),
        (MapValue("a", {"x": "y", "z": None}), "a", False, "`a`: `x` → `y`, `z` → `null`"),
        (MapRole("a", "b"), "messages", False, "role `a` is sent as `b`"),
        (KeepAfter("a", ":"), "a", False, "`a`: what precedes `:` stands in the URL"),
    ],
)
def test_what_is_said_of_a_tweak(tweak: Tweak, param: str, drops: bool, words: str) -> None:
    assert (param, drops, words) == (tweak.param, tweak.drops, str(tweak))
