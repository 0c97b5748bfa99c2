"""The query language a second time, interpreted as the contract words it, to compare with.

It knows only the values and patterns that `test_properties` draws.
"""

from __future__ import annotations

import math
import re
from typing import Any

from llmgateway.config import Facts

Typed = tuple[str, Any]
"""A value and the name of its type in JavaScript; equal if the values are strictly equal there."""

UNDEFINED: Typed = ("undefined", None)


def holds(query: dict[str, Any], facts: Facts) -> bool:
    """Tell whether a query holds."""
    for key, value in query.items():
        if key == "$or":
            return any(holds(part, facts) for part in value)
        if key == "$and":
            return all(holds(part, facts) for part in value)
        own = _field(key, facts)
        if isinstance(value, dict):
            if not _passes(value, own):
                return False
        elif own != _typed(value):
            return False
    return True


def _field(key: str, facts: Facts) -> Typed:
    sources: dict[str, Any] = {
        "metadata": facts.metadata,
        "params": facts.params,
        "url": {"pathname": facts.pathname},
    }
    parts = key.split(".")
    if len(parts) != 2 or parts[1] not in sources[parts[0]]:
        return UNDEFINED
    return _typed(sources[parts[0]][parts[1]])


def _typed(value: Any) -> Typed:
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        return "number", float(value)
    if isinstance(value, str):
        return "string", value
    return ("null", None) if value is None else ("object", object())


def _passes(condition: dict[str, Any], own: Typed) -> bool:
    for op, operand in condition.items():
        if op == "$regex":
            text = _text(own)
            return text is not None and re.search(operand, text) is not None
        if not _operator(op, own, operand):
            return False
    return True


def _operator(op: str, own: Typed, operand: Any) -> bool:
    match op:
        case "$eq":
            return own == _typed(operand)
        case "$ne":
            return own != _typed(operand)
        case "$in":
            return own in [_typed(choice) for choice in operand]
        case "$nin":
            return own not in [_typed(choice) for choice in operand]
    left, right = _number(own), _number(_typed(operand))
    return {
        "$gt": left > right,
        "$gte": left >= right,
        "$lt": left < right,
        "$lte": left <= right,
    }[op]


def _number(own: Typed) -> float:
    kind, value = own
    if kind == "number":
        return float(value)
    return {"1": 1.0, "5x": 5.0}.get(value, math.nan) if kind == "string" else math.nan


def _text(own: Typed) -> str | None:
    kind, value = own
    match kind:
        case "string":
            return str(value)
        case "number":
            return f"{value:g}"
        case "boolean":
            return str(value).lower()
    return None
