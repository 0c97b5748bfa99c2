"""Hub messages → `system` and the turns that the API takes."""

from __future__ import annotations

from typing import NamedTuple

from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.blocks import tool_id, write_turn
from llmgateway.codecs.messages.losses import Losses
from llmgateway.codecs.messages.parts import mark_last, write_parts
from llmgateway.codecs.messages.shape import as_list, kind_of
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON


class Written(NamedTuple):
    """A conversation as the API takes it."""

    system: list[Block]
    turns: list[JSON]
    has_lost_thinking: bool
    """Whether the turn that is being continued called tools and lacks the thoughts before it."""


def write_messages(messages: object, losses: Losses) -> Written:
    """Write a conversation: system texts in front, neighbours of one role as one turn.

    The API knows two roles and wants the results of parallel calls in one turn.
    """
    if not isinstance(messages, list):
        raise InvalidRequest("`messages` must be a list.", param="messages")
    system: list[Block] = []
    turns: list[JSON] = []
    for message in _upgraded(messages):
        role = message.get("role")
        if role in ("system", "developer"):
            if turns:
                losses.adjust("messages")  # it loses its place in the conversation
            system += _system_blocks(message, losses)
            continue
        _append(turns, *_write(message, role, losses))
    if not turns and system:
        # A system text alone is a request elsewhere; this API wants a turn.
        losses.adjust("messages")
        return Written([], [{"role": "user", "content": system}], False)
    lost = has_lost_thinking(turns)
    return Written(system, _without_trailing_space(turns, losses), lost)


def _write(message: JSON, role: object, losses: Losses) -> tuple[str, list[Block]]:
    match role:
        case "user":
            return "user", mark_last(write_parts(message.get("content"), losses), message)
        case "assistant":
            return "assistant", mark_last(write_turn(message, losses), message)
        case "tool":
            return "user", [_tool_result(message, losses)]
    raise InvalidRequest(
        "A message's `role` must be system, developer, user, assistant or tool.", param="messages"
    )


def _tool_result(message: JSON, losses: Losses) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": tool_id(message.get("tool_call_id"))}
    content = message.get("content")
    if isinstance(content, str):
        if content:
            result["content"] = content
    elif blocks := write_parts(content, losses):
        result["content"] = blocks
    if isinstance(message.get("is_error"), bool):
        result["is_error"] = message["is_error"]
    return mark_last([result], message)[0]


def _system_blocks(message: JSON, losses: Losses) -> list[Block]:
    blocks = write_parts(message.get("content"), losses)
    texts = [block for block in blocks if block.get("type") == "text"]
    if len(texts) < len(blocks):
        losses.drop("messages.system")
    return mark_last(texts, message)


def _append(turns: list[JSON], role: str, blocks: list[Block]) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": list(blocks)})


def _upgraded(messages: list[object]) -> list[JSON]:
    """Return the messages with OpenAI's older function calls as tool calls."""
    upgraded: list[JSON] = []
    last_id = ""
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            raise InvalidRequest("Each message must be an object.", param="messages")
        call = message.get("function_call")
        if isinstance(call, dict) and not message.get("tool_calls"):
            last_id = f"call_{number}"
            calls = [{"id": last_id, "type": "function", "function": call}]
            message = {**message, "tool_calls": calls}
        elif message.get("role") == "function":
            message = {**message, "role": "tool", "tool_call_id": last_id}
        upgraded.append(message)
    return upgraded


def has_lost_thinking(turns: list[JSON]) -> bool:
    """Tell whether the calls that the last turn answers came without any thoughts.

    A model thinks once before a row of calls, so its later turns in the row have no thoughts.
    """
    if not turns or "tool_result" not in _kinds(turns[-1]):
        return False
    row: set[str] = set()
    for turn in reversed(turns):
        kinds = _kinds(turn)
        if turn.get("role") == "user" and "tool_result" not in kinds:
            break
        row |= kinds
    return "tool_use" in row and not row & {"thinking", "redacted_thinking"}


def _kinds(turn: JSON) -> set[str]:
    return {kind_of(block) for block in as_list(turn.get("content"))}


def _without_trailing_space(turns: list[JSON], losses: Losses) -> list[JSON]:
    """Strip the end of a text that the model shall go on from; the API refuses space there."""
    if not turns or turns[-1]["role"] != "assistant":
        return turns
    *before, last = turns[-1]["content"]
    text = last.get("text") if last.get("type") == "text" else None
    if not isinstance(text, str) or text == text.rstrip():
        return turns
    losses.adjust("messages")
    content = [*before, {**last, "text": text.rstrip()}]
    return [*turns[:-1], {"role": "assistant", "content": content}]


def tool_names(turns: list[JSON]) -> list[str]:
    """Return the names of the tools that a conversation calls, in order, each once."""
    names = (
        block["name"]
        for turn in turns
        for block in as_list(turn["content"])
        if block.get("type") == "tool_use"
    )
    return list(dict.fromkeys(names))
