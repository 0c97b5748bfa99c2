"""What each provider needs changed in a request; typed from references, not from the rows."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.base import Framing
from llmgateway.providers import builtin

REQUEST: dict[str, Any] = {
    "model": "base:adapter",
    "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    "max_completion_tokens": 5,
    "seed": 7,
    "stop": ["x"],
    "n": 2,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "logit_bias": {"1": 2},
    "logprobs": True,
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
    "stream_options": {"include_usage": True},
    "reasoning_effort": "low",
    "user": "tenant",
    "a_field_of_the_future": {"deep": [1]},
}
AS_SYSTEM = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]

UNCHANGED = ["azure-openai", "openai"]

ROLE_ONLY = [
    "aibadgr", "azure-ai", "cerebras", "cometapi", "dashscope", "github", "groq", "inference-net",
    "iointelligence", "kluster-ai", "krutrim", "lambda", "lemonfox-ai", "matterai", "modal",
    "nebius", "nextbit", "openrouter", "ovhcloud", "sambanova", "upstage", "x-ai",
]  # fmt: skip
"""They know OpenAI's parameters by OpenAI's names."""

ROLE_AND_MAX_TOKENS = [
    "302ai", "anyscale", "deepbricks", "deepinfra", "deepseek", "featherless-ai", "fireworks-ai",
    "huggingface", "hyperbolic", "lepton", "lingyi", "monsterapi", "moonshot", "ncompass",
    "novita-ai", "nscale", "ollama", "perplexity-ai", "siliconflow", "together-ai", "z-ai",
    "zhipu",
]  # fmt: skip

OF_THEIR_OWN = ["mistral-ai", "predibase"]


def tweaked(name: str, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body as the engine would send it to a provider."""
    for tweak in builtin()[name].tweaks.get(endpoint, ()):
        body = tweak.apply(body) or body
    return body


def changes(name: str, endpoint: str = "chat") -> list[tuple[str, bool]]:
    """Return what a provider's response header says of the whole request: name, and if lost."""
    tweaks = builtin()[name].tweaks.get(endpoint, ())
    return [(tweak.param, tweak.drops) for tweak in tweaks if tweak.apply(REQUEST) is not None]


def without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


def test_the_lists_name_every_provider_of_chat_once() -> None:
    named = [*UNCHANGED, *ROLE_ONLY, *ROLE_AND_MAX_TOKENS, *OF_THEIR_OWN]

    assert sorted(named) == sorted(
        name
        for name, row in builtin().items()
        if "chat" in row.endpoints and row.endpoints["chat"].codec is None
    )


@pytest.mark.parametrize("name", UNCHANGED)
def test_openai_gets_the_request_as_it_is(name: str) -> None:
    assert [] == changes(name)


@pytest.mark.parametrize("name", ROLE_ONLY)
def test_the_developer_is_a_system_elsewhere(name: str) -> None:
    assert {**REQUEST, "messages": AS_SYSTEM} == tweaked(name, "chat", REQUEST)
    assert [("messages", False)] == changes(name)


@pytest.mark.parametrize("name", ROLE_AND_MAX_TOKENS)
def test_some_know_max_tokens_only(name: str) -> None:
    expected = {
        **without(REQUEST, "max_completion_tokens"),
        "messages": AS_SYSTEM,
        "max_tokens": 5,
    }

    assert expected == tweaked(name, "chat", REQUEST)
    assert [("messages", False), ("max_completion_tokens", False)] == changes(name)


def test_mistral_has_names_of_its_own() -> None:
    request = {**REQUEST, "safe_mode": True}
    expected = {
        **without(REQUEST, "max_completion_tokens", "seed", "stream_options"),
        "messages": AS_SYSTEM,
        "max_tokens": 5,
        "random_seed": 7,
        "safe_prompt": True,
        "tool_choice": "any",
    }

    assert expected == tweaked("mistral-ai", "chat", request)


def test_mistral_says_that_stream_options_are_lost() -> None:
    assert [("stream_options", True)] == [c for c in changes("mistral-ai") if c[1]]


@pytest.mark.parametrize(("model", "sent"), [("base:adapter", "adapter"), ("base", "")])
def test_predibase_keeps_the_adapter_in_the_body(model: str, sent: str) -> None:
    assert sent == tweaked("predibase", "chat", {**REQUEST, "model": model})["model"]


def test_predibase_gets_max_tokens() -> None:
    assert 5 == tweaked("predibase", "chat", REQUEST)["max_tokens"]


@pytest.mark.parametrize(
    ("name", "request_body", "sent"),
    [
        ("mistral-ai", {"input": "x", "dimensions": 64}, {"input": "x", "output_dimension": 64}),
        (
            "voyage",
            {"dimensions": 64, "encoding_format": "float", "input_type": "query"},
            {"output_dimension": 64, "encoding_format": None, "input_type": "query"},
        ),
        ("voyage", {"encoding_format": "base64"}, {"encoding_format": "base64"}),
        ("openai", {"dimensions": 64}, {"dimensions": 64}),
        ("jina", {"dimensions": 64}, {"dimensions": 64}),
    ],
)
def test_embeddings(name: str, request_body: dict[str, Any], sent: dict[str, Any]) -> None:
    assert sent == tweaked(name, "embeddings", request_body)


@pytest.mark.parametrize("name", ["azure-openai", "azure-ai"])
def test_azure_batches_name_their_endpoint_without_v1(name: str) -> None:
    body = {"endpoint": "/v1/chat/completions", "input_file_id": "file-1"}

    assert {**body, "endpoint": "/chat/completions"} == tweaked(name, "batches", body)


def test_only_these_endpoints_change_a_request() -> None:
    """Responses, audio, images and the rest go as they came, whoever serves them."""
    changed = {endpoint for row in builtin().values() for endpoint in row.tweaks}

    assert {"chat", "embeddings", "batches"} == changed


NOT_ASKED_FOR_USAGE = [
    "302ai", "anyscale", "deepbricks", "deepinfra", "lingyi", "mistral-ai", "monsterapi",
    "ncompass", "nscale", "openrouter", "perplexity-ai", "predibase", "siliconflow", "together-ai",
]  # fmt: skip
"""They send usage unasked, or nothing says that they know `stream_options`."""


def test_who_is_asked_for_usage() -> None:
    chatting = {
        name: row
        for name, row in builtin().items()
        if "chat" in row.endpoints and row.endpoints["chat"].codec is None
    }

    assert NOT_ASKED_FOR_USAGE == sorted(n for n, row in chatting.items() if not row.stream_usage)


def test_whose_events_are_single_lines() -> None:
    lines = {
        (name, endpoint)
        for name, row in builtin().items()
        for endpoint, served in row.endpoints.items()
        if served.framing is Framing.SSE_LINES
    }

    assert {
        ("deepinfra", "chat"),
        ("deepinfra", "completions"),
        ("sambanova", "chat"),
        ("sambanova", "completions"),
    } == lines
