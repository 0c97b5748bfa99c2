"""Assistant turns: blocks of the format ↔ the hub's blocks and tool calls.

Their order is kept exactly: where a call of a tool does not stand at the end of its turn, its
`extra_content` says at which place it stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from operator import itemgetter
from typing import Final, NamedTuple, TypeVar

import orjson

from llmgateway.codecs import hub
from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.carrier import CARRIED
from llmgateway.codecs.messages.citations import own_citations
from llmgateway.codecs.messages.losses import Losses
from llmgateway.codecs.messages.parts import WIRE, mark, write_parts
from llmgateway.codecs.messages.shape import as_list, kind_of, text_of
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON

PLACE: Final = "index"
"""Where in its turn a tool's call stood, in `extra_content["messages"]`."""

_TEXT_OF: Final = {"text": "text", "thinking": "thinking", "redacted_thinking": "data"}
"""The blocks that the hub has words for, each with the member that holds its text."""
_DIRECT: Final = {"type": "direct"}
"""The `caller` that every call has unless another tool made it."""
_CALL: Final = frozenset({"type", "id", "name", "input", "cache_control"})
# Other makers' ids hold dots and colons (`functions.find:0`), which this API refuses.
_BAD_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")


class Turn(NamedTuple):
    """One assistant turn in the hub's terms."""

    blocks: list[Block]
    calls: list[JSON]


def read_content(content: object) -> Turn:
    """Split a turn's blocks into the hub's blocks and tool calls."""
    blocks: list[Block] = []
    calls: list[JSON] = []
    items = [item for item in as_list(content) if isinstance(item, dict)]
    last_other = max(
        (n for n, item in enumerate(items) if item.get("type") != "tool_use"), default=-1
    )
    for place, item in enumerate(items):
        if item.get("type") == "tool_use":
            calls.append(read_call(item, place if place < last_other else None))
        else:
            blocks.append(read_block(item))
    return Turn(blocks, calls)


def read_block(block: Block) -> Block:
    """Return a block in the hub's terms; one that the hub has no word for is opaque."""
    if block.get("type") == CARRIED:
        carried: Block = block["value"]
        return carried
    if kind_of(block) not in _TEXT_OF:
        return {"type": "opaque", "wire": WIRE, "value": block}
    block = _sound(block)
    if "citations" in block and not block["citations"]:
        return {key: value for key, value in block.items() if key != "citations"}
    return block


def _sound(block: Block) -> Block:
    """Return the block without members that should be texts and are not; its own is then empty."""
    member = _TEXT_OF[block["type"]]
    wrong = {key for key in hub.APPENDED & block.keys() if not isinstance(block[key], str)}
    if not wrong and member in block:
        return block
    return {member: "", **{key: value for key, value in block.items() if key not in wrong}}


def read_call(block: Block, place: int | None) -> JSON:
    """Return a tool's call; `place` only if blocks follow it."""
    given = block.get("input")
    call: JSON = {
        "id": text_of(block.get("id")) or None,
        "type": "function",
        "function": {"name": text_of(block.get("name")), "arguments": dump(given if given else {})},
    }
    kept = {
        key: value
        for key, value in block.items()
        if key not in _CALL and value is not None and value != _DIRECT
    }
    if place is not None:
        kept[PLACE] = place
    if kept:
        call["extra_content"] = {WIRE: kept}
    return mark(call, block)


def dump(value: object) -> str:
    """Write a tool's input as the JSON text that the hub has."""
    try:
        return orjson.dumps(value).decode("utf-8")
    except TypeError:
        raise InvalidRequest(
            "A tool's input is no JSON that can be passed on.", param="messages"
        ) from None


def write_turn(message: JSON, losses: Losses) -> list[Block]:
    """Return the blocks of an assistant's message of the hub."""
    calls = [call for call in as_list(message.get("tool_calls")) if isinstance(call, dict)]
    known = {call.get("id") for call in calls if isinstance(call.get("id"), str)}
    written: list[Block | None] = [
        write_block(block, losses)
        for block in _blocks_of(message)
        if not (block.get("type") == "tool_use" and text_of(block.get("id")) in known)
    ]
    placed: list[tuple[object, list[Block | None]]] = [
        (_kept(call).get(PLACE), [write_call(call, losses)]) for call in calls
    ]
    return [block for block in interleaved(written, placed) if block is not None]


T = TypeVar("T")


