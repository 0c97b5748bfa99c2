"""Models to translate for: what each kind can do."""

from __future__ import annotations

from llmgateway.types.capabilities import Capabilities, Reasoning, Schema

THIRD = Capabilities(
    reasoning=frozenset({Reasoning.LEVEL}),
    efforts=("low", "medium", "high"),
    can_disable_reasoning=False,
)
SECOND = Capabilities(
    reasoning=frozenset({Reasoning.BUDGET}),
    budget_range=(128, 24_576),
)
OLD = Capabilities(schema=Schema.SUBSET, tool_schema=Schema.SUBSET)

MODELS = {"third": THIRD, "second": SECOND, "old": OLD}
