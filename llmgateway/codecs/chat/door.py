"""The door of chat completions: what the hub has beyond OpenAI's own shape is put in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmgateway.codecs.base import Context, Decoded, StreamEncoder, Unmarked
from llmgateway.codecs.chat.format import CHAT
from llmgateway.codecs.chat.kept import kept_entries, restored
from llmgateway.codecs.chat.marks import without_marks
from llmgateway.codecs.chat.usage import any_usage, chat_usage
from llmgateway.codecs.chat.writer import ChatWriter, is_openai_note, other_members
from llmgateway.codecs.hub import text_of_blocks
from llmgateway.codecs.openai import OpenAIFormat
from llmgateway.types import JSON
from llmgateway.types.http import Headers

_OPENAI_CHOICE: Final = frozenset({"index", "message", "finish_reason", "logprobs"})
"""The members of a choice that OpenAI knows."""


class ChatDoor:
    """Callers of `/v1/chat/completions` whose target is translated; implements `Door`."""

    format: OpenAIFormat = CHAT
    hub: str = "chat"
    marks: tuple[bytes, ...] | None = None

    def without_marks(self, body: JSON) -> Unmarked:
        """Take our members out of the assistant's earlier turns."""
        return without_marks(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Give the assistant's earlier turns their blocks back; all else is the hub's already."""
        messages = body.get("messages")
        if isinstance(messages, list):
            body = {**body, "messages": [_with_blocks(message) for message in messages]}
        return Decoded(body, stream=body.get("stream") is True)

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write a hub answer as OpenAI has it."""
        answer: JSON = {
            "id": body.get("id") or ctx.new_id("chatcmpl-"),
            "object": "chat.completion",
            "created": body.get("created") or ctx.now,
            "model": body.get("model") or ctx.model,
        }
        answer |= other_members(body, ctx)
        answer["choices"] = [
            _choice(choice, number, ctx) for number, choice in enumerate(body.get("choices") or [])
        ]
        usage = any_usage(body.get("usage"))
        if usage is not None:
            answer["usage"] = chat_usage(usage)
        return answer

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Begin to write a stream of chunks."""
        return ChatWriter(ctx)


CHAT_DOOR = ChatDoor()


def _with_blocks(message: Any) -> Any:
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    blocks = restored(message)
    turn = {key: value for key, value in message.items() if key != "content_blocks"}
    if isinstance(extra := turn.get("extra_content"), dict):
        turn["extra_content"] = {k: v for k, v in extra.items() if k != "content_blocks"}
    if blocks:
        turn["content_blocks"] = blocks
        # The blocks are the truth; parts stay where they may carry marks of their own.
        if (text := text_of_blocks(blocks)) and not isinstance(message.get("content"), list):
            turn["content"] = text
    return turn


def _choice(choice: JSON, number: int, ctx: Context) -> JSON:
    message = choice.get("message") or {}
    shaped: JSON = {"index": number, "logprobs": None, **choice}
    if ctx.compliance:
        shaped = {key: value for key, value in shaped.items() if key in _OPENAI_CHOICE}
    shaped["message"] = _message(message, ctx)
    calls = message.get("tool_calls")
    shaped["finish_reason"] = choice.get("finish_reason") or ("tool_calls" if calls else "stop")
    return shaped


def _message(message: JSON, ctx: Context) -> JSON:
    shaped: JSON = {"role": "assistant", "content": None, "refusal": None, **message}
    blocks = shaped.pop("content_blocks", None) or []
    if calls := shaped.pop("tool_calls", None):
        shaped["tool_calls"] = [
            {key: value for key, value in call.items() if key != "index"} for call in calls
        ]
    notes = _annotations(shaped.pop("annotations", None), ctx)
    if notes:
        shaped["annotations"] = notes
    if not ctx.compliance:
        return {**shaped, "content_blocks": blocks} if blocks else shaped
    if kept := kept_entries(blocks):
        shaped["extra_content"] = {**(shaped.get("extra_content") or {}), "content_blocks": kept}
    return shaped


def _annotations(notes: object, ctx: Context) -> list[Any]:
    """Return the annotations that this caller may see."""
    if not isinstance(notes, list):
        return []
    if not ctx.compliance:
        return notes
    return [note for note in notes if is_openai_note(note)]
