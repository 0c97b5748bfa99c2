"""Small readers for bodies of which nothing may be taken for granted."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import orjson

from llmgateway.codecs.written import written as written
from llmgateway.types import JSON

_MAX_FLOAT: Final = 2**53
"""Beyond it a float does not tell whole numbers apart, and JSON soon has no place for them."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")


@cache
def snake(name: str) -> str:
    """Return `inlineData` as `inline_data`."""
    return _HUMP.sub(r"_\1", name).lower()


def pick(source: JSON, name: str) -> Any:
    """Return a member by its name in camel case or in snake case; proto JSON takes both.

    Source: https://protobuf.dev/programming-guides/json/
    """
    value = source.get(name)
    return source.get(snake(name)) if value is None else value


def objects(value: object) -> list[JSON]:
    """Return the objects of a list; one object alone counts as a list of itself."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def an_object(value: object) -> JSON:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def strings(value: object) -> list[str]:
    """Return the texts of a list; one text alone counts as a list of itself."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def string(value: object) -> str:
    """Return `value` if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def number(value: object) -> int | None:
    """Return `value` if it is a whole number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_FLOAT:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parsed(text: str) -> Any:
    """Return the JSON value of a text, or None if it has none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


class Notes:
    """Gathers the names of what a translation left out or changed, each once, in order."""

    def __init__(self) -> None:
        self._dropped: dict[str, None] = {}
        self._adjusted: dict[str, None] = {}

    def drop(self, name: str) -> None:
        """Note a parameter that found no place."""
        self._dropped.setdefault(name)

    def adjust(self, name: str) -> None:
        """Note a parameter that was said in other words, with a loss."""
        self._adjusted.setdefault(name)

    @property
    def dropped(self) -> tuple[str, ...]:
        return tuple(self._dropped)

    @property
    def adjusted(self) -> tuple[str, ...]:
        return tuple(self._adjusted)
