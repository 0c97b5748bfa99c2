"""Reads a generateContent answer, whole or in pieces, into the hub's form.

Source: https://ai.google.dev/api/generate-content#generatecontentresponse
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context
from llmgateway.codecs.generate_content.finish import block_of, decode_finish, refusal_of
from llmgateway.codecs.generate_content.grounding import decode_annotations
from llmgateway.codecs.generate_content.media import data_url
from llmgateway.codecs.generate_content.shape import (
    an_object,
    number,
    objects,
    pick,
    string,
    written,
)
from llmgateway.codecs.generate_content.turns import WIRE
from llmgateway.codecs.generate_content.usage import read_usage
from llmgateway.types import JSON

NATIVE: Final = ("groundingMetadata", "citationMetadata", "safetyRatings", "urlContextMetadata")
"""Members of a candidate that go out beside OpenAI's where the caller wants more than those."""


@dataclass(slots=True)
class Pieces:
    """What the parts of one candidate are in the hub."""

    blocks: list[hub.Block] = field(default_factory=list)
    calls: list[JSON] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Of each call: how many blocks came before it."""
    images: list[JSON] = field(default_factory=list)
    audio: JSON | None = None

    def text(self, kind: str = "text") -> str:
        """Return the texts of one kind of block, joined."""
        return "".join(block[kind] for block in self.blocks if block["type"] == kind)


def decode_response(body: JSON, ctx: Context) -> JSON:
    """Read a whole answer."""
    candidates = objects(body.get("candidates"))
    choices = [_choice(candidate, place, ctx) for place, candidate in enumerate(candidates)]
    answer: JSON = {
        "id": string(pick(body, "responseId")) or ctx.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": ctx.now,
        "model": string(pick(body, "modelVersion")) or ctx.model,
        "choices": choices or [_without_candidate(body)],
    }
    usage = read_usage(pick(body, "usageMetadata"))
    return answer if usage is None else {**answer, "usage": hub.counters(usage)}


def _choice(candidate: JSON, place: int, ctx: Context) -> JSON:
    pieces = Pieces()
    for part in objects(an_object(candidate.get("content")).get("parts")):
        add_part(part, pieces, ctx)
    note_places(zip(pieces.calls, pieces.places, strict=True), pieces.blocks)
    native = string(pick(candidate, "finishReason"))
    index = number(candidate.get("index"))
    choice = {
        "index": place if index is None else index,
        "message": _message(pieces, candidate, native),
        "logprobs": decode_logprobs(pick(candidate, "logprobsResult")),
        "finish_reason": decode_finish(native, has_calls=bool(pieces.calls)),
        "native_finish_reason": native or None,
    }
    return {**choice, **natives(candidate, ctx)}


def _message(pieces: Pieces, candidate: JSON, native: str) -> JSON:
    text = pieces.text()
    message: JSON = {
        "role": "assistant",
        "content": text if text or not pieces.calls else None,
        "refusal": refusal_of(candidate, native),
    }
    members = {
        "reasoning_content": pieces.text("thinking"),
        "tool_calls": pieces.calls,
        "annotations": decode_annotations(candidate, text),
        "images": pieces.images,
        "audio": pieces.audio,
        "content_blocks": pieces.blocks,
    }
    return {**message, **{key: value for key, value in members.items() if value}}


def _without_candidate(body: JSON) -> JSON:
    """Return the one choice of an answer to a prompt that was refused."""
    reason, said = block_of(body) or (None, None)
    return {
        "index": 0,
        "message": {"role": "assistant", "content": None if said else "", "refusal": said},
        "logprobs": None,
        "finish_reason": "content_filter" if reason else "stop",
        "native_finish_reason": reason,
    }


def natives(candidate: JSON, ctx: Context) -> JSON:
    """Return the candidate's own members that a caller without strict compliance gets."""
    if ctx.compliance:
        return {}
    return {name: value for name in NATIVE if (value := pick(candidate, name)) is not None}


