"""Anthropic, and what is known of its models, which other clouds serve too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from llmgateway.codecs.messages import (
    COUNT_TOKENS,
    COUNT_TOKENS_CODEC,
    MESSAGES,
    MESSAGES_CODEC,
)
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.providers.base import Endpoint, ModelFacts, Option, Provider
from llmgateway.signing import HeaderKey
from llmgateway.types.capabilities import Capabilities, Reasoning, Schema

_BUDGET = frozenset({Reasoning.BUDGET})
_EFFORT = frozenset({Reasoning.EFFORT})
_NO_SAMPLING: frozenset[str] = frozenset()
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_THREE = ("low", "medium", "high")
_FOUR = (*_THREE, "max")
_FIVE = (*_THREE, "xhigh", "max")

_SITE = "https://platform.claude.com/docs/en"


def _family(*names: str) -> str:
    """Return the pattern of models, as Anthropic, Bedrock and Vertex spell them.

    `claude-opus-4-5`, `claude-opus-4-5-20251101`, `us.anthropic.claude-opus-4-5-20251101-v1:0`,
    `claude-opus-4-5@20251101`.
    """
    return rf"(?:.*[./])?claude-(?:{'|'.join(names)})(?:[-@](?:\d{{8}}|latest|0))?(?:-v\d.*)?"


def _facts(names: Iterable[str], can: Capabilities, page: str) -> ModelFacts:
    return ModelFacts(_family(*names), can, seen="2026-11", docs=f"{_SITE}/{page}")


# Thinking is adaptive, its depth a word; sampling parameters are refused.
_ADAPTIVE = Capabilities(
    max_output=128_000, sampling=_NO_SAMPLING, reasoning=_EFFORT, efforts=_FIVE
)
# Thinking is a number of tokens, beside which no tool may be forced.
_EXTENDED = Capabilities(
    max_output=64_000,
    sampling=_SAMPLING,
    sampling_exclusive=True,
    reasoning=_BUDGET,
    budget_range=(1_024, 32_768),
    forced_tool_with_reasoning=False,
)
_PLAIN = Capabilities(
    max_output=8_192,
    sampling=_SAMPLING,
    reasoning=frozenset({Reasoning.NONE}),
    schema=Schema.TOOL,
)

CLAUDE = (
    _facts(
        ("opus-5-5", "fable-5-[12]", "mythos-5-[12]"),
        replace(_ADAPTIVE, can_disable_reasoning=False, forced_tool_with_reasoning=False),
        "models/opus-5-5/migration-guide",
    ),
    _facts(
        # `between_tools` is its lowest form of thinking; a caller may send it as it is.
        ("sonnet-5-5",),
        replace(_ADAPTIVE, can_disable_reasoning=False, forced_tool_with_reasoning=False),
        "models/sonnet-5-5/migration-guide",
    ),
    _facts(
        ("haiku-5-5",),
        replace(_ADAPTIVE, forced_tool_with_reasoning=False),
        "build-with-claude/thinking",
    ),
    _facts(
        ("fable-5", "mythos-5", "mythos-preview"),
        replace(_ADAPTIVE, can_disable_reasoning=False),
        "build-with-claude/adaptive-thinking",
    ),
    _facts(
        ("opus-5", "sonnet-5", "opus-4-8", "opus-4-7"),
        _ADAPTIVE,
        "models/sonnet-5/migration-guide",
    ),
    _facts(
        # Both forms of thinking; the older one is on its way out.
        ("opus-4-6", "sonnet-4-6"),
        Capabilities(
            max_output=128_000,
            sampling=_SAMPLING,
            sampling_exclusive=True,
            reasoning=_BUDGET | _EFFORT,
            efforts=_FOUR,
            budget_range=(1_024, 32_768),
        ),
        "build-with-claude/effort",
    ),
    _facts(("opus-4-5", "sonnet-4-5", "haiku-4-5"), _EXTENDED, "models/opus-4-5/overview"),
    _facts(
        ("opus-4-1",),
        replace(_EXTENDED, max_output=32_000, schema=Schema.TOOL),
        "about-claude/models/overview",
    ),
    _facts(
        ("opus-4",),
        replace(_EXTENDED, max_output=32_000, schema=Schema.TOOL, sampling_exclusive=False),
        "about-claude/models/overview",
    ),
    _facts(
        ("sonnet-4", "3-7-sonnet"),
        replace(_EXTENDED, schema=Schema.TOOL, sampling_exclusive=False),
        "about-claude/models/overview",
    ),
    _facts(("3-5-(?:sonnet|haiku)",), _PLAIN, "about-claude/model-deprecations"),
    _facts(
        ("3-(?:opus|sonnet|haiku)",),
        replace(_PLAIN, max_output=4_096),
        "about-claude/model-deprecations",
    ),
)
"""The facts on each family. The first pattern that fits counts."""

CLAUDE_UNKNOWN = Capabilities(sampling=_SAMPLING, reasoning=_BUDGET | _EFFORT, efforts=_FIVE)
"""Of a model that is newer than this list: what the caller says is passed in his own words."""

ANTHROPIC = Provider(
    name="anthropic",
    base_url="https://api.anthropic.com/v1",
    auth=HeaderKey("x-api-key"),
    # Newer versions refuse temperature, top_p and top_k.
    headers={"anthropic-version": "2023-06-01"},
    options=(
        Option(
            "anthropic_beta",
            bare_header="anthropic-beta",
            send_as="anthropic-beta",
            doc="Betas to switch on, with commas between.",
        ),
        Option(
            "anthropic_version",
            bare_header="anthropic-version",
            send_as="anthropic-version",
            doc="The API's version for calls in its own format; translated ones have `2023-06-01`.",
        ),
    ),
    endpoints={
        "chat": Endpoint("/messages", MESSAGES, codec=MESSAGES_CODEC),
        "messages": Endpoint("/messages", MESSAGES),
        "count_tokens": Endpoint("/messages/count_tokens", COUNT_TOKENS, codec=COUNT_TOKENS_CODEC),
        "models": Endpoint("/models", OPAQUE),
    },
    stream_usage=False,
    models=CLAUDE,
    default_capabilities=CLAUDE_UNKNOWN,
    docs="https://platform.claude.com/docs/en/api/messages",
)

ROWS = (ANTHROPIC,)
