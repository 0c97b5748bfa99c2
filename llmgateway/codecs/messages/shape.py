"""Looks at values that may be anything."""

from __future__ import annotations

from typing import Any


def kind_of(value: Any) -> str:
    """Return the `type` of an object; empty where it has none."""
    return text_of(value.get("type")) if isinstance(value, dict) else ""


def text_of(value: Any) -> str:
    """Return a text, or an empty one for anything else."""
    return value if isinstance(value, str) else ""


def as_list(value: Any) -> list[Any]:
    """Return a list, or an empty one for anything else."""
    return value if isinstance(value, list) else []
