"""What the caller must be told of an answer, by feature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from tests.crossings.answers import CALLS, NO, SOURCE, TEXT, THOUGHT, WORDS
from tests.crossings.doors import View

JSON = dict[str, Any]

_CALLS: Final = tuple((name, args) for _, name, args in CALLS)
_FINISH: Final[dict[str, dict[str, str]]] = {
    "messages": {
        "stop": "end_turn",
        "tools": "tool_use",
        "refused": "refusal",
        "cut": "max_tokens",
    },
    "responses": {
        "stop": "completed",
        "tools": "completed",
        "refused": "content_filter",
        "cut": "max_output_tokens",
    },
    "generate_content": {
        "stop": "STOP",
        "tools": "STOP",
        "refused": "SAFETY",
        "cut": "MAX_TOKENS",
    },
    "chat": {
        "stop": "stop",
        "tools": "tool_calls",
        "refused": "content_filter",
        "cut": "length",
    },
}
_VIEWS: Final[dict[str, View]] = {
    "plain": View(TEXT, finish="stop"),
    "tools": View(TEXT, calls=_CALLS, finish="tools"),
    "forced": View(calls=_CALLS[1:], finish="tools"),
    "thinking": View(TEXT, THOUGHT, finish="stop"),
    "search": View(TEXT, cited=((SOURCE, "mild"),), finish="stop"),
    "structured": View(WORDS, finish="stop"),
    "refusal": View(finish="refused", refused=NO),
    "cut": View(TEXT, finish="cut"),
}


def told(feature: str, door: str, provider: str) -> View:
    """Return what a caller must be told."""
    view = _VIEWS.get(feature, _VIEWS["plain"])
    if feature == "search" and provider == "anthropic":
        # Anthropic cites a block of text, not a passage of it.
        view = replace(view, cited=((SOURCE, TEXT),))
    if feature == "refusal" and door == "messages":
        view = replace(view, text=NO)
    finish = view.finish
    if (feature, provider) == ("refusal", "openai") and door != "messages":
        finish = "stop"  # OpenAI's models refuse with words of their own and `stop`
    return replace(view, finish=_FINISH[door][finish])


USAGE: Final[dict[str, dict[str, JSON]]] = {
    "messages": {
        "google": {
            "input_tokens": 10,
            "cache_read_input_tokens": 6,
            "cache_creation_input_tokens": 0,
            "output_tokens": 8,
            "output_tokens_details": {"thinking_tokens": 3},
        },
    },
    "responses": {
        "anthropic": {
            "input_tokens": 20,
            "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 4},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 25,
        },
        "google": {
            "input_tokens": 16,
            "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 0},
            "output_tokens": 8,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 24,
        },
    },
    "generate_content": {
        "anthropic": {
            "promptTokenCount": 20,
            "cachedContentTokenCount": 6,
            "candidatesTokenCount": 5,
            "totalTokenCount": 25,
        },
        "openai": {
            "promptTokenCount": 16,
            "cachedContentTokenCount": 6,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 3,
            "totalTokenCount": 24,
        },
    },
    "chat": {
        "anthropic": {
            "prompt_tokens": 20,
            "completion_tokens": 5,
            "total_tokens": 25,
            "prompt_tokens_details": {"cached_tokens": 6},
            "cache_creation_input_tokens": 4,
            "cache_read_input_tokens": 6,
        },
        "google": {
            "prompt_tokens": 16,
            "completion_tokens": 8,
            "total_tokens": 24,
            "prompt_tokens_details": {"cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    },
}
"""The usage object of the feature `usage`, by door and provider; OpenAI counts as Google does."""
USAGE["messages"]["openai"] = USAGE["messages"]["google"]
