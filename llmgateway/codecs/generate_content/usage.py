"""Reads and writes `usageMetadata`.

`promptTokenCount` includes what came from the cache, `candidatesTokenCount` excludes thoughts, and
what built-in tools read stands beside the prompt; the total tells where a provider differs.
Source: https://ai.google.dev/api/generate-content#UsageMetadata
"""

from __future__ import annotations

from llmgateway.codecs.generate_content.shape import number, objects, pick
from llmgateway.codecs.usage import MAX_TOKENS
from llmgateway.types import JSON
from llmgateway.types.usage import Usage

_COUNTS = (
    "promptTokenCount",
    "candidatesTokenCount",
    "totalTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
)


def counts_tokens(metadata: object) -> bool:
    """Whether a `usageMetadata` has any of its main figures."""
    return isinstance(metadata, dict) and any(
        pick(metadata, name) is not None for name in _COUNTS[:3]
    )


def read_usage(metadata: object) -> Usage | None:
    """Return the disjoint parts of a `usageMetadata`; None where it counts no tokens."""
    if not isinstance(metadata, dict):
        return None
    stated = [_count(pick(metadata, name)) for name in _COUNTS]
    if stated[:3] == [None, None, None]:
        return None
    thoughts, by_tools, cached = (count or 0 for count in stated[3:])
    prompt, written, total = _main_counts(stated, thoughts + by_tools)
    thoughts_inside, tools_inside = _inside(total - prompt - written, thoughts, by_tools)

    cache_read = min(cached, prompt)
    audio = _audio(metadata, "promptTokensDetails") - _audio(metadata, "cacheTokensDetails")
    input_audio = min(max(audio, 0), prompt - cache_read)
    reasoning = min(thoughts, written) if thoughts_inside else thoughts
    visible = written - reasoning if thoughts_inside else written
    speech = min(_audio(metadata, "candidatesTokensDetails"), visible)
    return Usage(
        input=prompt - cache_read - input_audio + (0 if tools_inside else by_tools),
        input_audio=input_audio,
        cache_read=cache_read,
        output=visible - speech,
        output_audio=speech,
        reasoning=reasoning,
    )


def _main_counts(stated: list[int | None], beside: int) -> tuple[int, int, int]:
    """Return prompt, candidates and total, each missing one worked out from the others."""
    prompt, written, total = stated[:3]
    if written is None:
        written = max((total or 0) - (prompt or 0) - beside, 0)
    if prompt is None:
        prompt = max((total or 0) - written - beside, 0)
    return prompt, written, prompt + written + beside if total is None else total


def _inside(surplus: int, thoughts: int, by_tools: int) -> tuple[bool, bool]:
    """Tell which counts the total shows to be inside their whole instead of beside it."""
    if surplus == thoughts + by_tools:
        return False, False
    if surplus == thoughts:
        return False, True
    return surplus in (0, by_tools), surplus == 0


def write_usage(usage: Usage) -> JSON:
    """Return usage as a `usageMetadata`."""
    metadata = {
        "promptTokenCount": usage.total_input,
        "candidatesTokenCount": usage.output + usage.output_audio,
        "totalTokenCount": usage.total,
    }
    if usage.reasoning:
        metadata["thoughtsTokenCount"] = usage.reasoning
    if usage.cache_read:
        metadata["cachedContentTokenCount"] = usage.cache_read
    return {
        **metadata,
        **_details("promptTokensDetails", usage.total_input, usage.input_audio),
        **_details(
            "candidatesTokensDetails", usage.output + usage.output_audio, usage.output_audio
        ),
    }


def _details(name: str, whole: int, audio: int) -> JSON:
    if not audio:
        return {}
    counts = {"TEXT": whole - audio, "AUDIO": audio}
    return {name: [{"modality": m, "tokenCount": count} for m, count in counts.items()]}


def _audio(metadata: JSON, name: str) -> int:
    counts = (
        _count(pick(entry, "tokenCount")) or 0
        for entry in objects(pick(metadata, name))
        if entry.get("modality") == "AUDIO"
    )
    return min(sum(counts), MAX_TOKENS)


def _count(value: object) -> int | None:
    count = number(value)
    return count if count is not None and 0 <= count <= MAX_TOKENS else None
