"""What is known of Claude's models, under every name that clouds give them."""

from __future__ import annotations

import pytest

from llmgateway.providers.anthropic import ANTHROPIC, CLAUDE, CLAUDE_UNKNOWN
from llmgateway.types.capabilities import Capabilities, Reasoning, Schema


def facts(model: str) -> Capabilities:
    return ANTHROPIC.capabilities_for(model)


@pytest.mark.parametrize(
    "name",
    [
        "claude-opus-4-5",
        "claude-opus-4-5-20251101",
        "claude-opus-4-5@20251101",
        "claude-opus-4-5-latest",
        "anthropic.claude-opus-4-5-20251101-v1:0",
        "us.anthropic.claude-opus-4-5-20251101-v1:0",
        "anthropic/claude-opus-4-5",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-5-20251101-v1:0",
    ],
)
def test_a_model_is_known_under_every_name(name: str) -> None:
    assert facts("claude-sonnet-4-5") == facts(name)


@pytest.mark.parametrize(
    ("model", "max_output"),
    [
        ("claude-fable-5-2", 128_000),
        ("claude-opus-5-5", 128_000),
        ("claude-sonnet-5", 128_000),
        ("claude-opus-4-6", 128_000),
        ("claude-haiku-4-5-20251001", 64_000),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-opus-4-0", 32_000),
        ("claude-sonnet-4-0", 64_000),
        ("claude-3-7-sonnet-latest", 64_000),
        ("claude-3-5-haiku-20241022", 8_192),
        ("claude-3-opus-20240229", 4_096),
        ("claude-quartz-9", 4_096),
    ],
)
def test_how_much_a_model_writes(model: str, max_output: int) -> None:
    assert max_output == facts(model).max_output


def test_newer_models_refuse_sampling_and_older_ones_both_at_once() -> None:
    assert frozenset() == facts("claude-opus-4-7").sampling
    assert facts("claude-opus-4-6").sampling_exclusive
    assert not facts("claude-sonnet-4-0").sampling_exclusive
    for model in CLAUDE:
        assert not {"frequency_penalty", "presence_penalty"} & model.capabilities.sampling


@pytest.mark.parametrize(
    ("model", "forms"),
    [
        ("claude-opus-5-5", {Reasoning.EFFORT}),
        ("claude-opus-4-6", {Reasoning.EFFORT, Reasoning.BUDGET}),
        ("claude-sonnet-4-5", {Reasoning.BUDGET}),
        ("claude-3-5-haiku-latest", {Reasoning.NONE}),
    ],
)
def test_how_a_model_is_told_to_think(model: str, forms: set[Reasoning]) -> None:
    assert forms == facts(model).reasoning


def test_who_takes_a_schema_in_a_field_of_its_own() -> None:
    assert Schema.NATIVE is facts("claude-haiku-4-5").schema
    assert Schema.TOOL is facts("claude-opus-4-1").schema


def test_a_later_model_is_not_taken_for_its_forerunner() -> None:
    """`claude-opus-4-9` must not be held to what `claude-opus-4` could."""
    for name in ("claude-opus-4-9", "claude-sonnet-5-6", "claude-opus-6", ""):
        assert CLAUDE_UNKNOWN is facts(name)
