"""Writes the hub's counters as OpenAI's usage object."""

from __future__ import annotations

from llmgateway.codecs.hub import usage_of
from llmgateway.codecs.usage import read_usage
from llmgateway.types import JSON
from llmgateway.types.usage import Usage


def chat_usage(usage: Usage) -> JSON:
    """Return usage as chat completions have it: cached and reasoned tokens inside their wholes.

    The cache's two figures stand beside it where they count anything, as Portkey has them.
    Source: https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage
    """
    shaped: JSON = {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.total_output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "audio_tokens": usage.input_audio,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.output_audio,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    written = usage.cache_write + usage.cache_write_1h
    if written or usage.cache_read:
        shaped["cache_creation_input_tokens"] = written
        shaped["cache_read_input_tokens"] = usage.cache_read
    return shaped


def embeddings_usage(usage: Usage) -> JSON:
    """Return usage as embeddings have it."""
    return {"prompt_tokens": usage.total_input, "total_tokens": usage.total}


def any_usage(parts: object) -> Usage | None:
    """Read the hub's counters, or the usage object of a provider that some codec left as it was."""
    return usage_of(parts) or read_usage(parts)
