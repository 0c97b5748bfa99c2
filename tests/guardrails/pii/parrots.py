"""Doors with a planted prompt in them, and providers that repeat what they are sent.

A provider's parrot hears the system prompt, the last turn and the arguments of the last tool call,
and says them again: the texts as its text, the arguments as those of a call of its own.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson

from llmgateway.types.upstream import UpstreamRequest
from tests.guardrails.pii.planted import Prompt
from tests.scripted import Scripted, events, stream


class Way(NamedTuple):
    """A door and a target behind it."""

    door: str
    provider: str
    parrot: str
    """The target's format."""


NATIVE = (
    Way("chat", "openai", "chat"),
    Way("messages", "anthropic", "messages"),
    Way("responses", "openai", "responses"),
    Way("gemini", "google", "gemini"),
)
TRANSLATED = (
    Way("chat", "anthropic", "messages"),
    Way("messages", "openai", "chat"),
    Way("responses", "cerebras", "chat"),
    Way("gemini", "openai", "chat"),
    Way("chat", "google", "gemini"),
)
_CALL = "call_1"
_SCHEMA = {"type": "object", "properties": {"to": {"type": "array"}}}


# ---- what is asked


def path_of(door: str, is_stream: bool) -> str:
    """Return where a door is."""
    verb = "streamGenerateContent" if is_stream else "generateContent"
    return {
        "chat": "/v1/chat/completions",
        "messages": "/v1/messages",
        "responses": "/v1/responses",
        "gemini": f"/v1beta/models/m:{verb}",
        "completions": "/v1/completions",
        "embeddings": "/v1/embeddings",
    }[door]


def asked(door: str, it: Prompt, is_stream: bool) -> dict[str, Any]:
    """Return a request with a prompt's texts in all places that the door has."""
    body: dict[str, Any] = _ASKED[door](it)
    if is_stream and door != "gemini":
        body["stream"] = True
    return body


def _chat(it: Prompt) -> dict[str, Any]:
    function = {"name": "mail", "description": it.note, "parameters": _SCHEMA}
    call = {"name": "mail", "arguments": it.arguments}
    calls = [{"id": _CALL, "type": "function", "function": call}]
    return {
        "model": "m",
        "max_tokens": 99,
        "messages": [
            {"role": "system", "content": it.system},
            {"role": "user", "content": [{"type": "text", "text": it.user}]},
            {"role": "assistant", "content": it.assistant, "tool_calls": calls},
            {"role": "tool", "tool_call_id": _CALL, "content": it.result},
            {"role": "user", "content": it.last},
        ],
        "tools": [{"type": "function", "function": function}],
        "user": it.note,
        "metadata": {"note": it.note},
    }


def _messages(it: Prompt) -> dict[str, Any]:
    call = {"type": "tool_use", "id": _CALL, "name": "mail", "input": json.loads(it.arguments)}
    result = {"type": "tool_result", "tool_use_id": _CALL, "content": it.result}
    return {
        "model": "m",
        "max_tokens": 99,
        "system": it.system,
        "messages": [
            {"role": "user", "content": it.user},
            {"role": "assistant", "content": [{"type": "text", "text": it.assistant}, call]},
            {"role": "user", "content": [result, {"type": "text", "text": it.last}]},
        ],
        "tools": [{"name": "mail", "description": it.note, "input_schema": _SCHEMA}],
        "metadata": {"user_id": it.note},
    }


def _responses(it: Prompt) -> dict[str, Any]:
    call = {"type": "function_call", "call_id": _CALL, "name": "mail", "arguments": it.arguments}
    said = [{"type": "output_text", "text": it.assistant, "annotations": []}]
    tool = {"type": "function", "name": "mail", "description": it.note, "parameters": _SCHEMA}
    return {
        "model": "m",
        "instructions": it.system,
        "input": [
            {"role": "user", "content": it.user},
            {"type": "message", "role": "assistant", "content": said},
            call,
            {"type": "function_call_output", "call_id": _CALL, "output": it.result},
            {"role": "user", "content": [{"type": "input_text", "text": it.last}]},
        ],
        "tools": [tool],
        "user": it.note,
        "metadata": {"note": it.note},
    }


