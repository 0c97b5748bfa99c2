"""Reads a generateContent request of a caller into the hub's form.

Members may be spelled in camel case or snake case, as the API itself takes both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmgateway.codecs.base import Decoded
from llmgateway.codecs.generate_content.door_schema import to_json_schema
from llmgateway.codecs.generate_content.door_tools import decode_choice, decode_tools
from llmgateway.codecs.generate_content.door_turns import decode_turns
from llmgateway.codecs.generate_content.shape import Notes, an_object, pick, snake, strings
from llmgateway.codecs.generate_content.thinking import decode_thinking
from llmgateway.types import JSON

STREAMS: Final = "streamGenerateContent"

_SAME: Final = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
    "seed": "seed",
    "maxOutputTokens": "max_completion_tokens",
    "candidateCount": "n",
    "stopSequences": "stop",
}
_SPOKEN: Final = (
    "responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities",
    "responseLogprobs", "logprobs", "thinkingConfig",
)  # fmt: skip
_MEMBERS: Final = (
    "contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "model",
)  # fmt: skip


def decode_request(body: JSON, params: Mapping[str, str]) -> Decoded:
    """Return the hub request; raises `InvalidRequest` with `param`."""
    notes = Notes()
    stream = params.get("operation") == STREAMS
    config = an_object(pick(body, "generationConfig"))
    tools, functions = decode_tools(pick(body, "tools"), notes)
    request: JSON = {
        "model": _model(params, body),
        "messages": decode_turns(body, notes),
        **({"tools": tools} if tools else {}),
        **decode_choice(an_object(pick(body, "toolConfig")), functions, notes),
        **_settings(config),
    }
    _name_unknown(body, _MEMBERS, "", notes)
    _name_unknown(config, (*_SAME, *_SPOKEN), "generationConfig.", notes)
    if stream:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    return Decoded(request, stream=stream, dropped=notes.dropped, adjusted=notes.adjusted)


def _model(params: Mapping[str, str], body: JSON) -> str:
    stated = params.get("model") or body.get("model")
    return stated.removeprefix("models/") if isinstance(stated, str) else ""


def _name_unknown(source: JSON, known: tuple[str, ...], prefix: str, notes: Notes) -> None:
    """Name what only this format's own providers know: safety settings, cached contents, …"""
    names = {*known, *map(snake, known)}
    for name, value in source.items():
        if name not in names and value is not None:
            notes.drop(prefix + name[:64])


def _settings(config: JSON) -> JSON:
    found: JSON = {
        ours: value for name, ours in _SAME.items() if (value := pick(config, name)) is not None
    }
    found |= _format(config)
    modalities = [name.lower() for name in strings(pick(config, "responseModalities"))]
    if modalities and modalities != ["text"]:
        found["modalities"] = modalities
    if pick(config, "responseLogprobs") is True:
        found["logprobs"] = True
        if (count := pick(config, "logprobs")) is not None:
            found["top_logprobs"] = count
    return {**found, **decode_thinking(an_object(pick(config, "thinkingConfig")))}


def _format(config: JSON) -> JSON:
    schema: Any = pick(config, "responseJsonSchema")
    if schema is None and isinstance(own := pick(config, "responseSchema"), dict):
        schema = to_json_schema(own)
    if isinstance(schema, dict):
        wanted = {"name": "response", "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}
    if pick(config, "responseMimeType") == "application/json":
        return {"response_format": {"type": "json_object"}}
    return {}
