"""Writes the hub's messages as `contents` and `systemInstruction`.

Turns of one role that follow each other become one, results of tools stand in the order of their
calls, and blocks and signatures go back as they came.
Source: https://ai.google.dev/api/caching#Content
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llmgateway.codecs import hub
from llmgateway.codecs.base import Context
from llmgateway.codecs.generate_content.media import encode_media
from llmgateway.codecs.generate_content.shape import (
    Notes,
    an_object,
    number,
    objects,
    parsed,
    string,
)
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.capabilities import Capabilities, Reasoning

WIRE: Final = "generate_content"
"""The name of the format that our opaque blocks belong to."""
UNSIGNED: Final = "skip_thought_signature_validator"
"""Stands where a signature was lost: models that demand one take it in place of a 400.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures (seen 2026-11)
"""
_NAMELESS: Final = "tool"


def is_third(capabilities: Capabilities) -> bool:
    """Whether a model is of the third generation or later: those that think by level.

    They demand signatures on calls, take media inside results, and built-in tools beside functions.
    Source: https://ai.google.dev/gemini-api/docs/gemini-3
    """
    return Reasoning.LEVEL in capabilities.reasoning


def encode_turns(messages: object, ctx: Context, notes: Notes) -> tuple[list[JSON], list[JSON]]:
    """Return the contents and the parts of the system instruction.

    Raises `InvalidRequest` for what is no list of messages.
    """
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("`messages` must be a list with a message in it.", param="messages")
    writer = _Writer(ctx, notes)
    for index, message in enumerate(messages):
        writer.add(message, index)
    return writer.close()


class _Writer:
    """Gathers turns; results of tools wait until all of one step are there."""

    def __init__(self, ctx: Context, notes: Notes) -> None:
        self._is_third = is_third(ctx.capabilities)
        self._notes = notes
        self._contents: list[JSON] = []
        self._system: list[JSON] = []
        self._names: dict[str, str] = {}
        self._order: dict[str, int] = {}
        self._results: list[tuple[int, JSON, list[JSON]]] = []

    def add(self, message: Any, index: int) -> None:
        """Take the next message."""
        role = message.get("role") if isinstance(message, dict) else None
        write = _ROLES.get(role) if isinstance(role, str) else None
        if write is None:
            raise InvalidRequest(
                "A message needs a `role`: system, developer, user, assistant or tool.",
                param=f"messages[{index}].role",
            )
        if write is not _Writer._result:
            self._place_results()
        write(self, message)

    def close(self) -> tuple[list[JSON], list[JSON]]:
        """Return what was gathered; a request of system messages alone makes them the turn."""
        self._place_results()
        if not self._contents and self._system:
            self._notes.adjust("messages")
            return [{"role": "user", "parts": self._system}], []
        return self._contents, self._system

    def _append(self, role: str, parts: list[JSON]) -> None:
        if not parts:
            return
        if self._contents and self._contents[-1]["role"] == role:
            self._contents[-1]["parts"] += parts
        else:
            self._contents.append({"role": role, "parts": parts})

    def _parts(self, content: object) -> list[JSON]:
        """Return the parts of a message's content; empty texts, which are refused, go."""
        if isinstance(content, str):
            return [{"text": content}] if content else []
        found = []
        for part in content if isinstance(content, list) else []:
            known = {"type": "text", "text": part} if isinstance(part, str) else an_object(part)
            encoded = encode_media(known)
            if encoded is None:
                self._notes.drop("messages.content")
            elif encoded != {"text": ""}:
                found.append(encoded)
        return found

    def _instruct(self, message: JSON) -> None:
        if self._contents:
            self._notes.adjust("messages")  # it loses its place in the conversation
        self._system += [{"text": text} for text in hub.texts_of(message.get("content")) if text]

    def _ask(self, message: JSON) -> None:
        self._append("user", self._parts(message.get("content")))

    def _answer(self, message: JSON) -> None:
        parts = []
        for block in hub.blocks_of(message):
            if (part := _block(block)) is not None:
                parts.append(part)
            elif block.get("type") == "opaque":
                self._notes.drop("messages.content_blocks")
            elif block.get("signature") or block.get("data"):
                self._notes.adjust("messages.thinking")
        content = message.get("content")
        if not parts and isinstance(content, list):
            parts = self._parts(content)
        if not parts and (refusal := string(message.get("refusal"))):
            parts = [{"text": refusal}]
        self._append("model", self._with_calls(parts, objects(message.get("tool_calls"))))

    def _with_calls(self, parts: list[JSON], calls: list[JSON]) -> list[JSON]:
        """Return the parts with the calls at their places: after all, if nothing else is said."""
        encoded = [self._call(call) for call in calls]
        if self._is_third and encoded and not any("thoughtSignature" in part for part in encoded):
            encoded[0]["thoughtSignature"] = UNSIGNED
            self._notes.adjust("thought_signature")
        placed: list[JSON] = []
        done, kept = 0, 0
        for call, encoded_call in zip(calls, encoded, strict=True):
            before = number(an_object(call.get("extra_content")).get("blocks_before"))
            while done < len(parts):
                is_kept = _is_kept(parts[done])
                if before is not None and kept >= before and is_kept:
                    break
                placed.append(parts[done])
                done, kept = done + 1, kept + is_kept
            placed.append(encoded_call)
        return [*placed, *parts[done:]]

    def _call(self, call: JSON) -> JSON:
        function = an_object(call.get("function"))
        name = string(function.get("name")) or _NAMELESS
        within: JSON = {"name": name, "args": self._arguments(function.get("arguments"))}
        call_id = string(call.get("id"))
        if call_id:
            within = {"id": call_id, **within}
            self._names[call_id] = name
            self._order[call_id] = len(self._order)
        signature = signature_of(call)
        return {"functionCall": within, **({"thoughtSignature": signature} if signature else {})}

    def _arguments(self, arguments: object) -> JSON:
        value = parsed(arguments) if isinstance(arguments, str) else arguments
        if isinstance(value, dict):
            return value
        if arguments not in (None, "", "null"):
            self._notes.adjust("messages.tool_calls")
            return {"arguments": arguments}
        return {}

    def _result(self, message: JSON) -> None:
        call_id = string(message.get("tool_call_id"))
        name = self._names.get(call_id) or string(message.get("name")) or call_id or _NAMELESS
        parts = self._parts(message.get("content"))
        text = "".join(part["text"] for part in parts if "text" in part)
        media = [part for part in parts if "text" not in part]
        key = "error" if message.get("is_error") is True else "output"
        response: JSON = {"name": name, "response": {key: text}}
        if call_id:
            response = {"id": call_id, **response}
        if media and self._is_third:
            response["parts"], media = media, []
        place = self._order.get(call_id, len(self._order))
        self._results.append((place, {"functionResponse": response}, media))

    def _place_results(self) -> None:
        results, self._results = sorted(self._results, key=lambda result: result[0]), []
        self._append("user", [part for _, part, _ in results])
        self._append("user", [part for _, _, media in results for part in media])


