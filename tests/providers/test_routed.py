"""Rows whose paths depend on options, models and bodies."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.errors import InvalidRequest
from llmgateway.providers import Place, builtin


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/chat/completions"),
        ({"mistral_fim_completion": "false"}, "/chat/completions"),
        ({"mistral_fim_completion": "true"}, "/fim/completions"),
    ],
)
def test_mistral_fills_in_the_middle_if_told_so(options: dict[str, str], path: str) -> None:
    chat = builtin()["mistral-ai"].endpoints["chat"]

    assert path == chat.path_for(Place(options, "codestral-latest", False, ""))


def test_a_dedicated_endpoint_of_huggingface() -> None:
    row = builtin()["huggingface"]
    options = {"huggingface_base_url": "https://x.endpoints.huggingface.cloud/"}

    assert "https://x.endpoints.huggingface.cloud" == row.base_url_for(options)


def test_the_model_of_huggingface_stays_in_the_body() -> None:
    chat = builtin()["huggingface"].endpoints["chat"]

    assert "/v1/chat/completions" == chat.path_for(Place({}, "org/model", False, ""))


@pytest.mark.parametrize("body", [None, {}, {"user": 7}])
def test_predibase_needs_a_tenant(body: dict[str, Any] | None) -> None:
    chat = builtin()["predibase"].endpoints["chat"]

    with pytest.raises(InvalidRequest, match="user") as refusal:
        chat.path_for(Place({}, "base", False, "", body))

    assert "user" == refusal.value.param


def test_predibase_needs_a_model() -> None:
    chat = builtin()["predibase"].endpoints["chat"]

    with pytest.raises(InvalidRequest, match="model"):
        chat.path_for(Place({}, None, False, "", {"user": "tenant"}))


@pytest.mark.parametrize("model", ["base", "base:adapter"])
def test_predibase_has_the_base_model_in_the_path(model: str) -> None:
    chat = builtin()["predibase"].endpoints["chat"]

    path = chat.path_for(Place({}, model, False, "", {"user": "tenant"}))

    assert "/tenant/deployments/v2/llms/base/v1/chat/completions" == path
