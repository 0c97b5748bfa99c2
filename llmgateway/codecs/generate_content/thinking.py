"""How much a model shall think: the hub's words, and `thinkingConfig`.

Source: https://ai.google.dev/gemini-api/docs/thinking and, for the figures that stand for words,
https://ai.google.dev/gemini-api/docs/openai#thinking
"""

from __future__ import annotations

from typing import Final

from llmgateway.codecs.base import Context
from llmgateway.codecs.generate_content.shape import Notes, an_object, number, pick, string
from llmgateway.types import JSON
from llmgateway.types.capabilities import Capabilities, Reasoning

DYNAMIC: Final = -1
"""The budget that leaves it to the model."""

_SCALE: Final = ("minimal", "low", "medium", "high", "xhigh", "max")
_BUDGETS: Final = {
    "minimal": 1_024,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}
_LEVEL_FROM: Final = ((16_384, "high"), (4_096, "medium"), (1_024, "low"), (0, "minimal"))
"""The least budget that each level stands for."""


def encode_thinking(body: JSON, ctx: Context, notes: Notes) -> JSON:
    """Return the `thinkingConfig`; empty if nothing is asked for, or the model cannot."""
    thinking, effort = body.get("thinking"), body.get("reasoning_effort")
    kind = string(an_object(thinking).get("type"))
    name = "thinking" if kind else "reasoning_effort"
    if not kind and not isinstance(effort, str):
        return {}
    is_off = kind == "disabled" or (not kind and effort == "none")
    caps = ctx.capabilities
    if not caps.reasoning & {Reasoning.BUDGET, Reasoning.LEVEL}:
        if not is_off:
            notes.drop(name)
        return {}
    if is_off:
        return _least(name, caps, notes)
    budget = number(an_object(thinking).get("budget_tokens")) if kind else None
    if not kind:
        return {"includeThoughts": True, **_by_word(string(effort), caps, notes)}
    if budget is None:
        word = string(effort)
        return {"includeThoughts": True, **(_by_word(word, caps, notes) if word in _SCALE else {})}
    return {"includeThoughts": True, **_by_budget(budget, name, caps, notes)}


def _least(name: str, caps: Capabilities, notes: Notes) -> JSON:
    """Turn thinking off, or as low as the model takes it."""
    if caps.can_disable_reasoning:
        return {"thinkingBudget": 0}
    notes.adjust(name)
    if Reasoning.LEVEL in caps.reasoning:
        return {"thinkingLevel": caps.efforts[0].upper()}
    return {"thinkingBudget": caps.budget_range[0]}


def _by_word(word: str, caps: Capabilities, notes: Notes) -> JSON:
    if word not in _SCALE:
        notes.drop("reasoning_effort")
        return {}
    if Reasoning.LEVEL in caps.reasoning:
        return {"thinkingLevel": _nearest(word, "reasoning_effort", caps, notes)}
    return {"thinkingBudget": _clamped(_BUDGETS[word], "reasoning_effort", caps, notes)}


def _by_budget(budget: int, name: str, caps: Capabilities, notes: Notes) -> JSON:
    if Reasoning.BUDGET in caps.reasoning:
        return {"thinkingBudget": _clamped(budget, name, caps, notes)}
    if budget < 0:
        return {}
    notes.adjust(name)
    return {"thinkingLevel": _nearest(_level(budget), name, caps, notes)}


def _level(budget: int) -> str:
    return next(level for least, level in _LEVEL_FROM if budget >= least)


def _nearest(word: str, name: str, caps: Capabilities, notes: Notes) -> str:
    """Return the level nearest to a word, the lower one of two."""
    if word not in caps.efforts:
        notes.adjust(name)
        place = _SCALE.index(word)
        known = [level for level in caps.efforts if level in _SCALE] or ["high"]
        word = min(known, key=lambda level: abs(_SCALE.index(level) - place))
    return word.upper()


def _clamped(budget: int, name: str, caps: Capabilities, notes: Notes) -> int:
    if budget == DYNAMIC:
        return budget
    low, high = caps.budget_range
    clamped = min(max(budget, low), high)
    if clamped != budget:
        notes.adjust(name)
    return clamped


def decode_thinking(config: JSON) -> JSON:
    """Return a `thinkingConfig` as the hub has it: a budget, or a word, or neither."""
    budget, level = number(pick(config, "thinkingBudget")), pick(config, "thinkingLevel")
    if budget == 0:
        return {"thinking": {"type": "disabled"}}
    if budget is not None and budget > 0:
        return {"thinking": {"type": "enabled", "budget_tokens": budget}}
    if isinstance(level, str) and level.lower() in _SCALE:
        return {"reasoning_effort": level.lower()}
    if budget == DYNAMIC or pick(config, "includeThoughts") is True:
        return {"thinking": {"type": "adaptive"}}
    return {}
