"""Holds a body against the part of it that matters."""

from __future__ import annotations

from typing import Any


def assert_has(expected: Any, found: Any, place: str = "") -> None:
    """Check that `found` has all that is expected, and maybe more members.

    Lists must be as long as expected; a function stands for whatever it is true of.
    """
    if callable(expected):
        assert expected(found), f"{place}: {found!r}"
    elif isinstance(expected, dict):
        assert isinstance(found, dict), f"{place}: {found!r} is no object"
        for name, value in expected.items():
            assert name in found, f"{place} lacks {name}: {found!r}"
            assert_has(value, found[name], f"{place}.{name}")
    elif isinstance(expected, list):
        assert isinstance(found, list) and len(expected) == len(found), f"{place}: {found!r}"
        for at, (one, other) in enumerate(zip(expected, found, strict=True)):
            assert_has(one, other, f"{place}[{at}]")
    else:
        assert expected == found, f"{place}: expected {expected!r}, got {found!r}"
