"""Takes our reasoning items out of a Responses client's history: see `sealed`."""

from __future__ import annotations

from typing import Any

from llmgateway.codecs.base import Unmarked
from llmgateway.codecs.responses.sealed import is_packed
from llmgateway.types import JSON


def without_marks(body: JSON) -> Unmarked:
    """Return the request without our marks; implements `Door.without_marks`."""
    items = body.get("input")
    if not isinstance(items, list):
        return Unmarked(body)
    kept = [item for item in items if not _is_ours(item)]
    if len(kept) == len(items):
        return Unmarked(body)
    return Unmarked({**body, "input": kept}, ("input.reasoning",))


def _is_ours(item: Any) -> bool:
    is_reasoning = isinstance(item, dict) and item.get("type") == "reasoning"
    return is_reasoning and is_packed(item.get("encrypted_content"))
