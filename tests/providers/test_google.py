"""Google's row: paths that depend on the model, and what its models can do."""

from __future__ import annotations

import pytest

from llmgateway.errors import InvalidRequest
from llmgateway.providers import Place, builtin
from llmgateway.types.capabilities import SAMPLING, Reasoning, Schema

ROW = builtin()["google"]


def path(endpoint: str, model: str | None, *, stream: bool = False, operation: str = "") -> str:
    place = Place({}, model, stream, "", None, operation)
    return ROW.endpoints[endpoint].path_for(place)


@pytest.mark.parametrize("endpoint", ["chat", "generate_content"])
def test_a_stream_asks_for_events(endpoint: str) -> None:
    assert "/v1beta/models/m:streamGenerateContent?alt=sse" == path(endpoint, "m", stream=True)
    assert "/v1beta/models/m:generateContent" == path(endpoint, "m")


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("models/gemini-x", "models/gemini-x"),
        ("tunedModels/mine", "tunedModels/mine"),
        ("a/b", "models/a%2Fb"),
        ("../evil", "models/..%2Fevil"),
    ],
)
def test_where_a_model_stands(model: str, place: str) -> None:
    assert f"/v1beta/{place}:generateContent" == path("chat", model)


@pytest.mark.parametrize("model", [None, "", "models/", ".."])
def test_a_model_that_cannot_be_part_of_a_url_is_refused(model: str | None) -> None:
    with pytest.raises(InvalidRequest):
        path("chat", model)


def test_several_texts_go_to_the_batch() -> None:
    assert path("embeddings", "m", operation="batchEmbedContents").endswith(":batchEmbedContents")


@pytest.mark.parametrize(
    ("model", "reasoning", "efforts", "samples"),
    [
        ("gemini-4-argon", Reasoning.LEVEL, "low", False),
        ("gemini-3.8-flash", Reasoning.LEVEL, "low", False),
        ("gemini-3.6-flash", Reasoning.LEVEL, "minimal", False),
        ("gemini-3.5-flash-lite", Reasoning.LEVEL, "minimal", False),
        ("gemini-3.5-flash", Reasoning.LEVEL, "minimal", True),
        ("gemini-3.1-flash-lite", Reasoning.LEVEL, "minimal", True),
        ("gemini-3-flash-preview", Reasoning.LEVEL, "minimal", True),
        ("gemini-3.1-pro-preview", Reasoning.LEVEL, "low", True),
        ("gemini-3-pro-image-preview", Reasoning.LEVEL, "low", True),
        ("gemini-flash-latest", Reasoning.LEVEL, "low", True),
        ("gemini-2.5-pro", Reasoning.BUDGET, None, True),
        ("models/gemini-2.5-pro", Reasoning.BUDGET, None, True),
        ("gemini-2.5-flash-lite", Reasoning.BUDGET, None, True),
        ("gemini-2.0-flash", Reasoning.NONE, None, True),
        ("gemma-3-27b-it", Reasoning.NONE, None, True),
    ],
)
def test_what_a_model_can_do(
    model: str, reasoning: Reasoning, efforts: str | None, samples: bool
) -> None:
    can = ROW.capabilities_for(model)

    assert frozenset({reasoning}) == can.reasoning
    assert efforts in (None, can.efforts[0])
    assert (SAMPLING if samples else frozenset()) == can.sampling


def test_budgets() -> None:
    pro, flash = (ROW.capabilities_for(f"gemini-2.5-{name}") for name in ("pro", "flash"))

    assert ((128, 32_768), False) == (pro.budget_range, pro.can_disable_reasoning)
    assert (24_576, True) == (flash.budget_range[1], flash.can_disable_reasoning)


def test_older_models_take_the_subset_of_schemas() -> None:
    assert Schema.SUBSET is ROW.capabilities_for("gemini-1.5-pro").tool_schema
    assert Schema.SUBSET is ROW.capabilities_for("gemini-2.0-flash").schema
    assert Schema.NATIVE is ROW.capabilities_for("gemini-2.5-pro").schema


def test_each_fact_says_when_and_where_it_was_read() -> None:
    assert all(facts.docs.startswith("https://") and facts.seen for facts in ROW.models)


def test_the_key_stands_in_no_url() -> None:
    assert "key" not in path("chat", "m", stream=True)
    assert ((b"x-goog-api-key", b"K"),) == ROW.auth.headers("K", {})
