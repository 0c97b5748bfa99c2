"""Reads the format's usage objects, and writes them.

Source: https://platform.claude.com/docs/en/api/messages (usage), build-with-claude/prompt-caching
(the three input figures are disjoint) and build-with-claude/compaction (`iterations`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgateway.codecs.usage import MAX_TOKENS
from llmgateway.types import JSON
from llmgateway.types.usage import Usage


def read_usage(usage: object) -> Usage | None:
    """Return the parts of a usage object; None where it counts nothing.

    `iterations` lists every pass of the model, also those (compaction) that the top level leaves
    out; where they add up to more, they are the bill.
    """
    if not isinstance(usage, dict):
        return None
    top = _read(usage)
    passes = usage.get("iterations")
    if not isinstance(passes, list):
        return top
    each = [part for item in passes if isinstance(item, dict) and (part := _read(item))]
    if top is None or sum(part.total for part in each) <= top.total:
        return top
    return Usage(
        input=sum(part.input for part in each),
        cache_read=sum(part.cache_read for part in each),
        cache_write=sum(part.cache_write for part in each),
        cache_write_1h=sum(part.cache_write_1h for part in each),
        output=sum(part.output for part in each),
        reasoning=sum(part.reasoning for part in each),
    )


def merge(so_far: JSON, usage: object) -> JSON:
    """Lay a later event's usage over an earlier one's: figures are cumulative, never deltas."""
    if not isinstance(usage, dict):
        return so_far
    return {**so_far, **{key: value for key, value in usage.items() if value is not None}}


def write_usage(usage: Usage | None) -> JSON:
    """Return the object that clients of the format expect, with every field that they read."""
    parts = usage or Usage()
    written: JSON = {
        "input_tokens": parts.input + parts.input_audio,
        "cache_creation_input_tokens": parts.cache_write + parts.cache_write_1h,
        "cache_read_input_tokens": parts.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": parts.cache_write,
            "ephemeral_1h_input_tokens": parts.cache_write_1h,
        },
        "output_tokens": parts.total_output,
        "server_tool_use": None,
        "service_tier": "standard",
    }
    if parts.reasoning:
        written["output_tokens_details"] = {"thinking_tokens": parts.reasoning}
    return written


def write_delta_usage(usage: Usage | None) -> JSON:
    """Return the same for the event that ends a stream, whose object has fewer fields."""
    whole = write_usage(usage)
    for name in ("cache_creation", "service_tier"):
        del whole[name]
    return whole


def _read(usage: Mapping[str, Any]) -> Usage | None:
    if _count(usage, "input_tokens") is None and _count(usage, "output_tokens") is None:
        return None
    written = _count(usage, "cache_creation_input_tokens") or 0
    by_ttl = usage.get("cache_creation")
    hour = (_count(by_ttl, "ephemeral_1h_input_tokens") or 0) if isinstance(by_ttl, dict) else 0
    if isinstance(by_ttl, dict) and not written:
        written = hour + (_count(by_ttl, "ephemeral_5m_input_tokens") or 0)
    hour = min(hour, written)
    output = _count(usage, "output_tokens") or 0
    details = usage.get("output_tokens_details")
    thinking = (_count(details, "thinking_tokens") or 0) if isinstance(details, dict) else 0
    thinking = min(thinking, output)
    return Usage(
        input=_count(usage, "input_tokens") or 0,
        cache_read=_count(usage, "cache_read_input_tokens") or 0,
        cache_write=written - hour,
        cache_write_1h=hour,
        output=output - thinking,
        reasoning=thinking,
    )


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TOKENS:
        return None
    return value
