"""Writes values as compact JSON texts."""

from __future__ import annotations

import json
from typing import Any

import orjson


def written(value: Any) -> str:
    """Return a value as JSON text; the same value gives the same text."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # deeper than orjson writes, which is less deep than it reads
        return _written_deeply(value)


def _written_deeply(value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:
        return "{}"