_ROLES: Final[dict[str, Callable[[_Writer, JSON], None]]] = {
    "system": _Writer._instruct,
    "developer": _Writer._instruct,
    "user": _Writer._ask,
    "assistant": _Writer._answer,
    "tool": _Writer._result,
    "function": _Writer._result,
}


def signature_of(call: JSON) -> str:
    """Return the signature that came with a call, wherever a client keeps it.

    Ours stands in `extra_content`; the API's own compatible endpoint nests it there once more, and
    Portkey has it in the function.
    """
    extra = an_object(call.get("extra_content"))
    places = [extra, *objects(list(extra.values())), an_object(call.get("function"))]
    return next((found for place in places if (found := string(place.get(_SIGNATURE)))), "")


_SIGNATURE: Final = "thought_signature"


def _is_kept(part: JSON) -> bool:
    """Whether a part is a block which must come back; see `answer.note_places`."""
    return "functionCall" not in part and not _is_mere_thought(part)


def _is_mere_thought(part: JSON) -> bool:
    return "text" in part and part.get("thought") is True and "thoughtSignature" not in part


def _block(block: hub.Block) -> JSON | None:
    """Return a block as a part; None for one of another format, or with nothing in it."""
    kind = block.get("type")
    if kind == "opaque":
        value = block.get("value")
        return value if block.get("wire") == WIRE and isinstance(value, dict) else None
    if kind not in ("text", "thinking"):
        return None
    text, signature = string(block.get(kind)), string(block.get("signature"))
    if kind == "thinking" and signature and block.get("wire") != WIRE:
        return None  # a signed one without a mark is of Messages; its signature is no use here
    if block.get("wire", WIRE) != WIRE:
        signature = ""
    part: JSON = {"text": text}
    if kind == "thinking":
        part["thought"] = True
    if signature:
        part["thoughtSignature"] = signature
    return part if text or signature else None
