"""The four doors as their clients see them: paths, what is valid, what is read, the next turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.codecs import schemas
from tests.codecs.generate_content import grammar as gemini_grammar
from tests.codecs.generate_content import schemas as gemini_schemas
from tests.codecs.grammar import chat_chunks, check_chat, check_responses, sse
from tests.codecs.messages import grammar as messages_grammar
from tests.codecs.messages import schemas as messages_schemas

JSON = dict[str, Any]
Results = dict[str, str]
"""What tools returned, by the id of the call; a name where the door has no ids."""


@dataclass(frozen=True)
class View:
    """What an answer says, whatever its form."""

    text: str = ""
    thinking: str = ""
    calls: tuple[tuple[str, JSON], ...] = ()
    cited: tuple[tuple[str, str], ...] = ()
    """Address and passage of each citation."""
    finish: str = ""
    """In the door's own word."""
    refused: str = ""


@dataclass(frozen=True)
class Door:
    """One door."""

    path: Callable[[str, bool], tuple[str, str]]
    """Of a model and whether to stream: path and query."""
    check: Callable[[JSON], None]
    """Holds an answer against the published schema."""
    gathered: Callable[[bytes], JSON]
    """Returns the answer that a stream adds up to, once its events have been found valid."""
    view: Callable[[JSON], View]
    turn: Callable[[JSON, JSON], JSON]
    """Of a request and its answer: the request with the answer in its history."""
    results: Callable[[JSON, Results], JSON]
    """Adds the results of tools."""
    error: Callable[[JSON], tuple[str, str]]
    """Reads message and type of an error."""
    forget: Callable[[JSON], JSON]
    """Leaves out of an answer what careless frameworks do."""


# ---- messages


def _messages_turn(request: JSON, answer: JSON) -> JSON:
    turn = {"role": "assistant", "content": answer["content"]}
    return {**request, "messages": [*request["messages"], turn]}


def _messages_results(request: JSON, results: Results) -> JSON:
    content = [
        {"type": "tool_result", "tool_use_id": call, "content": said}
        for call, said in results.items()
    ]
    return {**request, "messages": [*request["messages"], {"role": "user", "content": content}]}


def _messages_view(answer: JSON) -> View:
    blocks = answer["content"]
    texts = [block for block in blocks if block["type"] == "text"]
    details = answer.get("stop_details") or {}
    return View(
        "".join(block["text"] for block in texts),
        "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        tuple((b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"),
        tuple((c["url"], c["cited_text"]) for t in texts for c in t.get("citations") or ()),
        answer["stop_reason"],
        details.get("explanation") or "",
    )


def _messages_forget(answer: JSON) -> JSON:
    kept = [block for block in answer["content"] if block["type"] in ("text", "tool_use")]
    return {**answer, "content": kept}


# ---- responses


def _responses_check(answer: JSON) -> None:
    schemas.check("Response", answer)


def _responses_gathered(raw: bytes) -> JSON:
    for _, data in sse(raw):
        schemas.check("ResponseStreamEvent", json.loads(data))
    return check_responses(raw)


def _responses_view(answer: JSON) -> View:
    items = answer["output"]
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    texts = [part for part in parts if part["type"] == "output_text"]
    thoughts = [s["text"] for i in items if i["type"] == "reasoning" for s in i["summary"]]
    reason = answer["incomplete_details"]
    return View(
        "".join(part["text"] for part in texts),
        "".join(thoughts),
        tuple(
            (item["name"], json.loads(item["arguments"]))
            for item in items
            if item["type"] == "function_call"
        ),
        tuple(
            (note["url"], part["text"][note["start_index"] : note["end_index"]])
            for part in texts
            for note in part["annotations"]
        ),
        reason["reason"] if reason else answer["status"],
        "".join(part["refusal"] for part in parts if part["type"] == "refusal"),
    )


def _responses_turn(request: JSON, answer: JSON) -> JSON:
    return {**request, "input": [*request["input"], *answer["output"]]}


def _responses_results(request: JSON, results: Results) -> JSON:
    items = [
        {"type": "function_call_output", "call_id": call, "output": said}
        for call, said in results.items()
    ]
    return {**request, "input": [*request["input"], *items]}


def _responses_forget(answer: JSON) -> JSON:
    return {**answer, "output": [i for i in answer["output"] if i["type"] != "reasoning"]}


# ---- generate_content


def _gemini_path(model: str, stream: bool) -> tuple[str, str]:
    operation = "streamGenerateContent" if stream else "generateContent"
    return f"/v1beta/models/{model}:{operation}", "alt=sse" if stream else ""


def _gemini_check(answer: JSON) -> None:
    gemini_schemas.check("GenerateContentResponse", answer)


def _gemini_gathered(raw: bytes) -> JSON:
    told = gemini_grammar.check_stream(raw)
    candidates = []
    for candidate in told["candidates"].values():
        parts = candidate.pop("parts")
        candidates.append({**candidate, "content": {"role": "model", "parts": parts}})
    usage = {} if told["usage"] is None else {"usageMetadata": told["usage"]}
    return {"candidates": candidates, **usage}


