"""How much a model shall think: the hub's words → the API's, and what goes with them.

Sources: https://platform.claude.com/docs/en/build-with-claude/thinking, /adaptive-thinking,
/extended-thinking (budgets) and /effort (seen 2026-11).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from llmgateway.codecs.messages.losses import Losses
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.capabilities import Capabilities, Reasoning

BUDGETS: Final = {
    "minimal": 1_024,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}
"""Tokens of thinking that stand for a word of effort, where a model takes a number."""

EFFORTS: Final = ("minimal", "low", "medium", "high", "xhigh", "max")
"""The hub's words, rising; `none` stands apart."""

MIN_BUDGET: Final = 1_024


@dataclass(frozen=True, slots=True)
class Thinking:
    """What goes into `thinking` and `output_config.effort`."""

    config: JSON | None = None
    effort: str | None = None

    @property
    def is_on(self) -> bool:
        """Whether the request itself turns it on."""
        return self.config is not None and self.config.get("type") in ("enabled", "adaptive")

    @property
    def has_budget(self) -> bool:
        """Whether it is of the older kind, with its stricter rules."""
        return self.config is not None and self.config.get("type") == "enabled"


def plan(body: JSON, capabilities: Capabilities, losses: Losses) -> Thinking:
    """Read what the caller wants, in the form that the model takes."""
    thinking, effort = body.get("thinking"), body.get("reasoning_effort")
    if effort is not None and not isinstance(effort, str):
        raise InvalidRequest("`reasoning_effort` must be a word.", param="reasoning_effort")
    if isinstance(thinking, dict):
        return _by_config(thinking, effort, capabilities, losses)
    if thinking is not None:
        raise InvalidRequest("`thinking` must be an object.", param="thinking")
    return Thinking() if effort is None else _by_effort(effort, capabilities, losses)


def _by_effort(effort: str, can: Capabilities, losses: Losses) -> Thinking:
    name = "reasoning_effort"
    if effort not in EFFORTS and effort != "none":
        raise InvalidRequest(
            f"`reasoning_effort` must be none or one of: {', '.join(EFFORTS)}.", param=name
        )
    if effort == "none":
        return off(can, losses, name)
    if Reasoning.EFFORT in can.reasoning:
        return Thinking({"type": "adaptive"}, _nearest(effort, can, losses, name))
    if Reasoning.BUDGET in can.reasoning:
        return Thinking({"type": "enabled", "budget_tokens": _budget(BUDGETS[effort], can)})
    losses.drop(name)
    return Thinking()


def _by_config(config: JSON, effort: str | None, can: Capabilities, losses: Losses) -> Thinking:
    match config.get("type"):
        case "disabled":
            return off(can, losses, "thinking")
        case "enabled":
            return _with_budget(config, can, losses)
        case "adaptive":
            return _adaptive(config, effort, can, losses)
    return Thinking(config)  # a kind of the API's own that the hub does not know


def _with_budget(config: JSON, can: Capabilities, losses: Losses) -> Thinking:
    budget = config.get("budget_tokens")
    if Reasoning.BUDGET in can.reasoning:
        if isinstance(budget, int) and not isinstance(budget, bool):
            return Thinking(config)
        return Thinking({**config, "budget_tokens": _budget(BUDGETS["medium"], can)})
    if Reasoning.EFFORT not in can.reasoning:
        losses.drop("thinking")
        return Thinking()
    losses.adjust("thinking")
    kept = {key: value for key, value in config.items() if key != "budget_tokens"}
    effort = _effort_for(budget)
    word = None if effort is None else _nearest(effort, can, losses, "thinking")
    return Thinking({**kept, "type": "adaptive"}, word)


def _adaptive(config: JSON, effort: str | None, can: Capabilities, losses: Losses) -> Thinking:
    if Reasoning.EFFORT in can.reasoning:
        word = effort if effort in EFFORTS else None
        return Thinking(config, _nearest(word, can, losses, "reasoning_effort") if word else None)
    if Reasoning.BUDGET in can.reasoning:
        losses.adjust("thinking")
        tokens = BUDGETS.get(effort or "medium", BUDGETS["medium"])
        return Thinking({**config, "type": "enabled", "budget_tokens": _budget(tokens, can)})
    losses.drop("thinking")
    return Thinking()


def off(can: Capabilities, losses: Losses, name: str) -> Thinking:
    """Turn thinking off, or as far down as the model lets itself be turned."""
    if can.reasoning == frozenset({Reasoning.NONE}):
        return Thinking()
    if can.can_disable_reasoning:
        return Thinking({"type": "disabled"})
    losses.adjust(name)
    return Thinking(None, can.efforts[0] if can.efforts else None)


def fit(
    thinking: Thinking, max_tokens: int, can: Capabilities, losses: Losses, name: str
) -> Thinking:
    """Keep a budget below the limit of the whole answer, which it is part of."""
    if not thinking.has_budget or thinking.config is None:
        return thinking
    budget = thinking.config.get("budget_tokens")
    if not isinstance(budget, int) or budget < max_tokens:
        return thinking
    losses.adjust(name)
    if max_tokens <= MIN_BUDGET:
        return off(can, losses, name)
    return replace(thinking, config={**thinking.config, "budget_tokens": max_tokens - 1})


def is_by_default(can: Capabilities) -> bool:
    """Whether a model may think without being asked to: those that know no budget do, mostly."""
    return Reasoning.EFFORT in can.reasoning and Reasoning.BUDGET not in can.reasoning


def calm(effort: Any, config: JSON | None, losses: Losses) -> Any:
    """Return the effort that goes with thinking turned off: the API refuses more than `high`."""
    if config == {"type": "disabled"} and effort in ("xhigh", "max"):
        losses.adjust("reasoning_effort")
        return "high"
    return effort


def asked_by(body: JSON) -> str:
    """Return the name of the parameter that asks for thinking."""
    return "thinking" if body.get("thinking") is not None else "reasoning_effort"


def _budget(tokens: int, can: Capabilities) -> int:
    low, high = can.budget_range
    return max(low, min(tokens, high))


def _nearest(effort: str, can: Capabilities, losses: Losses, name: str) -> str:
    """Return the model's own word that is nearest: of two as near, the lesser."""
    if effort in can.efforts or not can.efforts:
        return effort
    losses.adjust(name)
    wanted = EFFORTS.index(effort)
    return min(can.efforts, key=lambda word: abs(EFFORTS.index(word) - wanted))


def _effort_for(budget: Any) -> str | None:
    if isinstance(budget, bool) or not isinstance(budget, int):
        return None
    return next((word for word in EFFORTS[1:] if budget <= BUDGETS[word]), "max")
