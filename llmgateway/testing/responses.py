"""The Responses API, as the fake provider answers it: whole, and as its grammar of events.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

from llmgateway.testing import words
from llmgateway.testing.answers import (
    CREATED,
    Answer,
    Event,
    FakeError,
    Stream,
    as_json,
    sse,
    stable_id,
    text_field,
)
from llmgateway.testing.chat import chosen_tool, tool_arguments
from llmgateway.testing.script import Script
from llmgateway.types import JSON

_ARGUMENT_PIECE = re.compile(r".{1,8}", re.DOTALL)
_STREAM_ERROR = sse(
    {
        "type": "error",
        "code": "server_error",
        "message": "The model failed in the middle of its answer.",
        "param": None,
        "sequence_number": 0,
    },
    "error",
)
_ECHOED = ("instructions", "metadata", "previous_response_id", "temperature", "tools", "top_p")


def respond(body: JSON, script: Script) -> tuple[Answer | Stream, JSON]:
    """Answer `POST /v1/responses`; returns the finished response object too, for later GETs."""
    text_field(body, "model")
    items = input_items(body)
    response = _response(body, _output(body, items, script), items)
    if body.get("stream") is True:
        return Stream(_events(response), _STREAM_ERROR), response
    return as_json(response), response


def input_items(body: JSON) -> list[JSON]:
    """Return the input as a list of items; raises `FakeError` where there is none."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if isinstance(given, list) and given and all(isinstance(item, dict) for item in given):
        return given
    raise FakeError(400, "'input' must be a text or a list of items.", param="input")


def listed_items(body: JSON) -> list[JSON]:
    """Return the input as `GET /v1/responses/{id}/input_items` lists it, the newest first."""
    return [
        {"id": stable_id("msg_in_", [place, item]), **item, "content": _input_parts(item)}
        if item.get("type", "message") == "message"
        else item
        for place, item in reversed(list(enumerate(input_items(body))))
    ]


def _input_parts(item: JSON) -> Any:
    content = item.get("content")
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


def _output(body: JSON, items: list[JSON], script: Script) -> JSON:
    last = items[-1]
    said = last
    if last.get("type") == "function_call_output":
        said = {"role": "tool", "content": last.get("output")}
    tool = chosen_tool(body.get("tools"), body.get("tool_choice"), said.get("role") == "user")
    if tool is not None:
        return {
            "id": stable_id("fc_", body),
            "type": "function_call",
            "status": "completed",
            "call_id": stable_id("call_", body),
            "name": tool.get("name", ""),
            "arguments": tool_arguments(tool, words.plain(said.get("content"))),
        }
    form = body.get("text")
    wanted = form.get("format") if isinstance(form, dict) else None
    text, was_cut = words.cut(
        words.as_asked(words.reply_to(said, script.tokens, script.says), wanted),
        body.get("max_output_tokens"),
    )
    return {
        "id": stable_id("msg_", body),
        "type": "message",
        "status": "incomplete" if was_cut else "completed",
        "role": "assistant",
        "content": [_text_part(text)],
    }


def _text_part(text: str) -> JSON:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(body: JSON, item: JSON, items: list[JSON]) -> JSON:
    was_cut = item["status"] == "incomplete"
    read = words.count(words.plain(part.get("content", part.get("output"))) for part in items)
    texts = [part["text"] for part in item["content"]] if "content" in item else [item["arguments"]]
    written = words.count(texts)
    return {
        "id": stable_id("resp_", body),
        "object": "response",
        "created_at": CREATED,
        "status": item["status"],
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if was_cut else None,
        "model": body["model"],
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": [],
        **{name: body[name] for name in _ECHOED if name in body},
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        },
    }


def _events(response: JSON) -> Iterator[Event]:
    numbers = count()

    def event(type_: str, **fields: Any) -> Event:
        data = {"type": type_, "sequence_number": next(numbers), **fields}
        return Event(sse(data, type_), content=type_.endswith(".delta"))

    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    item = response["output"][0]
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    yield from _message_events(event, item) if "content" in item else _call_events(event, item)
    yield event("response.output_item.done", output_index=0, item=item)
    yield event(f"response.{response['status']}", response=response)


def _message_events(event: Any, item: JSON) -> Iterator[Event]:
    text = item["content"][0]["text"]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = {**item, "status": "in_progress", "content": []}
    yield event("response.output_item.added", output_index=0, item=begun)
    yield event("response.content_part.added", **place, part=_text_part(""))
    for piece in words.pieces(text):
        yield event("response.output_text.delta", **place, delta=piece, logprobs=[])
    yield event("response.output_text.done", **place, text=text, logprobs=[])
    yield event("response.content_part.done", **place, part=_text_part(text))


def _call_events(event: Any, item: JSON) -> Iterator[Event]:
    place = {"item_id": item["id"], "output_index": 0}
    begun = {**item, "status": "in_progress", "arguments": ""}
    yield event("response.output_item.added", output_index=0, item=begun)
    for piece in _ARGUMENT_PIECE.findall(item["arguments"]):
        yield event("response.function_call_arguments.delta", **place, delta=piece)
    yield event(
        "response.function_call_arguments.done",
        **place,
        name=item["name"],
        arguments=item["arguments"],
    )
