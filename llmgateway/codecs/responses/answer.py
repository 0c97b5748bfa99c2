"""Writes what surrounds the output of a Response: ids, status, usage, the request repeated."""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.base import Context
from llmgateway.codecs.responses.tools import repeated_tools
from llmgateway.types import JSON
from llmgateway.types.usage import Usage

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""By the hub's finish reason: why a Response is not complete."""
_DEFAULTS: Final[JSON] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
}
"""What of a request an answer repeats, with what stands for a parameter that was not given."""
_TIERS: Final = ("auto", "default", "flex", "scale", "priority")


def is_incomplete(finish: str | None) -> bool:
    """Whether an answer that ended so is cut short."""
    return finish in _INCOMPLETE


def new_response(chunk: JSON, ctx: Context) -> JSON:
    """Return the Response of an answer that has just begun.

    Source: https://platform.openai.com/docs/api-reference/responses/object
    """
    asked = ctx.door_request
    said = {
        name: default if asked.get(name) is None else asked[name]
        for name, default in _DEFAULTS.items()
    }
    reasoning: Any = asked.get("reasoning")
    within = reasoning if isinstance(reasoning, dict) else {}
    text: Any = asked.get("text")
    tier = chunk.get("service_tier") or asked.get("service_tier")
    return {
        "id": ctx.new_id("resp_"),
        "object": "response",
        "created_at": ctx.now,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": chunk.get("model") or ctx.model,
        "output": [],
        "previous_response_id": None,
        "reasoning": {"effort": within.get("effort"), "summary": within.get("summary")},
        "service_tier": tier if tier in _TIERS else "default",
        "store": False,
        "text": {"format": {"type": "text"}, **(text if isinstance(text, dict) else {})},
        "tools": repeated_tools(asked),
        "truncation": "disabled",
        **said,
    }


def ended_response(
    response: JSON, output: list[JSON], finish: str | None, usage: Usage | None
) -> JSON:
    """Return the Response as it is at its end."""
    reason = _INCOMPLETE.get(finish or "")
    ended = {
        **response,
        "status": "incomplete" if reason else "completed",
        "completed_at": None if reason else response["created_at"],
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
    }
    return ended if usage is None else {**ended, "usage": _usage(usage)}


def _usage(usage: Usage) -> JSON:
    return {
        "input_tokens": usage.total_input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        },
        "output_tokens": usage.total_output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
