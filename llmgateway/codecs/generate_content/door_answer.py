"""Writes a hub answer as a GenerateContentResponse."""

from __future__ import annotations

from collections import deque
from typing import Any

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context
from llmgateway.codecs.generate_content.answer import is_kept
from llmgateway.codecs.generate_content.carried import encode_block, signature_for
from llmgateway.codecs.generate_content.finish import encode_finish
from llmgateway.codecs.generate_content.grounding import encode_grounding
from llmgateway.codecs.generate_content.media import by_url
from llmgateway.codecs.generate_content.shape import (
    an_object,
    number,
    objects,
    parsed,
    string,
)
from llmgateway.codecs.generate_content.turns import signature_of
from llmgateway.codecs.generate_content.usage import write_usage
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON


def encode_response(body: JSON, ctx: Context) -> JSON:
    """Return the answer; a refusal's words are its `finishMessage`, and its text if it has none."""
    return envelope(
        body, ctx, [_candidate(choice, place) for place, choice in _numbered(body.get("choices"))]
    )


def envelope(body: JSON, ctx: Context, candidates: list[JSON]) -> JSON:
    """Return a response around some candidates."""
    answer: JSON = {
        "candidates": candidates,
        "modelVersion": string(body.get("model")) or ctx.model,
        "responseId": string(body.get("id")) or ctx.new_id("resp_"),
    }
    usage = hub.usage_of(body.get("usage"))
    return answer if usage is None else {**answer, "usageMetadata": write_usage(usage)}


def _numbered(choices: object) -> list[tuple[int, JSON]]:
    return [
        (place if (index := number(choice.get("index"))) is None else index, choice)
        for place, choice in enumerate(objects(choices))
    ]


def _candidate(choice: JSON, index: int) -> JSON:
    message = an_object(choice.get("message"))
    parts = _parts(message)
    refusal = string(message.get("refusal"))
    reason = string(choice.get("finish_reason"))
    candidate: JSON = {
        "content": {"role": "model", "parts": parts or [{"text": refusal}]},
        "finishReason": encode_finish(reason),
        "index": index,
    }
    if refusal:
        candidate["finishMessage"] = refusal
    text = "".join(string(part.get("text")) for part in parts if not part.get("thought"))
    return {**candidate, **extras(message.get("annotations"), text, choice.get("logprobs"))}


def extras(annotations: object, text: str, logprobs: object) -> JSON:
    """Return the members that only some candidates have."""
    found: JSON = {}
    if grounding := encode_grounding(annotations, text):
        found["groundingMetadata"] = grounding
    if result := encode_logprobs(logprobs):
        found["logprobsResult"] = result
    return found


def _parts(message: JSON) -> list[JSON]:
    """Return the parts of a message: blocks in order, calls at their places, pictures last."""
    blocks = hub.blocks_of(message)
    if not any(block.get("type") == "thinking" for block in blocks):
        thought = string(message.get("reasoning_content"))
        blocks = [{"type": "thinking", "thinking": thought}, *blocks] if thought else blocks
    parts: list[JSON] = []
    calls = deque(objects(message.get("tool_calls")))
    kept = 0
    for block in blocks:
        while calls and (before := _place(calls[0])) is not None and before <= kept:
            parts.append(call_part(calls.popleft()))
        kept += is_kept(block)
        if (part := encode_block(block)) is not None:
            parts.append(part)
    parts += [call_part(call) for call in calls]
    if any(block.get("type") == "opaque" for block in blocks):
        return parts  # a picture stands among them, as its own maker wrote it
    return parts + picture_parts(message.get("images"))


def _place(call: JSON) -> int | None:
    return number(an_object(call.get("extra_content")).get("blocks_before"))


def call_part(call: JSON) -> JSON:
    """Return a call of a tool as a part."""
    function = an_object(call.get("function"))
    args = parsed(string(function.get("arguments")))
    within: JSON = {
        "name": string(function.get("name")),
        "args": args if isinstance(args, dict) else {},
    }
    if call_id := string(call.get("id")):
        within = {"id": call_id, **within}
    signature = signature_of(call)
    signed = {"thoughtSignature": signature_for(signature, is_own=True)} if signature else {}
    return {"functionCall": within, **signed}


def picture_parts(images: object) -> list[JSON]:
    """Return the pictures of an answer as parts; one that cannot be read is left out."""
    parts = []
    for image in objects(images):
        url = string(an_object(image.get("image_url")).get("url"))
        try:
            parts.append(by_url(url, "", "image/png"))
        except InvalidRequest:
            continue
    return parts


def encode_logprobs(logprobs: object) -> JSON:
    """Return log probabilities as the API has them; empty if there are none."""
    tokens = objects(an_object(logprobs).get("content"))
    if not tokens:
        return {}
    tops = [
        {"candidates": [_token(top) for top in objects(token.get("top_logprobs"))]}
        for token in tokens
    ]
    return {"chosenCandidates": list(map(_token, tokens)), "topCandidates": tops}


def _token(token: JSON) -> JSON:
    value: Any = token.get("logprob")
    return {
        "token": string(token.get("token")),
        "logProbability": value if isinstance(value, int | float) else 0.0,
    }