def _gemini(it: Prompt) -> dict[str, Any]:
    call = {"functionCall": {"name": "mail", "args": json.loads(it.arguments)}}
    result = {"functionResponse": {"name": "mail", "response": json.loads(it.result)}}
    declared = {"name": "mail", "description": it.note, "parameters": _SCHEMA}
    return {
        "systemInstruction": {"parts": [{"text": it.system}]},
        "contents": [
            {"role": "user", "parts": [{"text": it.user}]},
            {"role": "model", "parts": [{"text": it.assistant}, call]},
            {"role": "user", "parts": [result]},
            {"role": "user", "parts": [{"text": it.last}]},
        ],
        "tools": [{"functionDeclarations": [declared]}],
    }


_ASKED: dict[str, Callable[[Prompt], dict[str, Any]]] = {
    "chat": _chat,
    "messages": _messages,
    "responses": _responses,
    "gemini": _gemini,
    "completions": lambda it: {"model": "m", "prompt": it.said, "user": it.note},
    "embeddings": lambda it: {"model": "m", "input": [it.system, it.last], "user": it.note},
}


# ---- what a provider hears


def _words(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _heard_chat(body: Any) -> tuple[str, str]:
    turns = body["messages"]
    (call,) = [call for turn in turns for call in turn.get("tool_calls") or ()]
    said = f"{_words(turns[0]['content'])}\n{_words(turns[-1]['content'])}"
    return said, call["function"]["arguments"]


def _heard_messages(body: Any) -> tuple[str, str]:
    blocks = [b for turn in body["messages"] for b in turn["content"] if isinstance(b, dict)]
    (call,) = [block for block in blocks if block["type"] == "tool_use"]
    last = body["messages"][-1]["content"]
    said = last if isinstance(last, str) else last[-1]["text"]
    return f"{_words(body['system'])}\n{said}", json.dumps(call["input"])


def _heard_responses(body: Any) -> tuple[str, str]:
    (call,) = [item for item in body["input"] if item.get("type") == "function_call"]
    return f"{body['instructions']}\n{_words(body['input'][-1]['content'])}", call["arguments"]


def _heard_gemini(body: Any) -> tuple[str, str]:
    parts = [part for content in body["contents"] for part in content["parts"]]
    (call,) = [part["functionCall"] for part in parts if "functionCall" in part]
    system = body.get("systemInstruction") or body["system_instruction"]
    return f"{_words(system['parts'])}\n{parts[-1]['text']}", json.dumps(call["args"])


# ---- what it says


def parrot(kind: str, number: int, is_stream: bool) -> Callable[[UpstreamRequest], Scripted]:
    """Return a provider of one format; a stream is cut at places drawn from the number."""

    def answer(request: UpstreamRequest) -> Scripted:
        assert isinstance(request.body, bytes)
        body = orjson.loads(request.body)
        if kind in ("completions", "embeddings"):
            return _SAID[kind](body, number, is_stream)
        said, arguments = _HEARD[kind](body)
        if not is_stream:
            return Scripted(chunks=[orjson.dumps(_WHOLE[kind](said, arguments))])
        draw = random.Random(number)
        return _STREAMED[kind](said, arguments, list(cut(said, draw)), list(cut(arguments, draw)))

    return answer


def cut(text: str, draw: random.Random) -> Iterable[str]:
    """Yield a text in pieces."""
    while text:
        length = draw.randrange(1, 24)
        yield text[:length]
        text = text[length:]


def _whole_chat(said: str, arguments: str) -> dict[str, Any]:
    function = {"name": "mail", "arguments": arguments}
    calls = [{"id": "call_2", "type": "function", "function": function}]
    message = {"role": "assistant", "content": said, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return {"id": "c1", "object": "chat.completion", "model": "m", "choices": [choice]}


def _streamed_chat(said: str, arguments: str, texts: list[str], calls: list[str]) -> Scripted:
    def chunk(finish: str | None = None, **piece: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": piece, "finish_reason": finish}
        return {"id": "c1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}

    def call(**piece: Any) -> dict[str, Any]:
        return chunk(tool_calls=[{"index": 0, **piece}])

    begun = {"name": "mail", "arguments": ""}
    return stream(
        *events(
            chunk(role="assistant", content=""),
            *(chunk(content=piece) for piece in texts),
            call(id="call_2", type="function", function=begun),
            *(call(function={"arguments": piece}) for piece in calls),
            chunk("tool_calls"),
        )
    )


def _whole_messages(said: str, arguments: str) -> dict[str, Any]:
    call = {"type": "tool_use", "id": "toolu_2", "name": "mail", "input": json.loads(arguments)}
    return {
        **_MESSAGE,
        "content": [{"type": "text", "text": said}, call],
        "stop_reason": "tool_use",
        "stop_sequence": None,
    }


_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


def _streamed_messages(said: str, arguments: str, texts: list[str], calls: list[str]) -> Scripted:
    begun = {**_MESSAGE, "content": [], "stop_reason": None, "stop_sequence": None}
    tool = {"type": "tool_use", "id": "toolu_2", "name": "mail", "input": {}}

    def delta(index: int, **piece: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": piece}

    told: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        *(delta(0, type="text_delta", text=piece) for piece in texts),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": tool},
        *(delta(1, type="input_json_delta", partial_json=piece) for piece in calls),
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]
    return stream(*_named(told))


def _named(told: list[dict[str, Any]]) -> list[bytes]:
    return [
        b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n"
        for event in told
    ]


def _whole_responses(said: str, arguments: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": said, "annotations": []}
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "m",
        "output": [
            {**_ITEM, "status": "completed", "content": [part]},
            {**_FUNCTION_CALL, "status": "completed", "arguments": arguments},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    }


_ITEM = {"id": "msg_1", "type": "message", "role": "assistant"}
_FUNCTION_CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_2", "name": "mail"}


def _streamed_responses(said: str, arguments: str, texts: list[str], calls: list[str]) -> Scripted:
    whole = _whole_responses(said, arguments)
    part = {"type": "output_text", "text": "", "annotations": []}
    first = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    second = {"item_id": "fc_1", "output_index": 1}
    begun = {**whole, "status": "in_progress", "output": []}
    call = {**_FUNCTION_CALL, "status": "in_progress", "arguments": ""}
    item = {**_ITEM, "status": "in_progress", "content": []}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **first, "part": part},
        *({"type": "response.output_text.delta", **first, "delta": piece} for piece in texts),
        {"type": "response.output_text.done", **first, "text": said},
        {"type": "response.content_part.done", **first, "part": {**part, "text": said}},
        {"type": "response.output_item.done", "output_index": 0, "item": whole["output"][0]},
        {"type": "response.output_item.added", "output_index": 1, "item": call},
        *(
            {"type": "response.function_call_arguments.delta", **second, "delta": piece}
            for piece in calls
        ),
        {"type": "response.function_call_arguments.done", **second, "arguments": arguments},
        {"type": "response.output_item.done", "output_index": 1, "item": whole["output"][1]},
        {"type": "response.completed", "response": whole},
    ]
    numbered = [{**event, "sequence_number": place} for place, event in enumerate(told)]
    return stream(*_named(numbered))


def _whole_gemini(said: str, arguments: str) -> dict[str, Any]:
    return _candidate([{"text": said}, _function_call(arguments)], "STOP")


def _function_call(arguments: str) -> dict[str, Any]:
    return {"functionCall": {"name": "mail", "args": json.loads(arguments)}}


def _candidate(parts: list[dict[str, Any]], finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}


def _streamed_gemini(said: str, arguments: str, texts: list[str], calls: list[str]) -> Scripted:
    told = [_candidate([{"text": piece}]) for piece in texts]
    last = _candidate([_function_call(arguments)], "STOP")
    return stream(*events(*told, last, done=False))


def _completion(body: Any, number: int, is_stream: bool) -> Scripted:
    def choice(text: str, finish: str | None) -> dict[str, Any]:
        one = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
        return {"id": "c", "object": "text_completion", "model": "m", "choices": [one]}

    if not is_stream:
        return Scripted(chunks=[orjson.dumps(choice(body["prompt"], "stop"))])
    pieces = cut(body["prompt"], random.Random(number))
    return stream(*events(*(choice(piece, None) for piece in pieces), choice("", "stop")))


def _embedding(body: Any, number: int, is_stream: bool) -> Scripted:
    data = [{"object": "embedding", "index": i, "embedding": [0.5]} for i in range(2)]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    whole = {"object": "list", "model": "m", "data": data, "usage": usage}
    return Scripted(chunks=[orjson.dumps(whole)])


_HEARD = {
    "chat": _heard_chat,
    "messages": _heard_messages,
    "responses": _heard_responses,
    "gemini": _heard_gemini,
}
_WHOLE = {
    "chat": _whole_chat,
    "messages": _whole_messages,
    "responses": _whole_responses,
    "gemini": _whole_gemini,
}
_STREAMED = {
    "chat": _streamed_chat,
    "messages": _streamed_messages,
    "responses": _streamed_responses,
    "gemini": _streamed_gemini,
}
_SAID = {"completions": _completion, "embeddings": _embedding}


# ---- what the caller gets


def got(door: str, body: Any) -> tuple[str, Any]:
    """Return what a whole answer says, and the arguments of its call, parsed."""
    if door == "chat":
        message = body["choices"][0]["message"]
        (call,) = message["tool_calls"]
        return message["content"], json.loads(call["function"]["arguments"])
    if door == "messages":
        text, call = body["content"]
        return text["text"], call["input"]
    if door == "responses":
        item, call = body["output"]
        return item["content"][0]["text"], json.loads(call["arguments"])
    if door == "gemini":
        text, call = body["candidates"][0]["content"]["parts"]
        return text["text"], call["functionCall"]["args"]
    return body["choices"][0]["text"], None


def got_streamed(door: str, told: list[Any]) -> tuple[str, Any]:
    """The same for a stream's events; what is told twice has to be the same."""
    bodies = [event for event in told if isinstance(event, dict)]
    text, arguments = "", ""
    for body in bodies:
        said, argued = _PIECES[door](body)
        text, arguments = text + said, arguments + argued
    if door == "responses":
        parsed = json.loads(arguments)
        (whole,) = [b["response"] for b in bodies if b["type"] == "response.completed"]
        assert (text, parsed) == got(door, whole)
        for body in bodies:
            if body["type"] == "response.output_text.done":
                assert body["text"] == text
            if body["type"] == "response.function_call_arguments.done":
                assert json.loads(body["arguments"]) == parsed
    return text, json.loads(arguments) if arguments else None


def _piece_of_chat(body: Any) -> tuple[str, str]:
    text, arguments = "", ""
    for choice in body.get("choices", ()):
        text += choice["delta"].get("content") or ""
        for call in choice["delta"].get("tool_calls") or ():
            arguments += call.get("function", {}).get("arguments") or ""
    return text, arguments


def _piece_of_messages(body: Any) -> tuple[str, str]:
    delta = body.get("delta", {})
    return delta.get("text") or "", delta.get("partial_json") or ""


def _piece_of_responses(body: Any) -> tuple[str, str]:
    text = body["delta"] if body["type"] == "response.output_text.delta" else ""
    is_call = body["type"] == "response.function_call_arguments.delta"
    return text, body["delta"] if is_call else ""


def _piece_of_gemini(body: Any) -> tuple[str, str]:
    text, arguments = "", ""
    for candidate in body.get("candidates", ()):
        for part in candidate.get("content", {}).get("parts", ()):
            text += part.get("text", "")
            arguments += json.dumps(part["functionCall"]["args"]) if "functionCall" in part else ""
    return text, arguments


_PIECES: dict[str, Callable[[Any], tuple[str, str]]] = {
    "chat": _piece_of_chat,
    "messages": _piece_of_messages,
    "responses": _piece_of_responses,
    "gemini": _piece_of_gemini,
    "completions": lambda body: (body["choices"][0]["text"] if body.get("choices") else "", ""),
}
