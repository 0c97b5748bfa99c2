"""Streams of all doors that say given texts, and what a caller reads of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tests.engine.guarded import CHAT, Answered
from tests.scripted import Scripted, events, stream

HI = [{"role": "user", "content": "Say it."}]
ASKED = {"model": "m", "stream": True, "messages": HI}
NO_APPLE = {"default.contains": {"operator": "none", "words": ["Apple"]}, "deny": True}
NO_PLUM = {"default.contains": {"operator": "none", "words": ["Plum"]}, "deny": True}
LONG_ENOUGH = {"default.wordCount": {"minWords": 3}, "deny": True}
MASKED = {"default.regexReplace": {"rule": r"/secret-\d\d/g", "redactText": "[gone]"}}
NO_MAIL = {"default.pii": {"categories": ["EMAIL_ADDRESS"], "redact": True}}


def piece(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a chunk of a chat stream."""
    delta = {} if text is None else {"content": text}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return {**head, "choices": [choice]}


def chat_events(*texts: str) -> Scripted:
    """Return a chat stream."""
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    last = {**piece(None), "choices": [], "usage": usage}
    role = piece("")
    role["choices"][0]["delta"]["role"] = "assistant"
    return stream(*events(role, *map(piece, texts), piece(None, "stop"), last))


def _named(*payloads: dict[str, Any]) -> Scripted:
    chunks = [
        b"event: %b\ndata: %b\n\n" % (one["type"].encode(), orjson.dumps(one)) for one in payloads
    ]
    return stream(*chunks)


def message_events(*texts: str) -> Scripted:
    """Return Anthropic's stream."""
    start: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
    block = {"type": "text", "text": ""}
    deltas = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text},
        }
        for text in texts
    ]
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return _named(
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    )


def response_events(*texts: str) -> Scripted:
    """Return a stream of the Responses API, which tells its text four times over."""
    whole = "".join(texts)
    part = {"type": "output_text", "text": whole, "annotations": [], "logprobs": []}
    item = {"id": "i", "type": "message", "role": "assistant", "status": "completed"}
    at = {"item_id": "i", "output_index": 0, "content_index": 0}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    begun = {"id": "r", "object": "response", "created_at": 1, "model": "m", "output": []}
    done = {**begun, "output": [{**item, "content": [part]}], "usage": usage}
    empty = {**part, "text": ""}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**begun, "status": "in_progress"}},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": empty},
        *[{"type": "response.output_text.delta", **at, "delta": t, "logprobs": []} for t in texts],
        {"type": "response.output_text.done", **at, "text": whole, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**item, "content": [part]},
        },
        {"type": "response.completed", "response": {**done, "status": "completed"}},
    ]
    return _named(*[{**one, "sequence_number": number} for number, one in enumerate(told)])


def candidate_events(*texts: str) -> Scripted:
    """Return Gemini's stream."""

    def chunk(text: str, **more: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": [{"text": text}]}
        return {
            "candidates": [{"content": content, "index": 0, **more}],
            "modelVersion": "m",
            "responseId": "r",
        }

    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    last = {**chunk(texts[-1], finishReason="STOP"), "usageMetadata": usage}
    return stream(*events(*map(chunk, texts[:-1]), last, done=False))


# ---- doors


def told(answered: Answered) -> list[dict[str, Any]]:
    """Return the events of a stream, be they elements of an array."""
    if answered.raw.startswith(b"["):
        whole = answered.raw if answered.raw.endswith(b"]") else answered.raw + b"]"
        found: list[dict[str, Any]] = orjson.loads(whole)
        return found
    return [event for event in answered.events if isinstance(event, dict)]


def _chat_text(events: Sequence[dict[str, Any]]) -> str:
    choices = [choice for event in events for choice in event.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def _messages_text(events: Sequence[dict[str, Any]]) -> str:
    deltas = [event["delta"] for event in events if event.get("type") == "content_block_delta"]
    return "".join(delta.get("text", "") for delta in deltas)


def _responses_text(events: Sequence[dict[str, Any]]) -> str:
    kind = "response.output_text.delta"
    return "".join(event["delta"] for event in events if event.get("type") == kind)


def _gemini_text(events: Sequence[dict[str, Any]]) -> str:
    parts = [
        part
        for event in events
        for candidate in event.get("candidates", ())
        for part in candidate.get("content", {}).get("parts", ())
    ]
    return "".join(part.get("text", "") for part in parts)


def _chat_finish(event: dict[str, Any]) -> Any:
    return event["choices"][0]["finish_reason"]


def _messages_finish(event: dict[str, Any]) -> Any:
    return event["delta"]["stop_reason"]


def _responses_finish(event: dict[str, Any]) -> Any:
    return event["response"]["incomplete_details"]["reason"]


def _gemini_finish(event: dict[str, Any]) -> Any:
    return event["candidates"][0]["finishReason"]


@dataclass(frozen=True)
class Door:
    """A way to ask for a stream, and how to read it."""

    name: str
    path: str
    body: dict[str, Any]
    text: Callable[[Sequence[dict[str, Any]]], str]
    finish: Callable[[dict[str, Any]], Any]
    denied: str
    """The reason with which it ends a denied stream."""
    query: str = ""


_GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Say it."}]}]}
_STREAMED = "/v1beta/models/m:streamGenerateContent"
DOORS = (
    Door("chat", CHAT, ASKED, _chat_text, _chat_finish, "content_filter"),
    Door(
        "messages",
        "/v1/messages",
        {**ASKED, "max_tokens": 9},
        _messages_text,
        _messages_finish,
        "refusal",
    ),
    Door(
        "responses",
        "/v1/responses",
        {"model": "m", "stream": True, "input": "Say it."},
        _responses_text,
        _responses_finish,
        "content_filter",
    ),
    Door("gemini", _STREAMED, _GEMINI, _gemini_text, _gemini_finish, "SAFETY", "alt=sse"),
    Door("gemini as an array", _STREAMED, _GEMINI, _gemini_text, _gemini_finish, "SAFETY"),
)
TARGETS: dict[str, Callable[..., Scripted]] = {
    "openai": chat_events,
    "anthropic": message_events,
    "google": candidate_events,
}


def answer_of(door: Door, provider: str) -> Callable[..., Scripted]:
    """Return what makes the stream of a provider that is asked through a door."""
    if door.name == "responses" and provider == "openai":
        return response_events
    return TARGETS[provider]


def results_of(answered: Answered) -> list[dict[str, Any]]:
    """Return the results that an answer tells, one for each event that tells any."""
    return [event["hook_results"] for event in told(answered) if "hook_results" in event]


def said(answered: Answered) -> str:
    """Return all that an answer tells but its guardrails' results, which may quote."""
    shown = [
        {name: value for name, value in event.items() if name != "hook_results"}
        for event in told(answered)
    ]
    return orjson.dumps(shown).decode()
