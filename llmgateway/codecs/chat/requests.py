"""Writes a hub request as OpenAI-format providers take it: without the hub's own extensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmgateway.codecs.base import Context, Encoded
from llmgateway.codecs.chat.losses import Losses
from llmgateway.codecs.chat.turns import Turns
from llmgateway.types import JSON
from llmgateway.types.capabilities import SAMPLING, Reasoning

_LEVELS: Final = ((2048, "low"), (8192, "medium"), (32768, "high"))
"""The most tokens of a thinking budget that each effort stands for."""
_FLAT_LOCATION: Final = ("country", "region", "city", "timezone")


def encode_request(body: JSON, ctx: Context, turns: Turns) -> Encoded:
    """Write a request; what it cannot say is named in the answer."""
    losses = Losses()
    request = {key: value for key, value in body.items() if key not in _OWN}
    if ctx.model:
        request["model"] = ctx.model
    messages = body.get("messages")
    if isinstance(messages, list):
        request["messages"] = turns.written(messages, losses)
    _write_tools(request, losses)
    _write_reasoning(request, body, ctx, losses)
    _write_sampling(request, body, ctx, losses)
    if "max_tokens" in request:
        # The older name; newer models refuse it, and the rows of others rename it back.
        limit = request.pop("max_tokens")
        request.setdefault("max_completion_tokens", limit)
    if request.get("stream") is not True:
        request.pop("stream_options", None)
    return Encoded(request, dropped=tuple(losses.dropped), adjusted=tuple(losses.adjusted))


_OWN: Final = frozenset({"thinking", "top_k", "cache_control", "extra_content"})


def _write_tools(request: JSON, losses: Losses) -> None:
    tools = request.get("tools")
    if not isinstance(tools, list):
        return
    kept = []
    for tool in tools:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind == "web_search":
            options = tool.get("options")
            _write_search(request, options if isinstance(options, dict) else {}, losses)
        elif isinstance(kind, str) and kind in _UNSAYABLE:
            losses.drop(f"tools.{kind}")
        elif isinstance(tool, dict):
            kept.append({key: value for key, value in tool.items() if key != "cache_control"})
        else:
            kept.append(tool)
    request["tools"] = kept
    if not kept:
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            request.pop(name, None)


_UNSAYABLE: Final = frozenset({"code_execution", "mcp", "native"})


def _write_search(request: JSON, options: Mapping[str, Any], losses: Losses) -> None:
    """Say in `web_search_options` that the model shall search.

    Source: https://platform.openai.com/docs/api-reference/chat/create#chat-create-web_search_options
    """
    said: JSON = {}
    for name, value in options.items():
        if name == "user_location" and isinstance(value, dict):
            place = {key: value[key] for key in _FLAT_LOCATION if value.get(key)}
            said[name] = {"type": "approximate", "approximate": value.get("approximate") or place}
        elif name == "search_context_size":
            said[name] = value
        else:
            losses.drop(f"tools.web_search.{name}")
    request["web_search_options"] = said


def _write_reasoning(request: JSON, body: JSON, ctx: Context, losses: Losses) -> None:
    """Say `thinking` as an effort, which wins over `reasoning_effort` as in the hub."""
    thinking, said = body.get("thinking"), request.get("reasoning_effort")
    efforts = ctx.capabilities.efforts
    takes_effort = Reasoning.EFFORT in ctx.capabilities.reasoning and efforts
    if not isinstance(thinking, dict):
        if takes_effort and said in _SCALE and said not in efforts:
            request["reasoning_effort"] = _nearest(said, efforts)
            losses.adjust("reasoning_effort")
        return
    effort = _effort(thinking, said, efforts)
    if effort is None:
        return
    if not takes_effort:
        request.pop("reasoning_effort", None)
        if effort != _OFF:
            losses.drop("thinking")
        return
    request["reasoning_effort"] = effort if effort in efforts else _nearest(effort, efforts)
    if "budget_tokens" in thinking:
        losses.adjust("thinking.budget_tokens")
    elif effort not in efforts:
        losses.adjust("thinking")


_OFF: Final = "none"
_SCALE: Final = (_OFF, "minimal", "low", "medium", "high", "xhigh", "max")


def _nearest(effort: str, efforts: tuple[str, ...]) -> str:
    """Return the model's own word that is nearest; the most for one that is not in the scale."""
    known = [word for word in efforts if word in _SCALE]
    if effort not in _SCALE or not known:
        return efforts[-1]
    place = _SCALE.index(effort)
    return min(known, key=lambda word: abs(_SCALE.index(word) - place))


def _effort(thinking: JSON, said: object, efforts: tuple[str, ...]) -> str | None:
    """Return the effort that `thinking` stands for; None where the model's own is meant."""
    if thinking.get("type") == "disabled":
        return _OFF
    if isinstance(said, str) or thinking.get("type") == "adaptive":
        return said if isinstance(said, str) else None
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        return "medium"
    for limit, effort in _LEVELS:
        if budget <= limit and effort in efforts:
            return effort
    return "xhigh" if "xhigh" in efforts else "high"


def _write_sampling(request: JSON, body: JSON, ctx: Context, losses: Losses) -> None:
    for name in sorted(SAMPLING):
        if body.get(name) is None:
            continue
        if name == "top_k" or name not in ctx.capabilities.sampling:
            request.pop(name, None)
            losses.drop(name)