def add_part(part: JSON, pieces: Pieces, ctx: Context) -> None:
    """Add one part: a text or thought as a block, a call as a call, all else as it is."""
    call = pick(part, "functionCall")
    if isinstance(call, dict):
        pieces.calls.append(decode_call(call, part, ctx))
        pieces.places.append(len(pieces.blocks))
    elif isinstance(part.get("text"), str):
        block = text_block(part)
        if part["text"] or "signature" in block:
            pieces.blocks.append(block)
    elif part:
        pieces.blocks.append({"type": "opaque", "wire": WIRE, "value": part})
        add_media(part, pieces, ctx)


def note_places(calls: Iterable[tuple[JSON, int]], blocks: list[hub.Block]) -> None:
    """Say of calls that blocks follow how many stood before; the last ones need no word.

    Thoughts without a signature do not count: they need not come back, and often do not.
    """
    kept_before = list(accumulate(map(is_kept, blocks), initial=0))
    for call, place in calls:
        if place < len(blocks):
            call.setdefault("extra_content", {})["blocks_before"] = kept_before[place]


def is_kept(block: hub.Block) -> bool:
    """Whether a block must come back in the next turn."""
    return block.get("type") != "thinking" or "signature" in block


def text_block(part: JSON) -> hub.Block:
    """Return a text or thought as a block of the hub, with its signature."""
    kind = "thinking" if part.get("thought") is True else "text"
    block = {"type": kind, kind: part["text"]}
    signature = pick(part, "thoughtSignature")
    if not isinstance(signature, str):
        return block
    # Thoughts are signed by several makers, and each refuses the others'.
    own = {"wire": WIRE} if kind == "thinking" else {}
    return {**block, "signature": signature, **own}


def add_media(part: JSON, pieces: Pieces, ctx: Context) -> None:
    """Show a picture or sound also where OpenAI's clients look for it."""
    blob = pick(part, "inlineData")
    if not isinstance(blob, dict) or part.get("thought") is True:
        return
    family = string(pick(blob, "mimeType")).partition("/")[0]
    if family == "image":
        url = {"url": data_url(blob)}
        pieces.images.append({"type": "image_url", "image_url": url, "index": len(pieces.images)})
    elif family == "audio":
        pieces.audio = {
            "id": ctx.new_id("audio_"),
            "data": string(blob.get("data")),
            "expires_at": ctx.now,
            "transcript": "",
        }


def decode_call(call: JSON, part: JSON, ctx: Context) -> JSON:
    """Return a call of a tool in the hub's form."""
    function = decode_function(call)
    found: JSON = {
        "id": string(call.get("id")) or ctx.new_id("call_"),
        "type": "function",
        "function": function,
    }
    signature = pick(part, "thoughtSignature")
    if isinstance(signature, str):
        found["extra_content"] = {"thought_signature": signature}
        if not ctx.compliance:
            function["thought_signature"] = signature
    return found


def decode_function(call: JSON) -> JSON:
    """Return the name of what is called, and its arguments as JSON text."""
    args = call.get("args")
    arguments = written(args) if isinstance(args, dict) else "{}"
    return {"name": string(call.get("name")), "arguments": arguments}


def decode_logprobs(result: object) -> JSON | None:
    """Return log probabilities as OpenAI has them."""
    if not isinstance(result, dict):
        return None
    tops = objects(pick(result, "topCandidates"))
    content = [
        {**_token(chosen), "top_logprobs": _tops(tops, place)}
        for place, chosen in enumerate(objects(pick(result, "chosenCandidates")))
    ]
    return {"content": content, "refusal": None}


def _tops(tops: list[JSON], place: int) -> list[JSON]:
    here = objects(tops[place].get("candidates")) if place < len(tops) else []
    return [_token(top) for top in here]


def _token(candidate: JSON) -> JSON:
    token = string(candidate.get("token"))
    return {
        "token": token,
        "logprob": pick(candidate, "logProbability") or 0.0,
        "bytes": list(token.encode("utf-8", "surrogatepass")),
    }
