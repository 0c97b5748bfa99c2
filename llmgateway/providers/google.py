"""Google's Gemini API.

Vertex AI speaks the same format at other paths and is a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from llmgateway.codecs.generate_content import (
    COUNT_TOKENS,
    COUNT_TOKENS_CODEC,
    EMBED_CODEC,
    EMBED_CONTENT,
    GENERATE_CONTENT,
    GENERATE_CONTENT_CODEC,
)
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.errors import InvalidRequest
from llmgateway.providers.base import Endpoint, ModelFacts, Place, Provider, quote_segment
from llmgateway.signing import HeaderKey
from llmgateway.types.capabilities import SAMPLING, Capabilities, Reasoning, Schema

_THINKING_DOCS = "https://ai.google.dev/gemini-api/docs/thinking"
_MODELS_DOCS = "https://ai.google.dev/gemini-api/docs/models"
_GUIDES = "https://ai.google.dev/gemini-api/docs/generate-content"


def _generate_path(place: Place) -> str:
    """Return the path of a chat; streams ask for server-sent events, else an array would come."""
    if place.stream:
        return f"{_model_path(place)}:streamGenerateContent?alt=sse"
    return f"{_model_path(place)}:generateContent"


def _at(default: str) -> Callable[[Place], str]:
    return lambda place: f"{_model_path(place)}:{place.operation or default}"


def _model_path(place: Place) -> str:
    """Return where a model stands; its name may begin with `models/`, as the API lists it."""
    if not place.model:
        raise InvalidRequest("The request must name a model.", param="model")
    name = place.model.removeprefix("models/")
    kind, dash, rest = name.partition("/")
    if dash and kind == "tunedModels":
        return f"/v1beta/tunedModels/{quote_segment(rest, 'model')}"
    return f"/v1beta/models/{quote_segment(name, 'model')}"


def _by_level(
    *efforts: str, sampling: frozenset[str] = frozenset(), can_disable: bool = False
) -> Capabilities:
    return Capabilities(
        max_output=65_536,
        sampling=sampling,
        reasoning=frozenset({Reasoning.LEVEL}),
        efforts=efforts,
        can_disable_reasoning=can_disable,
    )


def _by_budget(low: int, high: int, *, can_disable: bool) -> Capabilities:
    return Capabilities(
        max_output=65_536,
        sampling=SAMPLING,
        reasoning=frozenset({Reasoning.BUDGET}),
        budget_range=(low, high),
        can_disable_reasoning=can_disable,
    )


def _facts(pattern: str, can: Capabilities, docs: str) -> ModelFacts:
    """Return facts on models, which callers may name as the API lists them: `models/gemini-…`."""
    return ModelFacts(rf"(?:models/)?(?:{pattern})", can, seen="2026-11", docs=docs)


MODELS = (
    # Sampling parameters are ignored from 3.5 Flash-Lite and 3.6 Flash on, so they are dropped
    # and named instead; see the guides linked.
    _facts(
        r"gemini-4.*",
        _by_level("low", "medium", "high"),
        f"{_GUIDES}/latest-model",
    ),
    _facts(
        r"gemini-3\.[78]-flash.*",
        _by_level("low", "medium", "high"),
        "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/thinking",
    ),
    _facts(
        r"gemini-3\.(?:6-flash|5-flash-lite).*",
        _by_level("minimal", "low", "medium", "high"),
        f"{_GUIDES}/whats-new-gemini-3.6",
    ),
    _facts(
        r"gemini-3(?:\.\d+)?-pro.*image.*",
        _by_level("low", "high", sampling=SAMPLING),
        _THINKING_DOCS,
    ),
    _facts(
        r"gemini-3\.1-pro.*",
        _by_level("low", "medium", "high", sampling=SAMPLING),
        _THINKING_DOCS,
    ),
    _facts(
        r"gemini-3-pro.*",
        _by_level("low", "high", sampling=SAMPLING),
        _THINKING_DOCS,
    ),
    _facts(
        r"gemini-3(?:\.\d+)?-flash.*",
        _by_level("minimal", "low", "medium", "high", sampling=SAMPLING),
        _THINKING_DOCS,
    ),
    _facts(
        r"gemini-2\.5-pro.*",
        _by_budget(128, 32_768, can_disable=False),
        _THINKING_DOCS,
    ),
    _facts(
        r"gemini-2\.5-flash-image.*",
        Capabilities(max_output=32_768, sampling=SAMPLING),
        _MODELS_DOCS,
    ),
    _facts(
        r"gemini-2\.5-flash-lite.*",
        _by_budget(512, 24_576, can_disable=True),
        _THINKING_DOCS,
    ),
    _facts(
        r"gemini-2\.5-flash.*",
        _by_budget(1, 24_576, can_disable=True),
        _THINKING_DOCS,
    ),
    # JSON schema as it is came with 2.5.
    _facts(
        r"gemini-(?:1|2\.0).*|learnlm.*|gemma.*",
        Capabilities(
            max_output=8_192,
            sampling=SAMPLING,
            schema=Schema.SUBSET,
            tool_schema=Schema.SUBSET,
        ),
        "https://ai.google.dev/gemini-api/docs/structured-output",
    ),
)

GOOGLE = Provider(
    name="google",
    base_url="https://generativelanguage.googleapis.com",
    # The key never stands in the URL, where logs and proxies would see it.
    auth=HeaderKey("x-goog-api-key"),
    endpoints={
        "chat": Endpoint(_generate_path, GENERATE_CONTENT, codec=GENERATE_CONTENT_CODEC),
        "embeddings": Endpoint(_at("embedContent"), EMBED_CONTENT, codec=EMBED_CODEC),
        "count_tokens": Endpoint(_at("countTokens"), COUNT_TOKENS, codec=COUNT_TOKENS_CODEC),
        "generate_content": Endpoint(_generate_path, GENERATE_CONTENT),
        "embed_content": Endpoint(_at("embedContent"), EMBED_CONTENT),
        "generate_content_count_tokens": Endpoint(_at("countTokens"), COUNT_TOKENS),
        # https://ai.google.dev/gemini-api/docs/openai#list-models (seen 2026-11)
        "models": Endpoint("/v1beta/openai/models", OPAQUE),
    },
    stream_usage=False,
    models=MODELS,
    # A new name is most likely one of the newest family, which thinks by level.
    default_capabilities=_by_level("low", "medium", "high", sampling=SAMPLING),
    docs="https://ai.google.dev/api/generate-content",
)

ROWS = (GOOGLE,)
