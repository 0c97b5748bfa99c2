"""A hub answer → a message as the caller expects it."""

from __future__ import annotations

from typing import Any

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context
from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.blocks import PLACE, interleaved, own_extra, read_arguments
from llmgateway.codecs.messages.carrier import pack, signature_for
from llmgateway.codecs.messages.citations import citation_of, own_citations
from llmgateway.codecs.messages.losses import Losses
from llmgateway.codecs.messages.parts import WIRE
from llmgateway.codecs.messages.shape import as_list, kind_of, text_of
from llmgateway.codecs.messages.usage import write_usage
from llmgateway.codecs.messages.words import stop_reason_of
from llmgateway.types import JSON


def encode(body: JSON, ctx: Context) -> JSON:
    """Write a chat completion as a message; of several choices the first."""
    choices = as_list(body.get("choices"))
    choice: JSON = choices[0] if choices and isinstance(choices[0], dict) else {}
    given = choice.get("message")
    message: JSON = given if isinstance(given, dict) else {}
    content = content_of(message, ctx)
    reason = stop_reason_of(
        choice.get("finish_reason"),
        choice.get("native_finish_reason"),
        has_calls=any(kind_of(block) == "tool_use" for block in content),
        has_refusal=bool(text_of(message.get("refusal"))),
    )
    return {
        "id": message_id(body.get("id"), ctx),
        "type": "message",
        "role": "assistant",
        "model": str(body.get("model") or ctx.model),
        "content": content,
        "stop_reason": reason,
        "stop_sequence": stop_sequence(reason, ctx),
        "stop_details": stop_details(reason, message.get("refusal")),
        "usage": write_usage(hub.usage_of(body.get("usage"))),
    }


def message_id(given: Any, ctx: Context) -> str:
    """Return an id that looks as clients of the format expect."""
    if isinstance(given, str) and given.startswith("msg_"):
        return given
    return ctx.new_id("msg_")


def stop_sequence(reason: str, ctx: Context) -> str | None:
    """Return the sequence that ended an answer, where only one can have done so."""
    asked = as_list(ctx.door_request.get("stop_sequences"))
    if reason == "stop_sequence" and len(asked) == 1 and isinstance(asked[0], str):
        return asked[0]
    return None


def stop_details(reason: str, refusal: Any) -> JSON | None:
    """Return why an answer was refused, where that was said."""
    if reason != "refusal":
        return None
    words = text_of(refusal)
    return {"type": "refusal", "category": None, "explanation": words or None}


def content_of(message: JSON, ctx: Context) -> list[Block]:
    """Return an answer's blocks: thoughts, texts and calls, in order."""
    blocks = [piece for block in _blocks_of(message) for piece in write_block(block)]
    if not any(block.get("citations") for block in blocks):
        blocks = _with_citations(blocks, message.get("annotations"))
    calls = [call for call in as_list(message.get("tool_calls")) if isinstance(call, dict)]
    return interleaved(blocks, ((_place(call), write_call(call, ctx)) for call in calls))


def _blocks_of(message: JSON) -> list[Block]:
    blocks = hub.blocks_of(message)
    thought = message.get("reasoning_content")
    if isinstance(thought, str) and thought and not _has(blocks, "thinking"):
        blocks = [{"type": "thinking", "thinking": thought}, *blocks]
    if not _has(blocks, "text"):
        texts = [*hub.texts_of(message.get("content")), text_of(message.get("refusal"))]
        blocks = [*blocks, *({"type": "text", "text": text} for text in texts if text)]
    return blocks


def _has(blocks: list[Block], kind: str) -> bool:
    return any(block.get("type") == kind for block in blocks)


def write_block(block: Block) -> list[Block]:
    """Return what a hub block becomes; a carrier for what clients must give back unread."""
    match block.get("type"):
        case "text":
            return _write_text(block)
        case "thinking":
            words = block.get("thinking") or ""
            return [{"type": "thinking", "thinking": words, "signature": signature_for(block)}]
        case "redacted_thinking":
            return [{"type": "redacted_thinking", "data": block.get("data") or ""}]
        case "opaque" if block.get("wire") == WIRE and isinstance(block.get("value"), dict):
            return [block["value"]]
    return [pack({"block": block})]


def _write_text(block: Block) -> list[Block]:
    written: Block = {"type": "text", "text": block.get("text") or "", "citations": None}
    if not written["text"]:
        return [pack({"block": block})] if block.get("signature") else []
    if citations := own_citations(block.get("citations")):
        written["citations"] = citations
    if not block.get("signature"):
        return [written]
    return [written, pack({"signature": block["signature"]})]


def write_call(call: JSON, ctx: Context) -> list[Block]:
    """Return a tool's call; before it, what the provider wants back with it."""
    function = call.get("function")
    named: JSON = function if isinstance(function, dict) else {}
    block: Block = {
        "type": "tool_use",
        "id": call_id(call.get("id"), ctx),
        "name": str(named.get("name") or ""),
        "input": read_arguments(named.get("arguments"), Losses()),
        **own_extra(call),
    }
    extra = foreign_extra(call)
    return [pack({"call": block["id"], "extra": extra}), block] if extra else [block]


def call_id(given: Any, ctx: Context) -> str:
    """Return a call's id, or one of ours where a provider gives none."""
    return given if isinstance(given, str) and given else ctx.new_id("toolu_")


def foreign_extra(call: JSON) -> JSON:
    """Return what a call carries that is not of this format."""
    extra = call.get("extra_content")
    if not isinstance(extra, dict):
        return {}
    return {key: value for key, value in extra.items() if key != WIRE}


def _place(call: JSON) -> int | None:
    extra = call.get("extra_content")
    kept = extra.get(WIRE) if isinstance(extra, dict) else None
    place = kept.get(PLACE) if isinstance(kept, dict) else None
    return place if isinstance(place, int) and place >= 0 else None


def _with_citations(blocks: list[Block], annotations: Any) -> list[Block]:
    """Put a whole answer's annotations on its text."""
    texts = [n for n, block in enumerate(blocks) if kind_of(block) == "text"]
    if not texts or not isinstance(annotations, list):
        return blocks
    block = blocks[texts[-1]]
    found = (citation_of(one, block["text"]) for one in annotations)
    citations = [one for one in found if one is not None]
    if not citations:
        return blocks
    return [*blocks[: texts[-1]], {**block, "citations": citations}, *blocks[texts[-1] + 1 :]]
