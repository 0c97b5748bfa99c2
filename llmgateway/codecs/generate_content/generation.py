"""Writes the hub's parameters as `generationConfig`.

Source: https://ai.google.dev/api/generate-content#generationconfig
"""

from __future__ import annotations

from typing import Final

from llmgateway.codecs.base import Context
from llmgateway.codecs.generate_content.schema import to_subset
from llmgateway.codecs.generate_content.shape import Notes, an_object, number, string, strings
from llmgateway.codecs.generate_content.thinking import encode_thinking
from llmgateway.types import JSON
from llmgateway.types.capabilities import SAMPLING, Schema

MAX_STOPS: Final = 5
"""Sequences that the API takes."""

_SAME: Final = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
}

HANDLED: Final = frozenset(
    {
        *_SAME, "max_tokens", "max_completion_tokens", "stop", "n", "logprobs", "top_logprobs",
        "response_format", "modalities", "image_config", "audio", "thinking", "reasoning_effort",
    }
)  # fmt: skip
"""The parameters that are looked at here."""


def encode_generation(body: JSON, ctx: Context, notes: Notes) -> JSON:
    """Return the `generationConfig`; empty if the caller asked for nothing."""
    config: JSON = {}
    for name, theirs in _SAME.items():
        value = body.get(name)
        if value is None:
            continue
        if name in SAMPLING and name not in ctx.capabilities.sampling:
            notes.drop(name)
        else:
            config[theirs] = value
    for name in ("max_completion_tokens", "max_tokens"):
        if body.get(name) is not None:
            config.setdefault("maxOutputTokens", body[name])
    config |= _stops(body, notes)
    config |= _counts(body)
    config |= _format(body, ctx, notes)
    config |= _modalities(body)
    thinking = encode_thinking(body, ctx, notes)
    return {**config, "thinkingConfig": thinking} if thinking else config


def _stops(body: JSON, notes: Notes) -> JSON:
    stops = [stop for stop in strings(body.get("stop")) if stop]
    if len(stops) > MAX_STOPS:
        notes.adjust("stop")
    return {"stopSequences": stops[:MAX_STOPS]} if stops else {}


def _counts(body: JSON) -> JSON:
    found: JSON = {}
    if number(body.get("n")) not in (None, 1):
        found["candidateCount"] = body["n"]
    if body.get("logprobs") is True:
        found["responseLogprobs"] = True
        if body.get("top_logprobs") is not None:
            found["logprobs"] = body["top_logprobs"]
    return found


def _format(body: JSON, ctx: Context, notes: Notes) -> JSON:
    wished = an_object(body.get("response_format"))
    if wished.get("type") not in ("json_object", "json_schema"):
        return {}
    found: JSON = {"responseMimeType": "application/json"}
    schema = an_object(wished.get("json_schema")).get("schema")
    if wished["type"] == "json_object" or not isinstance(schema, dict):
        return found
    if ctx.capabilities.schema is Schema.NATIVE:
        return {**found, "responseJsonSchema": schema}
    if ctx.capabilities.schema is Schema.SUBSET:
        return {**found, "responseSchema": to_subset(schema)}
    notes.adjust("response_format")
    return found


def _modalities(body: JSON) -> JSON:
    found: JSON = {}
    modalities = [name.upper() for name in strings(body.get("modalities"))]
    if modalities:
        found["responseModalities"] = modalities
    image = an_object(body.get("image_config"))
    sizes = {"aspectRatio": image.get("aspect_ratio"), "imageSize": image.get("image_size")}
    if sizes := {key: value for key, value in sizes.items() if value is not None}:
        found["imageConfig"] = sizes
    if voice := string(an_object(body.get("audio")).get("voice")):
        named = {"prebuiltVoiceConfig": {"voiceName": voice}}
        found["speechConfig"] = {"voiceConfig": named}
    return found
