"""Reads the parameters of a Responses request into the hub's."""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.chat.losses import Losses, invalid
from llmgateway.codecs.responses.tools import choice_of, tools_of
from llmgateway.types import JSON

_STATEFUL: Final = {
    "previous_response_id": "send the earlier items in `input` instead",
    "conversation": "send the earlier items in `input` instead",
    "prompt": "write the prompt into `instructions` and `input` instead",
    "background": "ask for a stream instead",
}
"""What only a provider with a store could do, by parameter: what to do instead."""
_UNSAYABLE: Final = (
    "context_management",
    "max_tool_calls",
    "moderation",
    "prompt_cache_options",
)
_READ: Final = frozenset(
    {
        *_STATEFUL,
        *_UNSAYABLE,
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "reasoning",
        "store",
        "stream",
        "stream_options",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "truncation",
    }
)


def check_state(body: JSON) -> None:
    """Refuse what needs a store of answers, which no target of a translated call has."""
    for name, advice in _STATEFUL.items():
        if body.get(name):
            raise invalid(name, f"needs stored answers, and nothing is stored here; {advice}")


def params_of(body: JSON, losses: Losses) -> JSON:
    """Return the hub's parameters; those that we do not know are passed under their names."""
    params = {key: value for key, value in body.items() if key not in _READ and value is not None}
    for name in _UNSAYABLE:
        if body.get(name) is not None:
            losses.drop(name)
    if body.get("store") is True:
        losses.drop("store")
    if body.get("truncation") not in (None, "disabled"):
        losses.drop("truncation")
    if body.get("max_output_tokens") is not None:
        params["max_completion_tokens"] = body["max_output_tokens"]
    if body.get("stream") is True:
        # A Response always tells its usage.
        params |= {"stream": True, "stream_options": {"include_usage": True}}
    _read_tools(body, params, losses)
    _read_text(body.get("text"), params, losses)
    _read_reasoning(body.get("reasoning"), params, losses)
    _read_include(body, params, losses)
    return params


def _read_tools(body: JSON, params: JSON, losses: Losses) -> None:
    if body.get("tools") is None:
        return
    tools = tools_of(body["tools"], losses)
    if not tools:
        params.pop("parallel_tool_calls", None)
        return
    params["tools"] = tools
    choice = choice_of(body.get("tool_choice"), losses)
    if choice is not None:
        params["tool_choice"] = choice


def _read_text(text: Any, params: JSON, losses: Losses) -> None:
    if text is None:
        return
    if not isinstance(text, dict):
        raise invalid("text", "must be an object")
    if text.get("verbosity") is not None:
        params["verbosity"] = text["verbosity"]
    form = text.get("format")
    if form is None:
        return
    if not isinstance(form, dict):
        raise invalid("text.format", "must be an object")
    kind = form.get("type")
    if kind == "json_object":
        params["response_format"] = {"type": kind}
    elif kind == "json_schema":
        if not isinstance(form.get("schema"), dict):
            raise invalid("text.format.schema", "must be an object")
        schema = {key: value for key, value in form.items() if key != "type" and value is not None}
        schema.setdefault("name", "answer")
        params["response_format"] = {"type": kind, "json_schema": schema}
    elif kind != "text":
        losses.drop("text.format")


def _read_reasoning(reasoning: Any, params: JSON, losses: Losses) -> None:
    if reasoning is None:
        return
    if not isinstance(reasoning, dict):
        raise invalid("reasoning", "must be an object")
    if reasoning.get("effort") is not None:
        params["reasoning_effort"] = reasoning["effort"]
    for name in ("context", "mode"):
        if reasoning.get(name) is not None:
            losses.drop(f"reasoning.{name}")


def _read_include(body: JSON, params: JSON, losses: Losses) -> None:
    include = body.get("include")
    if include is not None and not isinstance(include, list):
        raise invalid("include", "must be a list")
    wished = [name for name in include or () if isinstance(name, str)]
    for name in wished:
        if name not in ("reasoning.encrypted_content", _LOGPROBS):
            losses.drop(f"include.{name}")
    if body.get("top_logprobs") or _LOGPROBS in wished:
        params["logprobs"] = True
        if body.get("top_logprobs") is not None:
            params["top_logprobs"] = body["top_logprobs"]


_LOGPROBS: Final = "message.output_text.logprobs"
