"""What is known of OpenAI's models, for callers who come through doors of other formats."""

from __future__ import annotations

from dataclasses import replace

from llmgateway.providers.base import ModelFacts
from llmgateway.types.capabilities import SAMPLING, Capabilities, Reasoning

_SEEN = "2026-11"
_GUIDE = "https://platform.openai.com/docs/guides/reasoning"
_EFFORTS = "https://learn.microsoft.com/en-us/javascript/api/@azure/ai-projects/reasoningeffort"
_DATE = r"(?:-\d{4}-\d{2}-\d{2}|-latest)?"

_TAKEN = SAMPLING - {"top_k"}


def _by_effort(
    *efforts: str, sampling: frozenset[str] = frozenset(), can_disable: bool = False
) -> Capabilities:
    return Capabilities(
        max_output=128_000,
        sampling=sampling,
        reasoning=frozenset({Reasoning.EFFORT}),
        efforts=efforts,
        can_disable_reasoning=can_disable,
    )


GPT = (
    # Models before 5.1 cannot be kept from thinking, and refuse every temperature but 1.
    ModelFacts(
        rf"o[134](?:-mini|-pro)?{_DATE}",
        replace(_by_effort("low", "medium", "high"), max_output=100_000),
        _SEEN,
        _GUIDE,
    ),
    ModelFacts(rf"gpt-5-pro{_DATE}", _by_effort("high"), _SEEN, _EFFORTS),
    ModelFacts(rf"gpt-5-codex{_DATE}", _by_effort("low", "medium", "high"), _SEEN, _GUIDE),
    ModelFacts(
        rf"gpt-5(?:-mini|-nano)?{_DATE}",
        _by_effort("minimal", "low", "medium", "high"),
        _SEEN,
        _GUIDE,
    ),
    ModelFacts(
        rf"gpt-5\.1{_DATE}",
        _by_effort("none", "low", "medium", "high", sampling=_TAKEN, can_disable=True),
        _SEEN,
        _EFFORTS,
    ),
    ModelFacts(
        r"gpt-5\.\d+(?:-codex.*|-pro.*)",
        _by_effort("low", "medium", "high"),
        _SEEN,
        _GUIDE,
    ),
    ModelFacts(
        r"gpt-(?:3\.5|4).*|chatgpt-.*|gpt-5(?:\.\d+)?-chat.*",
        Capabilities(max_output=16_384, sampling=_TAKEN),
        _SEEN,
        "https://platform.openai.com/docs/models",
    ),
)
"""The facts on each family. The first pattern that fits counts."""

GPT_UNKNOWN = _by_effort(
    "none", "low", "medium", "high", "xhigh", sampling=_TAKEN, can_disable=True
)
"""Of a model that no pattern knows: most likely one of the newest family, 5.2 and later."""
