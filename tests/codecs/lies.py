"""Rich answers of each provider, whole and streamed, and ways to spoil them."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from llmgateway.codecs.base import Codec, Door, Event
from llmgateway.codecs.chat import CHAT_CODEC, CHAT_DOOR
from llmgateway.codecs.generate_content import GENERATE_CONTENT_CODEC, GENERATE_CONTENT_DOOR
from llmgateway.codecs.messages import MESSAGES_CODEC, MESSAGES_DOOR
from llmgateway.codecs.responses import RESPONSES_DOOR

JSON = dict[str, Any]

CODECS: dict[str, Codec] = {
    "chat": CHAT_CODEC,
    "messages": MESSAGES_CODEC,
    "generate_content": GENERATE_CONTENT_CODEC,
}
DOORS: dict[str, Door] = {
    "chat": CHAT_DOOR,
    "messages": MESSAGES_DOOR,
    "responses": RESPONSES_DOOR,
    "generate_content": GENERATE_CONTENT_DOOR,
}

_PAGE = {"type": "url_citation", "url_citation": {
    "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3,
}}  # fmt: skip
_CHAT_USAGE = {
    "prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 1},
}  # fmt: skip
_TOKEN = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
_CHAT_MESSAGE = {
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "text", "text": "Hi "},
        {"type": "reference", "reference_ids": [1]},
        "you",
    ],
    "reasoning_details": [
        {"type": "reasoning.text", "index": 0, "text": "Hm", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 1, "data": "d"},
    ],
    "refusal": "No.",
    "annotations": [_PAGE],
    "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
    "audio": {"id": "a", "data": "AAAA", "expires_at": 1, "transcript": "Hi"},
    "extra_content": {"google": {"thought": True}, "content_blocks": [{"type": "text"}]},
    "tool_calls": [
        {
            "index": 0, "id": "c1", "type": "function",
            "function": {"name": "find", "arguments": '{"q": 1}'},
            "extra_content": {
                "thought_signature": "s", "blocks_before": 1, "messages": {"index": 0},
                "google": {"thought_signature": "t"},
            },
        },
        {"index": 1, "id": "c2", "type": "custom", "custom": {"name": "raw", "input": "x"}},
    ],
}  # fmt: skip
_CHAT_CHOICE = {
    "index": 0,
    "finish_reason": "tool_calls",
    "native_finish_reason": "done",
    "logprobs": {"content": [{**_TOKEN, "top_logprobs": [_TOKEN]}], "refusal": None},
}
_CHAT_HEAD = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}

_CITED = [
    {
        "type": "web_search_result_location", "url": "https://a.example", "title": "A",
        "encrypted_index": "e", "cited_text": "Hi",
    },
    {
        "type": "page_location", "document_index": 0, "document_title": "D", "cited_text": "Hi",
        "start_page_number": 1, "end_page_number": 2,
    },
]  # fmt: skip
_MESSAGES_USAGE = {
    "input_tokens": 9, "output_tokens": 5, "cache_read_input_tokens": 1,
    "cache_creation_input_tokens": 2, "cache_creation": {"ephemeral_1h_input_tokens": 1},
    "output_tokens_details": {"thinking_tokens": 1},
    "iterations": [{"input_tokens": 10, "output_tokens": 6}],
}  # fmt: skip
_MESSAGES_BLOCKS: list[JSON] = [
    {"type": "thinking", "thinking": "Hm", "signature": "s"},
    {"type": "redacted_thinking", "data": "d"},
    {"type": "text", "text": "Hi you", "citations": _CITED},
    {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": 1}, "caller": {"type": "x"}},
    {"type": "server_tool_use", "id": "t2", "name": "web_search", "input": {"q": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "t2", "content": [{"url": "u"}]},
    {"type": "text", "text": "Bye"},
]
_MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
    "content": _MESSAGES_BLOCKS, "stop_reason": "tool_use", "stop_sequence": None,
    "stop_details": {"type": "refusal", "explanation": "No."}, "usage": _MESSAGES_USAGE,
}  # fmt: skip


def _messages_events() -> list[JSON]:
    events: list[JSON] = [{"type": "message_start", "message": {**_MESSAGE, "content": []}}]
    deltas: dict[str, list[JSON]] = {
        "thinking": [
            {"type": "thinking_delta", "thinking": "Hm"},
            {"type": "signature_delta", "signature": "s"},
        ],
        "text": [
            {"type": "text_delta", "text": "Hi"},
            *({"type": "citations_delta", "citation": one} for one in _CITED),
        ],
        "tool_use": [
            {"type": "input_json_delta", "partial_json": piece} for piece in ('{"q":', "1}")
        ],
        "server_tool_use": [{"type": "input_json_delta", "partial_json": '{"q": "x"}'}],
        "web_search_tool_result": [{"type": "odd_delta", "content": "x", "more": "y"}],
    }
    for index, block in enumerate(_MESSAGES_BLOCKS):
        kind = block["type"]
        empty: dict[str, JSON] = {
            "text": {"text": ""},
            "thinking": {"thinking": ""},
            "tool_use": {"input": {}},
        }
        start = {**block, **empty.get(kind, {})}
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [
            {"type": "content_block_delta", "index": index, "delta": delta}
            for delta in deltas.get(kind, [])
        ]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": "tool_use", "stop_details": {"explanation": "No."}}
    end = {"type": "message_delta", "delta": delta, "usage": _MESSAGES_USAGE}
    return [*events, end, {"type": "message_stop"}]


_PARTS = [
    {"text": "Hm", "thought": True, "thoughtSignature": "cw=="},
    {"text": "Hi you"},
    {"functionCall": {"id": "f1", "name": "find", "args": {"q": 1}}, "thoughtSignature": "cw=="},
    {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
    {"executableCode": {"language": "PYTHON", "code": "1"}},
    {"text": "Bye", "thoughtSignature": "cw=="},
]
_CANDIDATE = {
    "content": {"role": "model", "parts": _PARTS},
    "finishReason": "SAFETY",
    "finishMessage": "No.",
    "index": 0,
    "groundingMetadata": {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [{
            "segment": {"startIndex": 0, "endIndex": 2, "text": "Hi"},
            "groundingChunkIndices": [0],
        }],
    },
    "citationMetadata": {"citations": [{"uri": "https://b.example", "startIndex": 1}]},
    "logprobsResult": {
        "topCandidates": [{"candidates": [{"token": "Hi", "logProbability": -0.5}]}],
        "chosenCandidates": [{"token": "Hi", "logProbability": -0.5}],
    },
}  # fmt: skip
_GEMINI = {
    "candidates": [_CANDIDATE],
    "usageMetadata": {
        "promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 15,
        "thoughtsTokenCount": 1, "cachedContentTokenCount": 1,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}],
    },
    "promptFeedback": {"blockReason": None, "blockReasonMessage": None},
    "modelVersion": "m",
    "responseId": "r",
}  # fmt: skip


def _gemini_events() -> list[JSON]:
    pieces: list[JSON] = [
        {"functionCall": {"name": "go", "willContinue": True}},
        {"functionCall": {
            "partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "x", "willContinue": True}],
            "willContinue": True,
        }},
        {"functionCall": {
            "partialArgs": [{"jsonPath": "$.a[0].b", "stringValue": "y"}], "willContinue": False,
        }},
    ]  # fmt: skip
    quiet = {"content": {"parts": []}, "index": 0}
    return [
        *(
            {**_GEMINI, "candidates": [{**quiet, "content": {"role": "model", "parts": [part]}}]}
            for part in [*_PARTS, *pieces, {"text": "End"}]
        ),
        {**_GEMINI, "candidates": [{**_CANDIDATE, "content": {"parts": [{"text": "."}]}}]},
    ]


def _chat_events() -> list[JSON]:
    head = {**_CHAT_HEAD, "object": "chat.completion.chunk", "service_tier": "default"}
    deltas: list[JSON] = [
        {"role": "assistant", "content": "", "reasoning_content": "Hm"},
        {"content": "Hi", "reasoning_details": _CHAT_MESSAGE["reasoning_details"]},
        _CHAT_MESSAGE,
        {"tool_calls": [{"index": 0, "function": {"arguments": " "}}]},
        {"function_call": {"name": "old", "arguments": "{}"}},
        {"content": {"json": 1}},
    ]
    quiet = {**_CHAT_CHOICE, "finish_reason": None}
    return [
        *({**head, "choices": [{**quiet, "delta": delta}]} for delta in deltas),
        {**head, "choices": [{**_CHAT_CHOICE, "delta": {}}]},
        {**head, "choices": [], "usage": _CHAT_USAGE},
    ]


WHOLE: dict[str, JSON] = {
    "chat": {
        **_CHAT_HEAD,
        "service_tier": "default",
        "choices": [{**_CHAT_CHOICE, "message": _CHAT_MESSAGE}],
        "usage": _CHAT_USAGE,
    },
    "messages": _MESSAGE,
    "generate_content": _GEMINI,
}
STREAMS: dict[str, list[JSON]] = {
    "chat": _chat_events(),
    "messages": _messages_events(),
    "generate_content": _gemini_events(),
}


def event_of(body: Any) -> Event:
    """Return an event of a stream."""
    data = json.dumps(body).encode()
    kind = body.get("type") if isinstance(body, dict) else None
    return Event(b"data: " + data + b"\n\n", kind if isinstance(kind, str) else None, data)


# ---- lies

_LIES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2.5, 10**18, -(10**18), "", "x", "text", "messages", [], [None],
    ["x"], [["x"]], [1], {}, {"a": 1}, {"type": "text"}, {"type": ["x"]}, [{"type": "text"}],
    1e300, 2**63, {"text": ["x"]}, [{}], "text/plain", "data:x", "https://[", "\ud800",
)  # fmt: skip


def spoiled(body: Any, dice: random.Random) -> Any:
    """Return a body with some of its members told otherwise, left out, nested, or swapped."""
    told = copy.deepcopy(body)
    for _ in range(dice.choice((1, 1, 2, 3, 5))):
        places = list(_places(told))
        if not places:
            break
        holder, key = dice.choice(places)
        value = holder[key]
        match dice.randrange(8):
            case 0:
                del holder[key]
            case 1:
                holder[key] = [value]
            case 2:
                holder[key] = {"x": value, "type": "text"}
            case 3:
                other, name = dice.choice(places)
                if isinstance(other, dict) and name not in other:
                    continue
                if isinstance(other, list) and name >= len(other):
                    continue
                holder[key] = copy.deepcopy(other[name])
            case 4 if isinstance(value, list):
                value.append(copy.deepcopy(dice.choice(value)) if value else None)
            case 5 if isinstance(holder, dict):
                holder[dice.choice(_NAMES)] = copy.deepcopy(dice.choice(_LIES))
            case _:
                holder[key] = copy.deepcopy(dice.choice(_LIES))
    return told


_NAMES = (
    "content", "content_blocks", "delta", "extra_content", "function", "id", "index", "input",
    "message", "model", "name", "reasoning", "reasoning_content", "text", "thinking", "thought",
    "tool_calls", "type", "usage", "wire",
)  # fmt: skip


def _places(value: Any) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _places(inner)
    elif isinstance(value, list):
        for key, inner in enumerate(value):
            yield value, key
            yield from _places(inner)
