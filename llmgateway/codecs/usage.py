"""Reads the usage objects of OpenAI's family as disjoint parts.

Only the figures; where an event or a body keeps its usage object is each format's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmgateway.types.usage import Usage

MAX_TOKENS: Final = 1_000_000_000
"""No single call reads or writes more; a larger figure is not believed."""

_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
# OpenAI's transcriptions and assistants, and Writer, spell the singular (seen 2025-08).
_INPUT_DETAILS = (
    "prompt_tokens_details",
    "input_tokens_details",
    "prompt_token_details",
    "input_token_details",
)
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_CACHE_READ = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
_CACHE_WRITE = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
_AUDIO = ("audio_tokens",)
_REASONING = ("reasoning_tokens",)


def read_usage(usage: object) -> Usage | None:
    """Return the parts of a provider's usage object; None where it counts no tokens.

    None too where a main figure is negative, fractional or absurd: then nothing of it is believed.
    A part counts as inside its whole (OpenAI), unless the total (xAI adds reasoning, Mistral audio)
    or its size (Anthropic's cache figures) shows that it stands beside it.
    Source: https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage
    """
    if not isinstance(usage, dict):
        return None
    if len(usage) == 3 and (plain := _plain(usage)) is not None:
        return plain
    counts = _main_counts(usage)
    if counts is None:
        return None
    prompt, completion, total = counts
    read_details = _first(usage, _INPUT_DETAILS)
    written_details = _first(usage, _OUTPUT_DETAILS)
    cache_read = _part(_CACHE_READ, read_details, usage)
    cache_write = _part(_CACHE_WRITE, read_details, usage)
    audio = _part(_AUDIO, read_details)
    reasoning = _part(_REASONING, written_details, usage)
    surplus = total - prompt - completion
    reasoning_beside, audio_beside, cache_beside = _beside(
        surplus, (reasoning, audio, cache_read + cache_write)
    )

    prompt = _without(prompt, cache_read + cache_write, cache_beside)
    audio = audio if audio_beside else min(audio, prompt)
    prompt = _without(prompt, audio, audio_beside)
    completion = _without(completion, reasoning, reasoning_beside)
    speech = min(_part(_AUDIO, written_details), completion)
    return Usage(
        input=prompt,
        input_audio=audio,
        cache_read=cache_read,
        cache_write=cache_write,
        output=completion - speech,
        output_audio=speech,
        reasoning=reasoning,
    )


def _plain(usage: Mapping[str, Any]) -> Usage | None:
    """Read what most providers send, and nothing beside it: two figures and their sum."""
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if (
        type(prompt) is int
        and type(completion) is int
        and 0 <= prompt <= MAX_TOKENS
        and 0 <= completion <= MAX_TOKENS
        and usage.get("total_tokens") == prompt + completion
    ):
        return Usage(input=prompt, output=completion)
    return None


def _main_counts(usage: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Return prompt, completion and total, each missing one worked out from the others."""
    stated = (_first(usage, _INPUT), _first(usage, _OUTPUT))
    prompt, completion = (_count(value) for value in stated)
    total = _count(usage.get("total_tokens"))
    if (prompt, completion) != stated or (prompt, completion, total) == (None, None, None):
        return None
    if prompt is None:
        prompt = max((total or 0) - (completion or 0), 0)
    if completion is None:
        completion = max((total or 0) - prompt, 0)
    return prompt, completion, prompt + completion if total is None else total


_SUBSETS: Final = tuple(
    (bool(bits & 1), bool(bits & 2), bool(bits & 4)) for bits in (1, 2, 4, 3, 5, 6, 7)
)


def _beside(surplus: int, parts: tuple[int, int, int]) -> tuple[bool, bool, bool]:
    """Tell which parts stand beside their whole: the first few that make up the surplus."""
    for subset in _SUBSETS if surplus > 0 else ():
        if surplus == sum(part for part, is_in in zip(parts, subset, strict=True) if is_in):
            return subset
    return False, False, False


def _without(whole: int, part: int, beside: bool) -> int:
    """Take `part` out of `whole`, unless it never was inside."""
    return whole if beside or part > whole else whole - part


def _part(names: tuple[str, ...], *places: object) -> int:
    """Return the first figure above zero that can be believed."""
    for place in places:
        if isinstance(place, dict):
            for name in names:
                value = place.get(name)
                if value and (count := _count(value)):
                    return count
    return 0


def _first(source: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        value = source.get(name)
        if value is not None:
            return value
    return None


def _count(value: object) -> int | None:
    """Return `value` if it can be a number of tokens."""
    if type(value) is int:
        return value if 0 <= value <= MAX_TOKENS else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_TOKENS else None
