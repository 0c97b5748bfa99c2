"""The doors that guardrails stand at: how each is asked, and what its provider answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from tests.scripted import Scripted, chat


@dataclass(frozen=True)
class Door:
    """One way to ask, at one kind of target."""

    name: str
    provider: str
    path: str
    body: Callable[[str], dict[str, Any]]
    answer: Callable[[str], Scripted]
    said: Callable[[Any], str]
    """What an answer says, in the door's format."""
    error_type: Callable[[Any], Any]
    """The kind of an error, in the door's format."""


def _json(body: object) -> Scripted:
    return Scripted(chunks=[orjson.dumps(body)])


def _user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def completion(text: str) -> Scripted:
    """Return a legacy completion."""
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return _json({"id": "c", "object": "text_completion", "choices": [choice], "usage": usage})


def message(text: str) -> Scripted:
    """Return Anthropic's answer."""
    return _json(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 2},
        }
    )


def response(text: str) -> Scripted:
    """Return an answer of the Responses API."""
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return _json(
        {
            "id": "resp_1",
            "object": "response",
            "status": "completed",
            "model": "m",
            "output": [{**item, "content": [part]}],
            "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        }
    )


def candidate(text: str) -> Scripted:
    """Return Gemini's answer."""
    content = {"role": "model", "parts": [{"text": text}]}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    return _json(
        {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": usage,
        }
    )


def _of_chat(body: Any) -> str:
    return str(body["choices"][0]["message"]["content"])


def _of_messages(body: Any) -> str:
    return str(body["content"][0]["text"])


def _of_responses(body: Any) -> str:
    return str(body["output"][0]["content"][0]["text"])


def _of_gemini(body: Any) -> str:
    return str(body["candidates"][0]["content"]["parts"][0]["text"])


def _type(body: Any) -> Any:
    return body["error"]["type"]


def _messages(text: str) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": _user(text)}


def _responses(text: str) -> dict[str, Any]:
    return {"model": "m", "input": text}


def _gemini(text: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


_GEMINI = "/v1beta/models/m:generateContent"

DOORS = (
    Door(
        "chat",
        "openai",
        "/v1/chat/completions",
        lambda text: {"model": "m", "messages": _user(text)},
        chat,
        _of_chat,
        _type,
    ),
    Door(
        "chat to anthropic",
        "anthropic",
        "/v1/chat/completions",
        lambda text: {"model": "m", "max_tokens": 9, "messages": _user(text)},
        message,
        _of_chat,
        _type,
    ),
    Door(
        "completions",
        "openai",
        "/v1/completions",
        lambda text: {"model": "m", "prompt": text},
        completion,
        lambda body: str(body["choices"][0]["text"]),
        _type,
    ),
    Door(
        "messages",
        "anthropic",
        "/v1/messages",
        _messages,
        message,
        _of_messages,
        lambda body: (body["type"], body["error"]["type"]),
    ),
    Door(
        "messages to openai",
        "openai",
        "/v1/messages",
        _messages,
        chat,
        _of_messages,
        lambda body: (body["type"], body["error"]["type"]),
    ),
    Door(
        "responses",
        "openai",
        "/v1/responses",
        _responses,
        response,
        _of_responses,
        _type,
    ),
    Door(
        "responses to cerebras",
        "cerebras",
        "/v1/responses",
        _responses,
        chat,
        _of_responses,
        _type,
    ),
    Door(
        "gemini",
        "google",
        _GEMINI,
        _gemini,
        candidate,
        _of_gemini,
        lambda body: body["error"]["status"],
    ),
    Door(
        "gemini to openai",
        "openai",
        _GEMINI,
        _gemini,
        chat,
        _of_gemini,
        lambda body: body["error"]["status"],
    ),
)
