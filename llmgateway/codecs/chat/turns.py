"""Writes the hub's messages as OpenAI has them, where each role takes but some kinds of parts."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final

from llmgateway.codecs.chat.losses import Losses
from llmgateway.codecs.hub import Block, blocks_of
from llmgateway.types import JSON

WIRE: Final = "chat"
"""The name under which the hub's opaque blocks belong to this format."""
_HUB_ONLY: Final = frozenset({"content_blocks", "cache_control", "reasoning_content"})
_REASONING: Final = ("reasoning_content", "reasoning", "reasoning_details")


@dataclass(frozen=True, slots=True)
class Turns:
    """How one family of providers takes messages."""

    reasoning_member: str | None = None
    """The member of an assistant turn in which reasoning is taken back; None: it is left out."""
    keeps_extra_content: bool = False
    """Whether `extra_content` of calls and messages is taken back."""

    def written(self, messages: list[Any], losses: Losses) -> list[Any]:
        """Return the messages as these providers take them."""
        turns: list[Any] = []
        pictures: list[JSON] = []
        for message in messages:
            if not isinstance(message, dict):
                turns.append(message)
                continue
            if message.get("role") == "tool":
                turns.append(_tool_turn(message, pictures, losses))
                continue
            _hand_over(pictures, turns)
            turns.append(self._turn(message, losses))
        _hand_over(pictures, turns)
        return turns

    def _turn(self, message: JSON, losses: Losses) -> JSON:
        if message.get("role") == "assistant":
            return self._assistant(message, losses)
        turn = {key: value for key, value in message.items() if key not in _HUB_ONLY}
        turn.pop("extra_content", None)
        if isinstance(message.get("content"), list):
            turn["content"] = [_part(part, losses) for part in message["content"]]
            turn["content"] = [part for part in turn["content"] if part is not None]
        return turn

    def _assistant(self, message: JSON, losses: Losses) -> JSON:
        turn = {
            key: value
            for key, value in message.items()
            if key not in _HUB_ONLY
            and key not in _REASONING
            and (key != "extra_content" or self.keeps_extra_content)
        }
        blocks = blocks_of(message)
        self._write_reasoning(turn, message, blocks, losses)
        if any(b.get("type") == "opaque" and b.get("wire") != WIRE for b in blocks):
            losses.drop("messages.content_blocks")
        content = _assistant_content(message, blocks)
        calls = message.get("tool_calls")
        if isinstance(calls, list) and calls:
            turn["tool_calls"] = [self._call(call) for call in calls]
        else:
            turn.pop("tool_calls", None)
        if not content and not turn.get("tool_calls") and not turn.get("function_call"):
            content = content if turn.get("refusal") or turn.get("audio") else ""
        turn["content"] = content
        return turn

    def _write_reasoning(
        self, turn: JSON, message: JSON, blocks: list[Block], losses: Losses
    ) -> None:
        details = [
            detail
            for block in blocks
            for detail in _own(block).get("reasoning_details") or ()
            if isinstance(detail, dict)
        ]
        if details:
            turn["reasoning_details"] = details
        thoughts = [block for block in blocks if block.get("type") in _THOUGHTS]
        text = "".join(str(block.get("thinking", "")) for block in thoughts)
        text = text or str(message.get("reasoning_content") or "")
        if self.reasoning_member is not None and text:
            turn[self.reasoning_member] = text
        elif not details and any(block.keys() & _SEALED for block in thoughts):
            losses.adjust("messages.thinking")

    def _call(self, call: Any) -> Any:
        if not isinstance(call, dict):
            return call
        kept = {key: value for key, value in call.items() if key not in ("index", "cache_control")}
        if not self.keeps_extra_content:
            kept.pop("extra_content", None)
        function = kept.get("function")
        if isinstance(function, dict) and not function.get("arguments"):
            kept["function"] = {**function, "arguments": "{}"}
        return kept


_THOUGHTS: Final = ("thinking", "redacted_thinking")
_SEALED: Final = {"signature", "data"}


