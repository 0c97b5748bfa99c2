"""Chat Completions and the older Completions, as the fake provider answers them.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from llmgateway.testing import words
from llmgateway.testing.answers import (
    CREATED,
    DONE,
    Answer,
    Event,
    FakeError,
    Stream,
    as_json,
    count_field,
    sse,
    stable_id,
    text_field,
)
from llmgateway.testing.script import Script
from llmgateway.types import JSON

MAX_CHOICES = 128
_ARGUMENT_PIECE = re.compile(r".{1,8}", re.DOTALL)
_STREAM_ERROR = sse(
    {
        "error": {
            "message": "The model failed in the middle of its answer.",
            "type": "server_error",
            "param": None,
            "code": "stream_failed",
        }
    }
)


@dataclass(frozen=True, slots=True)
class _Reply:
    """What every choice of one answer says."""

    text: str | None
    tool_calls: list[JSON]
    finish_reason: str
    usage: JSON

    @property
    def message(self) -> JSON:
        message: JSON = {
            "role": "assistant",
            "content": self.text,
            "refusal": None,
            "annotations": [],
        }
        return {**message, "tool_calls": self.tool_calls} if self.tool_calls else message


def chat(body: JSON, script: Script) -> Answer | Stream:
    """Answer `POST /v1/chat/completions`."""
    model = text_field(body, "model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        raise FakeError(400, "'messages' must be a list of one message or more.", param="messages")
    choices = count_field(body, "n", 1, MAX_CHOICES)
    reply = _reply(body, messages, choices, script)
    head = {
        "id": stable_id("chatcmpl-", body),
        "created": CREATED,
        "model": model,
        "system_fingerprint": "fp_fake",
    }
    if body.get("stream") is True:
        head["object"] = "chat.completion.chunk"
        return Stream(_chat_events(head, reply, choices, asks_for_usage(body)), _STREAM_ERROR)
    return as_json(
        {
            **head,
            "object": "chat.completion",
            "choices": [_choice(index, reply) for index in range(choices)],
            "usage": reply.usage,
        }
    )


def asks_for_usage(body: JSON) -> bool:
    """Tell whether `stream_options.include_usage` is set."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _choice(index: int, reply: _Reply) -> JSON:
    return {
        "index": index,
        "message": reply.message,
        "logprobs": None,
        "finish_reason": reply.finish_reason,
    }


def _reply(body: JSON, messages: list[Any], choices: int, script: Script) -> _Reply:
    last = messages[-1]
    read = words.count(words.plain(m.get("content")) for m in messages if isinstance(m, dict))
    tool = chosen_tool(body.get("tools"), body.get("tool_choice"), last.get("role") == "user")
    if tool is not None:
        function = tool.get("function", {})
        arguments = tool_arguments(function, words.plain(last.get("content")))
        call = {
            "id": stable_id("call_", body),
            "type": "function",
            "function": {"name": function.get("name", ""), "arguments": arguments},
        }
        return _Reply(None, [call], "tool_calls", _usage(read, choices * words.count([arguments])))
    text = words.as_asked(
        words.reply_to(last, script.tokens, script.says), body.get("response_format")
    )
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    text, was_cut = words.cut(text, limit)
    usage = _usage(read, choices * words.count([text]))
    return _Reply(text, [], "length" if was_cut else "stop", usage)


def chosen_tool(tools: Any, choice: Any, after_user: bool) -> JSON | None:
    """Return the function to call: the one that is asked for, else the first after a user's turn.

    Takes the chat form of tools and choices, and the flat one of the Responses API.
    """
    given = tools if isinstance(tools, list) else ()
    offered = [t for t in given if isinstance(t, dict) and t.get("type") == "function"]
    if not offered or choice == "none":
        return None
    if isinstance(choice, dict):
        wanted = choice.get("function", choice).get("name")
        return next((t for t in offered if t.get("function", t).get("name") == wanted), None)
    return offered[0] if after_user or choice == "required" else None