def _gemini_view(answer: JSON) -> View:
    (candidate,) = answer["candidates"]
    parts = candidate["content"]["parts"]
    texts = [part for part in parts if "text" in part]
    text = "".join(part["text"] for part in texts if not part.get("thought"))
    grounding = candidate.get("groundingMetadata", {})
    chunks = [chunk["web"]["uri"] for chunk in grounding.get("groundingChunks", ())]
    refused = candidate.get("finishMessage", "")
    return View(
        "" if text == refused else text,
        "".join(part["text"] for part in texts if part.get("thought")),
        tuple(
            (p["functionCall"]["name"], p["functionCall"]["args"])
            for p in parts
            if "functionCall" in p
        ),
        tuple(
            (chunks[index], support["segment"]["text"])
            for support in grounding.get("groundingSupports", ())
            for index in support["groundingChunkIndices"]
        ),
        candidate["finishReason"],
        refused,
    )


def _gemini_turn(request: JSON, answer: JSON) -> JSON:
    return {**request, "contents": [*request["contents"], answer["candidates"][0]["content"]]}


def _gemini_results(request: JSON, results: Results) -> JSON:
    """Add results as the SDK does: by name, with the id where the call had one."""
    calls = [p["functionCall"] for p in request["contents"][-1]["parts"] if "functionCall" in p]
    parts = [
        {
            "functionResponse": {
                **({"id": call["id"]} if "id" in call else {}),
                "name": call["name"],
                "response": {"output": results[call["id"]]},
            }
        }
        for call in calls
    ]
    return {**request, "contents": [*request["contents"], {"role": "user", "parts": parts}]}


def _gemini_forget(answer: JSON) -> JSON:
    (candidate,) = answer["candidates"]
    parts = [
        {name: value for name, value in part.items() if name != "thoughtSignature"}
        for part in candidate["content"]["parts"]
        if not part.get("thought")
    ]
    return {"candidates": [{**candidate, "content": {"role": "model", "parts": parts}}]}


# ---- chat


def _chat_check(answer: JSON) -> None:
    schemas.check("CreateChatCompletionResponse", answer)


def _chat_gathered(raw: bytes) -> JSON:
    for chunk in chat_chunks(raw):
        schemas.check("CreateChatCompletionStreamResponse", chunk)
    return check_chat(raw, asked=True)


def _chat_view(answer: JSON) -> View:
    (choice,) = answer["choices"]
    message = choice["message"]
    text = message.get("content") or ""
    notes = [note["url_citation"] for note in message.get("annotations") or ()]
    return View(
        text,
        message.get("reasoning_content") or "",
        tuple(
            (call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or ()
        ),
        tuple((note["url"], text[note["start_index"] : note["end_index"]]) for note in notes),
        choice["finish_reason"],
        message.get("refusal") or "",
    )


def _chat_turn(request: JSON, answer: JSON) -> JSON:
    """Append the message as OpenAI's SDK dumps it, members that it does not know included."""
    message = answer["choices"][0]["message"]
    turn = {name: value for name, value in message.items() if value is not None}
    return {**request, "messages": [*request["messages"], turn]}


def _chat_results(request: JSON, results: Results) -> JSON:
    turns = [
        {"role": "tool", "tool_call_id": call, "content": said} for call, said in results.items()
    ]
    return {**request, "messages": [*request["messages"], *turns]}


def _chat_forget(answer: JSON) -> JSON:
    message = answer["choices"][0]["message"]
    calls = [
        {name: call[name] for name in ("id", "type", "function")}
        for call in message.get("tool_calls") or ()
    ]
    bare = {"role": "assistant", "content": message.get("content")}
    return {"choices": [{"message": {**bare, **({"tool_calls": calls} if calls else {})}}]}


# ---- all


def _openais_error(body: JSON) -> tuple[str, str]:
    return body["error"]["message"], body["error"]["type"]


def _messages_error(body: JSON) -> tuple[str, str]:
    assert "error" == body["type"]
    return body["error"]["message"], body["error"]["type"]


def _geminis_error(body: JSON) -> tuple[str, str]:
    return body["error"]["message"], body["error"]["status"]


DOORS: Final[dict[str, Door]] = {
    "messages": Door(
        lambda model, stream: ("/v1/messages", ""),
        messages_schemas.check_answer,
        messages_grammar.gathered,
        _messages_view,
        _messages_turn,
        _messages_results,
        _messages_error,
        _messages_forget,
    ),
    "responses": Door(
        lambda model, stream: ("/v1/responses", ""),
        _responses_check,
        _responses_gathered,
        _responses_view,
        _responses_turn,
        _responses_results,
        _openais_error,
        _responses_forget,
    ),
    "generate_content": Door(
        _gemini_path,
        _gemini_check,
        _gemini_gathered,
        _gemini_view,
        _gemini_turn,
        _gemini_results,
        _geminis_error,
        _gemini_forget,
    ),
    "chat": Door(
        lambda model, stream: ("/v1/chat/completions", ""),
        _chat_check,
        _chat_gathered,
        _chat_view,
        _chat_turn,
        _chat_results,
        _openais_error,
        _chat_forget,
    ),
}


def streaming(door: str, request: JSON) -> JSON:
    """Return a request that asks for a stream, with its usage."""
    if door == "generate_content":
        return request
    usage = {"stream_options": {"include_usage": True}} if door == "chat" else {}
    return {**request, "stream": True, **usage}