def _own(block: Block) -> JSON:
    """Return what an opaque block of this format holds; nothing for any other block."""
    value = block.get("value")
    is_own = block.get("type") == "opaque" and block.get("wire") == WIRE
    return value if is_own and isinstance(value, dict) else {}


def _assistant_content(message: JSON, blocks: list[Block]) -> Any:
    """Return a text, or parts where the turn has some of a kind that only they can hold."""
    parts = [
        {"type": "text", "text": block.get("text", "")} if block.get("type") == "text" else own
        for block in blocks
        if block.get("type") == "text" or "type" in (own := _own(block))
    ]
    if any(part["type"] != "text" for part in parts):
        return parts
    content = message.get("content")
    refusals = [
        part
        for part in (content if isinstance(content, list) else ())
        if isinstance(part, dict) and part.get("type") == "refusal"
    ]
    if refusals:
        return [part for part in parts if part["text"]] + refusals
    return "".join(part["text"] for part in parts) or None


def _part(part: Any, losses: Losses) -> Any:
    """Return a part as OpenAI has it, or None for what it has no place for."""
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if key != "cache_control"}
    if kept.get("type") == "image_url" and isinstance(kept.get("image_url"), dict):
        picture = kept["image_url"]
        kept["image_url"] = {key: picture[key] for key in ("url", "detail") if key in picture}
    if kept.get("type") == "file" and isinstance(kept.get("file"), dict):
        return _file_part(kept["file"], losses)
    return kept


def _file_part(file: JSON, losses: Losses) -> JSON | None:
    """Return a file as OpenAI has it: a data URL or an id; a text file becomes a text.

    Source: https://platform.openai.com/docs/guides/pdf-files
    """
    data, kind = file.get("file_data"), str(file.get("mime_type") or "")
    if file.get("file_id"):
        return {"type": "file", "file": {"file_id": file["file_id"]}}
    if not isinstance(data, str):
        losses.drop("messages.content.file.file_url")
        return None
    if data.startswith("data:"):
        kind = data[5:].partition(";")[0].partition(",")[0] or kind
    if kind.startswith(("video/", "audio/")):
        losses.drop("messages.content.file")
        return None
    if kind.startswith("text/"):
        return {"type": "text", "text": _text_of_file(data)}
    if not data.startswith("data:"):
        data = f"data:{kind or 'application/pdf'};base64,{data}"
    return {"type": "file", "file": {"filename": file.get("filename") or "file", "file_data": data}}


def _text_of_file(data: str) -> str:
    """Return the text of a data URL; a text that is none stands for itself."""
    head, comma, encoded = data.partition(",")
    if not (data.startswith("data:") and comma):
        return data
    if not head.endswith(";base64"):
        return encoded
    try:
        return base64.b64decode(encoded).decode("utf-8", "replace")
    except binascii.Error:
        return data


def _tool_turn(message: JSON, pictures: list[JSON], losses: Losses) -> JSON:
    """Return a tool's result as one text; pictures and files are put by for a user's turn."""
    turn = {
        key: value
        for key, value in message.items()
        if key not in _HUB_ONLY and key not in ("is_error", "extra_content")
    }
    content = message.get("content")
    if isinstance(content, list):
        texts, others = [], []
        for part in (_part(part, losses) for part in content):
            if isinstance(part, dict) and part.get("type") == "text":
                texts.append(str(part.get("text", "")))
            elif part is not None:
                others.append(part)
        if others:
            losses.adjust("messages.tool.content")
            texts.append(f"({len(others)} attached in the next message)")
            about = f"Returned by the tool call {message.get('tool_call_id')}:"
            pictures += [{"type": "text", "text": about}, *others]
        turn["content"] = "\n".join(texts)
    if message.get("is_error") is True:
        losses.adjust("messages.tool.is_error")
        turn["content"] = f"Error: {turn.get('content') or ''}"
    return turn


def _hand_over(pictures: list[JSON], turns: list[Any]) -> None:
    """Add what tools returned beside text as a user's turn; no other may stand among results."""
    if pictures:
        turns.append({"role": "user", "content": list(pictures)})
        pictures.clear()