def interleaved(blocks: list[T], calls: Iterable[tuple[object, list[T]]]) -> list[T]:
    """Return blocks with those of calls among them; a call without a place stands at the end.

    A place counts all that stands before it.
    """
    placed: list[tuple[int, list[T]]] = []
    later: list[T] = []
    for place, call in calls:
        if isinstance(place, int):
            placed.append((place, call))
        else:
            later += call
    found: list[T] = []
    done = 0
    for place, call in sorted(placed, key=itemgetter(0)):
        upto = done + max(place - len(found), 0)
        found += blocks[done:upto]
        done = min(upto, len(blocks))
        found += call
    return [*found, *blocks[done:], *later]


def _blocks_of(message: JSON) -> list[Block]:
    """Return the message's blocks; the text that they lack follows them.

    Frameworks that know this API also write its blocks as parts of `content`.
    """
    content = message.get("content")
    if isinstance(content, list) and not _has_blocks(message):
        return [
            part if isinstance(part, dict) else {"type": "text", "text": part} for part in content
        ]
    blocks = hub.blocks_of(message)
    if any(block.get("type") == "text" for block in blocks):
        return blocks
    texts = [{"type": "text", "text": text} for text in hub.texts_of(content)]
    refusal = message.get("refusal")
    if not texts and isinstance(refusal, str):
        texts = [{"type": "text", "text": refusal}]
    return [*blocks, *texts]


def _has_blocks(message: JSON) -> bool:
    extra = message.get("extra_content")
    kept = extra.get("content_blocks") if isinstance(extra, dict) else None
    return bool(message.get("content_blocks") or kept)


def write_block(block: Block, losses: Losses) -> Block | None:
    """Return a hub's block as the API takes it back; None for what it would refuse."""
    match block.get("type"):
        case "text" | "refusal":
            return _write_text(block)
        case "thinking":
            # Only the model's own signature proves a thought; others' thoughts are refused.
            is_own = block.get("wire", WIRE) == WIRE
            if is_own and block.get("signature") and isinstance(block.get("thinking"), str):
                return {key: value for key, value in block.items() if key != "wire"}
            losses.adjust("thinking")
            return None
        case "opaque":
            value = block.get("value")
            if block.get("wire") == WIRE and isinstance(value, dict):
                return value
            losses.drop("messages.content_blocks")
            return None
        case "image_url" | "file" | "input_audio":
            return next(iter(write_parts([block], losses)), None)
        case str():
            return block  # the API's own, as a caller wrote it
    losses.drop("messages.content_blocks")
    return None


def _write_text(block: Block) -> Block | None:
    text = block.get("text", block.get("refusal"))
    if not isinstance(text, str) or not text.strip():
        return None
    written: Block = {"type": "text", "text": text}
    if citations := own_citations(block.get("citations")):
        written["citations"] = citations
    return mark(written, block)


def write_call(call: JSON, losses: Losses) -> Block:
    """Return a tool's call as a block."""
    function = call.get("function")
    named: JSON = function if isinstance(function, dict) else {}
    block: Block = {
        "type": "tool_use",
        "id": tool_id(call.get("id")),
        "name": named.get("name"),
        "input": read_arguments(named.get("arguments"), losses),
        **own_extra(call),
    }
    if not isinstance(block["name"], str) or not block["name"]:
        raise InvalidRequest("Each tool call needs `function.name`.", param="messages")
    return mark(block, call)


def read_arguments(arguments: object, losses: Losses) -> JSON:
    """Read a call's arguments. What is no JSON object is wrapped in one, never refused."""
    if isinstance(arguments, dict):
        return arguments
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return {}
    try:
        value = orjson.loads(arguments) if isinstance(arguments, str) else arguments
    except orjson.JSONDecodeError:
        value = arguments
    if isinstance(value, dict):
        return value
    losses.adjust("messages.tool_calls")
    return {"arguments": arguments}


def tool_id(value: object) -> str:
    """Return a tool call's id in the letters that the API takes."""
    if not isinstance(value, str) or not value:
        raise InvalidRequest(
            "Each tool call and each result needs the call's id.", param="messages"
        )
    return _BAD_ID.sub("_", value)


def own_extra(call: JSON) -> JSON:
    """Return the members of a call's block that the hub has no word for."""
    return {key: value for key, value in _kept(call).items() if key != PLACE and key not in _CALL}


def _kept(call: JSON) -> JSON:
    extra = call.get("extra_content")
    kept = extra.get(WIRE) if isinstance(extra, dict) else None
    return kept if isinstance(kept, dict) else {}
