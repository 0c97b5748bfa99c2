"""What is known of OpenAI's models."""

from __future__ import annotations

import pytest

from llmgateway.providers import builtin
from llmgateway.types.capabilities import Reasoning


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("o3", ("low", "medium", "high")),
        ("o4-mini-2025-04-16", ("low", "medium", "high")),
        ("gpt-5-mini", ("minimal", "low", "medium", "high")),
        ("gpt-5-pro", ("high",)),
        ("gpt-5.1", ("none", "low", "medium", "high")),
        ("gpt-5.3-codex", ("low", "medium", "high")),
        ("gpt-5.2", ("none", "low", "medium", "high", "xhigh")),
        ("gpt-6", ("none", "low", "medium", "high", "xhigh")),
    ],
)
def test_a_model_that_thinks_takes_words_of_its_own(model: str, efforts: tuple[str, ...]) -> None:
    facts = builtin()["openai"].capabilities_for(model)

    assert frozenset({Reasoning.EFFORT}) == facts.reasoning
    assert efforts == facts.efforts


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo", "gpt-5-chat-latest"])
def test_other_models_do_not_think(model: str) -> None:
    facts = builtin()["openai"].capabilities_for(model)

    assert frozenset({Reasoning.NONE}) == facts.reasoning
    assert "temperature" in facts.sampling
