"""A hub request → the body, headers and losses of a call to the API.

The members stand in one fixed order and nothing of the caller's is re-ordered, so that equal
requests are equal bytes: the provider's prompt cache depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from llmgateway.codecs.base import Context, Encoded
from llmgateway.codecs.messages import thinking as thoughts
from llmgateway.codecs.messages.losses import Losses
from llmgateway.codecs.messages.shape import as_list
from llmgateway.codecs.messages.structured import Structure, decide
from llmgateway.codecs.messages.thinking import Thinking
from llmgateway.codecs.messages.tools import Tools, allowed_only, write_choice, write_tools
from llmgateway.codecs.messages.turns import Written, tool_names, write_messages
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.capabilities import Capabilities, Schema

FILES_BETA: Final = "files-api-2025-04-14"

_NATIVE: Final = (
    "cache_control", "container", "context_management", "diagnostics", "inference_geo",
    "mcp_servers", "output_config", "speed",
)  # fmt: skip
"""Members of the API that the hub has no word for; a caller may send them as they are."""

_MAX_EXACT: Final = 2**53
"""Above it, a float stands for more than one whole number."""

_READ: Final = frozenset({
    *_NATIVE,
    "anthropic_beta", "function_call", "functions", "max_completion_tokens", "max_tokens",
    "messages", "metadata", "model", "parallel_tool_calls", "reasoning_effort", "response_format",
    "safety_identifier", "service_tier", "stop", "stream", "stream_options", "temperature",
    "thinking", "tool_choice", "tools", "top_k", "top_p", "user", "web_search_options",
})  # fmt: skip

_NOTHING: Final[Mapping[str, Any]] = {
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "store": False,
    "modalities": ["text"],
}
"""Values that ask for nothing; leaving them out is no loss."""


def encode(body: JSON, ctx: Context, version: Mapping[str, str]) -> Encoded:
    """Write a hub request; raises `InvalidRequest` with `param`."""
    losses = Losses()
    can = ctx.capabilities
    written = write_messages(body.get("messages"), losses)
    structure = decide(body, can)
    if structure.is_adjusted:
        losses.adjust("response_format")
    tools = write_tools(body, takes_strict=can.schema is not Schema.TOOL, losses=losses)
    max_tokens = _max_tokens(body, can)
    choice = _choice(body, structure, losses)
    thinking = _settle(body, written, can, choice, losses)
    thinking = thoughts.fit(thinking, max_tokens, can, losses, thoughts.asked_by(body))
    choice = _affordable(choice, thinking, can, losses)
    offered = _offered(tools, structure, written, body, losses)

    wire: JSON = {"model": ctx.model or body.get("model"), "max_tokens": max_tokens}
    if system := _system(written, structure):
        wire["system"] = system
    wire["messages"] = written.turns
    if offered:
        wire["tools"] = offered
    if choice and offered:
        wire["tool_choice"] = choice
    if thinking.config is not None:
        wire["thinking"] = thinking.config
    wire |= _output_config(body, thinking, structure, losses)
    wire |= _sampling(body, can, thinking, losses)
    wire |= _rest(body, losses)
    if tools.mcp_servers:
        wire["mcp_servers"] = [*as_list(body.get("mcp_servers")), *tools.mcp_servers]
    _drop_unread(body, losses)
    headers = _headers(body, ctx, version, [*tools.betas, *_file_betas(written.turns)])
    return Encoded(wire, headers, dropped=losses.dropped, adjusted=losses.adjusted)


def _max_tokens(body: JSON, can: Capabilities) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, float) and value.is_integer() and value < _MAX_EXACT:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InvalidRequest(f"`{name}` must be a whole number above zero.", param=name)
        return value
    return can.max_output


def _settle(
    body: JSON,
    written: Written,
    can: Capabilities,
    choice: JSON | None,
    losses: Losses,
) -> Thinking:
    """Decide on thinking, where other wishes and the history leave room for it."""
    name = thoughts.asked_by(body)
    thinking = thoughts.plan(body, can, losses)
    if thinking.has_budget and written.has_lost_thinking:
        # The API answers 400 where a turn with tool calls comes back without its thoughts.
        losses.adjust("thinking")
        thinking = thoughts.off(can, losses, "thinking")
    if _forces(choice) and not _may_force(thinking, can) and can.can_disable_reasoning:
        if thinking.is_on:
            losses.adjust(name)
        if thinking.is_on or thoughts.is_by_default(can):
            thinking = thoughts.off(can, losses, name)
    return thinking


def _forces(choice: JSON | None) -> bool:
    return choice is not None and choice.get("type") in ("any", "tool")


def _may_force(thinking: Thinking, can: Capabilities) -> bool:
    return can.forced_tool_with_reasoning and not thinking.has_budget


def _affordable(
    choice: JSON | None, thinking: Thinking, can: Capabilities, losses: Losses
) -> JSON | None:
    """Return a choice that forces nothing for a model that always thinks and refuses force."""
    if not _forces(choice) or choice is None or _may_force(thinking, can):
        return choice
    if can.can_disable_reasoning:
        return choice
    losses.adjust("tool_choice")
    return {**{key: value for key, value in choice.items() if key != "name"}, "type": "auto"}


def _choice(body: JSON, structure: Structure, losses: Losses) -> JSON | None:
    choice = write_choice(body, losses)
    if structure.tool is None:
        return choice
    kind = (choice or {}).get("type", "auto")
    if kind == "tool":
        return choice
    if kind == "none" or not (body.get("tools") or body.get("functions")):
        return {"type": "tool", "name": structure.tool["name"]}
    return {**(choice or {}), "type": "any"}


def _offered(
    tools: Tools, structure: Structure, written: Written, body: JSON, losses: Losses
) -> list[JSON]:
    offered = allowed_only(tools.tools, body.get("tool_choice"))
    if structure.tool is not None:
        offered = [*offered, structure.tool]
    if offered:
        return offered
    names = tool_names(written.turns)
    if names:  # "Requests which include `tool_use` or `tool_result` blocks must define tools"
        losses.adjust("tools")
    return [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in names]


def _system(written: Written, structure: Structure) -> list[JSON]:
    words = [{"type": "text", "text": structure.words}] if structure.words else []
    return [*written.system, *words]


def _output_config(body: JSON, thinking: Thinking, structure: Structure, losses: Losses) -> JSON:
    given = body.get("output_config")
    config: JSON = dict(given) if isinstance(given, dict) else {}
    effort = thoughts.calm(config.get("effort", thinking.effort), thinking.config, losses)
    if effort is not None:
        config["effort"] = effort
    if structure.format is not None:
        config["format"] = structure.format
    return {"output_config": config} if config else {}


# ---- sampling


def _sampling(body: JSON, can: Capabilities, thinking: Thinking, losses: Losses) -> JSON:
    """Write the sampling parameters that the model takes, beside its thoughts too."""
    written: JSON = {}
    for name in ("temperature", "top_p", "top_k"):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidRequest(f"`{name}` must be a number.", param=name)
        if name not in can.sampling:
            losses.drop(name)
        elif thinking.is_on and not _beside_thinking(name, value):
            losses.adjust(name)
        else:
            written[name] = value
    if "temperature" in written and not 0 <= written["temperature"] <= 1:
        losses.adjust("temperature")
        written["temperature"] = 0 if written["temperature"] < 0 else 1
    if (
        can.sampling_exclusive
        and "temperature" in written
        and written.pop("top_p", None) is not None
    ):
        losses.drop("top_p")
    return written


def _beside_thinking(name: str, value: float) -> bool:
    """Source: the page on extended thinking, "Feature compatibility"."""
    return (name == "temperature" and value == 1) or (name == "top_p" and 0.95 <= value <= 1)


# ---- the rest


def _rest(body: JSON, losses: Losses) -> JSON:
    written: JSON = {}
    for name, write in _WRITERS.items():
        value = write(body, losses)
        if value is not None:
            written[name] = value
    if body.get("stream") is True:
        written["stream"] = True
    for name in _NATIVE:
        if name != "output_config" and body.get(name) is not None:
            written[name] = body[name]
    return written


def _stop_sequences(body: JSON, losses: Losses) -> list[str] | None:
    stop = body.get("stop")
    if stop is None:
        return None
    given = [stop] if isinstance(stop, str) else stop
    if not isinstance(given, list):
        raise InvalidRequest("`stop` must be a text or a list of texts.", param="stop")
    kept = [text for text in given if isinstance(text, str) and text.strip()]
    if len(kept) < len(given):
        losses.adjust("stop")  # the API refuses a sequence of nothing but space
    return kept or None


def _metadata(body: JSON, losses: Losses) -> JSON | None:
    metadata = body.get("metadata")
    given: JSON = metadata if isinstance(metadata, dict) else {}
    if any(key != "user_id" for key in given):
        losses.drop("metadata")
    for user in (given.get("user_id"), body.get("user"), body.get("safety_identifier")):
        if isinstance(user, str) and user:
            return {"user_id": user}
    return None


def _service_tier(body: JSON, losses: Losses) -> str | None:
    tier = body.get("service_tier")
    if tier is None:
        return None
    if isinstance(tier, str) and tier in _TIERS:
        return _TIERS[tier]
    losses.drop("service_tier")
    return None


_TIERS: Final = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}

_WRITERS: Final[Mapping[str, Callable[[JSON, Losses], Any]]] = {
    "stop_sequences": _stop_sequences,
    "metadata": _metadata,
    "service_tier": _service_tier,
}


def _drop_unread(body: JSON, losses: Losses) -> None:
    for name, value in body.items():
        if name not in _READ and value is not None and value != _NOTHING.get(name):
            losses.drop(name)


def _headers(
    body: JSON, ctx: Context, version: Mapping[str, str], needed: list[str]
) -> dict[str, str]:
    """Return the version that the translation is written for, and every beta that is in use."""
    own = body.get("anthropic_beta")
    betas = [
        *ctx.options.get("anthropic_beta", "").split(","),
        *(
            own.split(",")
            if isinstance(own, str)
            else [one for one in as_list(own) if isinstance(one, str)]
        ),
        *needed,
    ]
    named = dict.fromkeys(beta.strip() for beta in betas if beta.strip())
    return {**version, **({"anthropic-beta": ",".join(named)} if named else {})}


def _file_betas(turns: list[JSON]) -> list[str]:
    blocks = [block for turn in turns for block in turn["content"]]
    nested = [inner for block in blocks for inner in as_list(block.get("content"))]
    for block in (*blocks, *nested):
        source = block.get("source") if isinstance(block, dict) else None
        if isinstance(source, dict) and source.get("type") == "file":
            return [FILES_BETA]
    return []