def tool_arguments(function: JSON, text: str) -> str:
    """Return arguments, as JSON text, that fit a function's parameters."""
    return orjson.dumps(
        words.sample(function.get("parameters") or {"type": "object"}, text)
    ).decode()


def _usage(read: int, written: int) -> JSON:
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _chat_events(head: JSON, reply: _Reply, choices: int, with_usage: bool) -> Iterator[Event]:
    # With `include_usage` every chunk has the member, null in all but the last.
    extra: JSON = {"usage": None} if with_usage else {}

    def chunk(index: int, delta: JSON, finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse({**head, "choices": [choice], **extra})

    for index in range(choices):
        yield Event(chunk(index, {"role": "assistant", "content": "", "refusal": None}))
    for delta in _deltas(reply):
        for index in range(choices):
            yield Event(chunk(index, delta), content=True)
    for index in range(choices):
        yield Event(chunk(index, {}, reply.finish_reason))
    if with_usage:
        yield Event(sse({**head, "choices": [], "usage": reply.usage}))
    yield DONE


def _deltas(reply: _Reply) -> Iterator[JSON]:
    for index, call in enumerate(reply.tool_calls):
        function = call["function"]
        first = {**call, "function": {**function, "arguments": ""}}
        yield {"tool_calls": [{"index": index, **first}]}
        for piece in _ARGUMENT_PIECE.findall(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    for piece in words.pieces(reply.text or ""):
        yield {"content": piece}


def completions(body: JSON, script: Script) -> Answer | Stream:
    """Answer `POST /v1/completions`."""
    model = text_field(body, "model")
    prompts = _prompts(body.get("prompt", "<|endoftext|>"))
    per_prompt = count_field(body, "n", 1, MAX_CHOICES)
    texts = [
        text for prompt in prompts for text in [_completion(prompt, body, script)] * per_prompt
    ]
    usage = _usage(words.count(prompts), words.count(text for text, _ in texts))
    head = {
        "id": stable_id("cmpl-", body),
        "object": "text_completion",
        "created": CREATED,
        "model": model,
    }
    if body.get("stream") is True:
        return Stream(_completion_events(head, texts, usage, asks_for_usage(body)), _STREAM_ERROR)
    choices = [_text_choice(i, text, finish) for i, (text, finish) in enumerate(texts)]
    return as_json({**head, "choices": choices, "usage": usage})


def _prompts(prompt: Any) -> list[str]:
    """Return the prompts; one given as token numbers is spelled out in numbers."""
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, list) and all(isinstance(part, int) for part in prompt):
        return [" ".join(str(number) for number in prompt)]
    if isinstance(prompt, list):
        return [text for part in prompt for text in _prompts(part)]
    raise FakeError(400, "'prompt' must be a text, a list of texts or of tokens.", param="prompt")


def _completion(prompt: str, body: JSON, script: Script) -> tuple[str, str]:
    text = words.reply_to({"role": "user", "content": prompt}, script.tokens, script.says)
    text, was_cut = words.cut(text, body.get("max_tokens"))
    return (prompt + text if body.get("echo") is True else text), "length" if was_cut else "stop"


def _text_choice(index: int, text: str, finish: str | None) -> JSON:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


def _completion_events(
    head: JSON, texts: list[tuple[str, str]], usage: JSON, with_usage: bool
) -> Iterator[Event]:
    extra: JSON = {"usage": None} if with_usage else {}
    for index, (text, finish) in enumerate(texts):
        for piece in words.pieces(text):
            choice = _text_choice(index, piece, None)
            yield Event(sse({**head, "choices": [choice], **extra}), content=True)
        yield Event(sse({**head, "choices": [_text_choice(index, "", finish)], **extra}))
    if with_usage:
        yield Event(sse({**head, "choices": [], "usage": usage}))
    yield DONE
