"""What providers answer, whole and streamed, by feature; shaped as their recordings are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

JSON = dict[str, Any]

TEXT: Final = "It is mild in Köln."
THOUGHT: Final = "They want the weather."
SIGNATURE: Final = "EqQBCgIYAhIkc2lnbmVkIGJ5IHRoZSBtb2RlbA=="
"""A signature that must come back byte for byte."""
CALL_SIGNATURE: Final = "CtkBAdHtim9zaWduZWQgY2FsbA=="
TEXT_SIGNATURE: Final = "CikBAdHtim9zaWduZWQgdGV4dA=="
SOURCE: Final = "https://weather.example/koeln"
WORDS: Final = '{"city":"Köln","degrees":9}'
NO: Final = "I cannot help with that."
CALLS: Final = (("call_a", "weather", {"city": "Köln"}), ("call_b", "clock", {"city": "Köln"}))

# ---- anthropic

_CITED: Final[JSON] = {
    "type": "web_search_result_location",
    "cited_text": "mild",
    "encrypted_index": "Eo8BCioIAhgBIiQ=",
    "title": "Köln",
    "url": SOURCE,
}
_SEARCHED: Final[list[JSON]] = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "k"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [
            {
                "type": "web_search_result",
                "url": SOURCE,
                "title": "Köln",
                "encrypted_content": "EqgfCioI",
                "page_age": None,
            }
        ],
    },
]
_THINKING: Final[JSON] = {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}
_TOOL_USES: Final[list[JSON]] = [
    {"type": "tool_use", "id": id, "name": name, "input": args} for id, name, args in CALLS
]


def _message(*content: JSON, stop: str = "end_turn", **members: Any) -> JSON:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **members,
    }


def _words(text: str = TEXT, **members: Any) -> JSON:
    return {"type": "text", "text": text, **members}


ANTHROPIC: Final[dict[str, JSON]] = {
    "plain": _message(_words()),
    "tools": _message(_words(), *_TOOL_USES, stop="tool_use"),
    "forced": _message(_TOOL_USES[1], stop="tool_use"),
    "thinking": _message(_THINKING, _words()),
    "search": _message(*_SEARCHED, _words(citations=[_CITED])),
    "stop": _message(_words(), stop="stop_sequence", stop_sequence="END"),
    "structured": _message(_words(WORDS)),
    "refusal": _message(
        stop="refusal",
        stop_details={"type": "refusal", "category": None, "explanation": NO},
    ),
    "cut": _message(_words(), stop="max_tokens"),
    "usage": _message(
        _words(),
        usage={
            "input_tokens": 10,
            "cache_read_input_tokens": 6,
            "cache_creation_input_tokens": 4,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 5,
        },
    ),
    "agent": _message(_THINKING, _words(), *_TOOL_USES, stop="tool_use"),
}


def anthropic_events(message: JSON) -> Iterator[bytes]:
    """Stream a message, each text in pieces."""
    usage = {**message["usage"], "output_tokens": 1}
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    start.pop("stop_details", None)
    yield _named({"type": "message_start", "message": start})
    yield _named({"type": "ping"})
    for index, block in enumerate(message["content"]):
        empty, deltas = _in_pieces(block)
        yield _named({"type": "content_block_start", "index": index, "content_block": empty})
        for delta in deltas:
            yield _named({"type": "content_block_delta", "index": index, "delta": delta})
        yield _named({"type": "content_block_stop", "index": index})
    names = ("stop_reason", "stop_sequence", "stop_details")
    delta = {name: message[name] for name in names if name in message}
    last = {"output_tokens": message["usage"]["output_tokens"]}
    yield _named({"type": "message_delta", "delta": delta, "usage": last})
    yield _named({"type": "message_stop"})


def _in_pieces(block: JSON) -> tuple[JSON, list[JSON]]:
    match block["type"]:
        case "text":
            cited = block.get("citations", ())
            deltas = [
                *({"type": "citations_delta", "citation": one} for one in cited),
                *({"type": "text_delta", "text": piece} for piece in _halves(block["text"])),
            ]
            return {"type": "text", "text": "", **({"citations": []} if cited else {})}, deltas
        case "thinking":
            pieces = _halves(block["thinking"])
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed]
        case "tool_use" | "server_tool_use":
            told = orjson.dumps(block["input"]).decode()
            pieces = ["", *_halves(told)]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            return {**block, "input": {}}, deltas
    return block, []


def _halves(text: str) -> list[str]:
    return [text[:7], text[7:]]


def _named(event: JSON) -> bytes:
    return f"event: {event['type']}\n".encode() + b"data: " + orjson.dumps(event) + b"\n\n"


# ---- google

_CALL_PARTS: Final[list[JSON]] = [
    {"functionCall": {"id": id, "name": name, "args": args}} for id, name, args in CALLS
]
_SIGNED_CALLS: Final = [{**_CALL_PARTS[0], "thoughtSignature": CALL_SIGNATURE}, _CALL_PARTS[1]]
_THOUGHT_PART: Final[JSON] = {"text": THOUGHT, "thought": True}
_GROUNDING: Final[JSON] = {
    "webSearchQueries": ["köln weather"],
    "groundingChunks": [{"web": {"uri": SOURCE, "title": "Köln"}}],
    "groundingSupports": [
        {
            "segment": {"startIndex": 6, "endIndex": 10, "text": "mild"},
            "groundingChunkIndices": [0],
        }
    ],
}
_COUNTS: Final = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def _gemini(*parts: JSON, finish: str = "STOP", **members: Any) -> JSON:
    candidate = {
        "content": {"role": "model", "parts": list(parts)},
        "finishReason": finish,
        "index": 0,
        **members,
    }
    return {
        "candidates": [candidate],
        "usageMetadata": _COUNTS,
        "modelVersion": "gemini-3-flash-preview",
        "responseId": "r-1",
    }


GOOGLE: Final[dict[str, JSON]] = {
    "plain": _gemini({"text": TEXT}),
    "tools": _gemini({"text": TEXT}, *_SIGNED_CALLS),
    "forced": _gemini(_CALL_PARTS[1]),
    "thinking": _gemini(_THOUGHT_PART, {"text": TEXT, "thoughtSignature": TEXT_SIGNATURE}),
    "search": _gemini({"text": TEXT}, groundingMetadata=_GROUNDING),
    "stop": _gemini({"text": TEXT}),
    "structured": _gemini({"text": WORDS}),
    "refusal": _gemini(finish="SAFETY", finishMessage=NO),
    "cut": _gemini({"text": TEXT}, finish="MAX_TOKENS"),
    "usage": {
        **_gemini({"text": TEXT}),
        "usageMetadata": {
            "promptTokenCount": 16,
            "cachedContentTokenCount": 6,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 3,
            "totalTokenCount": 24,
        },
    },
    "agent": _gemini(_THOUGHT_PART, *_SIGNED_CALLS),
}


def google_events(body: JSON) -> Iterator[bytes]:
    """Stream an answer, each text in two events; a signature comes with the last piece."""
    (candidate,) = body["candidates"]
    head = {name: body[name] for name in ("modelVersion", "responseId", "usageMetadata")}
    for part in candidate["content"]["parts"]:
        pieces = _halves(part["text"]) if "text" in part else []
        bare = {name: value for name, value in part.items() if name != "thoughtSignature"}
        for piece in pieces[:-1]:
            yield _piece(head, {"parts": [{**bare, "text": piece}]})
        last = {**part, "text": pieces[-1]} if pieces else part
        yield _piece(head, {"parts": [last]})
    ending = {name: value for name, value in candidate.items() if name not in ("content", "index")}
    yield _piece(head, {"parts": [{"text": ""}]}, **ending)


def _piece(head: JSON, content: JSON, **members: Any) -> bytes:
    candidate = {"content": {"role": "model", **content}, "index": 0, **members}
    return b"data: " + orjson.dumps({"candidates": [candidate], **head}) + b"\r\n\r\n"


# ---- openai


def _chat(message: JSON, finish: str = "stop", **members: Any) -> JSON:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "refusal": None, **message},
        "logprobs": None,
        "finish_reason": finish,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-5-mini-2025-08-07",
        "choices": [choice],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        **members,
    }


_TOOL_CALLS: Final[list[JSON]] = [
    {
        "id": id,
        "type": "function",
        "function": {"name": name, "arguments": orjson.dumps(args).decode()},
    }
    for id, name, args in CALLS
]
_NOTE: Final[JSON] = {
    "type": "url_citation",
    "url_citation": {"start_index": 6, "end_index": 10, "url": SOURCE, "title": "Köln"},
}

OPENAI: Final[dict[str, JSON]] = {
    "plain": _chat({"content": TEXT}),
    "tools": _chat({"content": TEXT, "tool_calls": _TOOL_CALLS}, "tool_calls"),
    "forced": _chat({"tool_calls": _TOOL_CALLS[1:]}, "tool_calls"),
    "thinking": _chat({"content": TEXT, "reasoning_content": THOUGHT}),
    "search": _chat({"content": TEXT, "annotations": [_NOTE]}),
    "stop": _chat({"content": TEXT}),
    "structured": _chat({"content": WORDS}),
    "refusal": _chat({"refusal": NO}),
    "cut": _chat({"content": TEXT}, "length"),
    "usage": _chat(
        {"content": TEXT},
        usage={
            "prompt_tokens": 16,
            "completion_tokens": 8,
            "total_tokens": 24,
            "prompt_tokens_details": {"cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    ),
    "agent": _chat({"content": TEXT, "tool_calls": _TOOL_CALLS}, "tool_calls"),
}


def openai_events(body: JSON) -> Iterator[bytes]:
    """Stream a completion: a role, pieces, the finish, usage, the sentinel."""
    (choice,) = body["choices"]
    head = {name: body[name] for name in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    message = choice["message"]
    deltas: list[JSON] = [{"role": "assistant", "content": ""}]
    for name in ("reasoning_content", "content", "refusal"):
        deltas += [{name: piece} for piece in _halves(message.get(name) or "") if piece]
    if "annotations" in message:
        deltas.append({"annotations": message["annotations"]})
    for index, call in enumerate(message.get("tool_calls", ())):
        first, rest = _halves(call["function"]["arguments"])
        started = {**call, "index": index, "function": {**call["function"], "arguments": first}}
        more = {"index": index, "function": {"arguments": rest}}
        deltas += [{"tool_calls": [started]}, {"tool_calls": [more]}]
    for delta in deltas:
        yield _data({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    ended = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    yield _data({**head, "choices": [ended]})
    yield _data({**head, "choices": [], "usage": body["usage"]})
    yield b"data: [DONE]\n\n"


def _data(chunk: JSON) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


# ---- all


_BODIES: Final = {"anthropic": ANTHROPIC, "google": GOOGLE, "openai": OPENAI}
_EVENTS: Final = {"anthropic": anthropic_events, "google": google_events, "openai": openai_events}


def whole(provider: str, feature: str) -> bytes:
    """Return a provider's whole answer; a plain one where a feature changes nothing in it."""
    bodies = _BODIES[provider]
    return orjson.dumps(bodies.get(feature, bodies["plain"]))


def streamed(provider: str, feature: str) -> list[bytes]:
    """Return the same answer as the events of a stream."""
    bodies = _BODIES[provider]
    return list(_EVENTS[provider](bodies.get(feature, bodies["plain"])))
