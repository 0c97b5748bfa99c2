"""Reads a caller's `contents` and `systemInstruction` into the hub's messages.

Calls without an id get one that depends on their place alone, so that the same history always gives
the same bytes; results find theirs by id, or by name in order.
"""

from __future__ import annotations

from collections import deque
from itertools import groupby
from typing import Any, Final

from llmgateway.codecs import hub
from llmgateway.codecs.generate_content.answer import decode_function, note_places
from llmgateway.codecs.generate_content.carried import decode_block, decode_signature
from llmgateway.codecs.generate_content.media import decode_media
from llmgateway.codecs.generate_content.shape import (
    Notes,
    an_object,
    objects,
    pick,
    string,
    written,
)
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON

_ASSISTANT: Final = "model"


def decode_turns(body: JSON, notes: Notes) -> list[JSON]:
    """Return the messages; raises `InvalidRequest` where there are no contents."""
    contents = body.get("contents")
    turns = [contents] if isinstance(contents, str | dict) else contents
    if not isinstance(turns, list) or not turns:
        raise InvalidRequest("`contents` must hold at least one turn.", param="contents")
    reader = _Reader(notes)
    reader.instruct(pick(body, "systemInstruction"))
    for is_answer, group in groupby(turns, _is_answer):
        if is_answer:
            # The SDK keeps each event of a stream as a turn of its own.
            reader.answer([part for turn in group for part in _parts(turn)])
        else:
            for turn in group:
                reader.add(turn)
    return reader.messages


def _is_answer(turn: Any) -> bool:
    return isinstance(turn, dict) and turn.get("role") == _ASSISTANT


class _Reader:
    """Gathers messages, and remembers the calls that wait for results."""

    def __init__(self, notes: Notes) -> None:
        self.messages: list[JSON] = []
        self._notes = notes
        self._calls = 0
        self._waiting: set[str] = set()
        """The ids of the calls without a result so far."""
        self._by_name: dict[str, deque[str]] = {}
        """The ids of the calls of each name, in order; those with a result may be among them."""

    def instruct(self, instruction: Any) -> None:
        """Take the system instruction: a text, or a content."""
        texts = [text for part in _parts(instruction) if (text := string(part.get("text")))]
        if texts:
            content: Any = texts[0]
            if len(texts) > 1:
                content = [{"type": "text", "text": text} for text in texts]
            self.messages.append({"role": "system", "content": content})

    def add(self, turn: Any) -> None:
        """Take the next turn that is not the model's."""
        if not isinstance(turn, str | dict):
            raise InvalidRequest("A turn of `contents` must be an object.", param="contents")
        if isinstance(turn, dict) and turn.get("role") == "system":
            self.instruct(turn)
        else:
            self._ask(_parts(turn))

    def _ask(self, parts: list[JSON]) -> None:
        """Write a user's turn: results of tools as messages of their own, in order."""
        content: list[JSON] = []
        for part in parts:
            response = pick(part, "functionResponse")
            if isinstance(response, dict):
                self._say(content)
                content = []
                self.messages.append(self._result(response))
            elif (known := self._part(part)) is not None:
                content.append(known)
        self._say(content)

    def _say(self, content: list[JSON]) -> None:
        if len(content) == 1 and content[0]["type"] == "text":
            self.messages.append({"role": "user", "content": content[0]["text"]})
        elif content:
            self.messages.append({"role": "user", "content": content})

    def _part(self, part: JSON) -> JSON | None:
        if isinstance(part.get("text"), str):
            return {"type": "text", "text": part["text"]}
        known = decode_media(part)
        if known is None and part:
            self._notes.drop("contents.parts")
        elif pick(part, "videoMetadata") is not None:
            self._notes.drop("contents.parts.videoMetadata")
        return known

    def _result(self, response: JSON) -> JSON:
        name, call_id = string(response.get("name")), string(response.get("id"))
        if not call_id:
            call_id = self._next_waiting(name) or self._new_id()
        said = an_object(response.get("response"))
        message: JSON = {"role": "tool", "tool_call_id": call_id}
        if call_id not in self._waiting:
            message["name"] = name  # nothing else tells what was called
        self._waiting.discard(call_id)
        content: Any = _said(said)
        media = [known for part in objects(response.get("parts")) if (known := decode_media(part))]
        if media:
            texts = [{"type": "text", "text": content}] if content else []
            content = [*texts, *media]
        message["content"] = content
        if set(said) == {"error"}:
            message["is_error"] = True
        return message

    def _next_waiting(self, name: str) -> str:
        """Return the id of the first call of a name that has no result; empty if there is none."""
        ids = self._by_name.get(name) or deque()
        while ids and ids[0] not in self._waiting:
            ids.popleft()
        return ids[0] if ids else ""

    def _new_id(self) -> str:
        self._calls += 1
        return f"call_{self._calls}"

    def answer(self, parts: list[JSON]) -> None:
        """Write a model's turn, with the places of calls that other parts follow."""
        blocks: list[hub.Block] = []
        calls: list[tuple[JSON, int]] = []
        for part in parts:
            call = pick(part, "functionCall")
            if isinstance(call, dict):
                calls.append((self._call(part, call), len(blocks)))
            elif part:
                block = decode_block(part)
                if _ends_thought(block):
                    thought = _take_thought(blocks, calls[-1][1] if calls else 0)
                    block = {**block, "thinking": thought}
                blocks.append(block)
        note_places(calls, blocks)
        message: JSON = {"role": "assistant", "content": hub.text_of_blocks(blocks) or None}
        if blocks:
            message["content_blocks"] = blocks
        if calls:
            message["tool_calls"] = [call for call, _ in calls]
        if blocks or calls:
            self.messages.append(message)

    def _call(self, part: JSON, call: JSON) -> JSON:
        call_id = string(call.get("id")) or self._new_id()
        self._waiting.add(call_id)
        self._by_name.setdefault(string(call.get("name")), deque()).append(call_id)
        found: JSON = {"id": call_id, "type": "function", "function": decode_function(call)}
        signature = pick(part, "thoughtSignature")
        if isinstance(signature, str):
            found["extra_content"] = {"thought_signature": decode_signature(signature)}
        return found


def _ends_thought(block: hub.Block) -> bool:
    """Whether a block is another maker's signature of a thought that was streamed before it."""
    return block.keys() == {"type", "thinking", "signature"} and block["thinking"] == ""


def _take_thought(blocks: list[hub.Block], first: int) -> str:
    """Take the unsigned thoughts off the end of the blocks; those from `first` on count."""
    pieces = []
    while len(blocks) > first and blocks[-1].keys() == {"type", "thinking"}:
        pieces.append(blocks.pop()["thinking"])
    return "".join(reversed(pieces))


def _parts(content: Any) -> list[JSON]:
    """Return the parts of a content, which may be a mere text, or a list of parts."""
    if isinstance(content, str):
        return [{"text": content}]
    parts = content.get("parts") if isinstance(content, dict) else content
    if isinstance(parts, str):
        return [{"text": parts}]
    return objects(parts)


def _said(response: JSON) -> str:
    """Return what a tool said: the one text, or the whole as JSON."""
    if len(response) == 1:
        ((key, value),) = response.items()
        if key in ("output", "result", "error") and isinstance(value, str):
            return value
    return written(response)
