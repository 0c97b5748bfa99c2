"""Reads the input of a Responses request: items become the hub's messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from llmgateway.codecs.chat.kept import restored
from llmgateway.codecs.chat.losses import Losses, invalid
from llmgateway.codecs.hub import Block, text_of_blocks
from llmgateway.codecs.responses.sealed import unpack, unseal
from llmgateway.types import JSON

WIRE: Final = "responses"
"""The name under which the hub's opaque blocks belong to this format."""
_ROLES: Final = ("user", "system", "developer")


def messages_of(body: JSON, losses: Losses) -> list[JSON]:
    """Return the conversation: the instructions, then what the input says.

    Raises `InvalidRequest` with the place of what cannot be read.
    """
    messages: list[JSON] = []
    instructions, given = body.get("instructions"), body.get("input")
    if isinstance(instructions, str):
        messages.append({"role": "system", "content": instructions})
    elif instructions is not None:
        raise invalid("instructions", "must be a text")
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    if not isinstance(given, list):
        raise invalid("input", "must be a text or a list of items")
    return messages + _Conversation(losses).read(given)


class _Conversation:
    """Gathers items; those of the assistant that follow each other are one turn."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._messages: list[JSON] = []
        self._blocks: list[Block] = []
        self._first_text = 0
        """Where the blocks of the last message begin."""
        self._calls: list[JSON] = []
        self._by_id: dict[str, JSON] = {}
        """The same calls by id, the first of each."""
        self._refusal: list[str] = []
        self._extra: dict[str, JSON] = {}
        """By id of a call that may still follow: what it must get back."""

    def read(self, items: list[Any]) -> list[JSON]:
        """Return the messages of all items."""
        for number, item in enumerate(items):
            place = f"input[{number}]"
            if not isinstance(item, dict):
                raise invalid(place, "must be an object")
            kind = item.get("type") or ("message" if "role" in item else None)
            reader = _READERS.get(kind) if isinstance(kind, str) else None
            if reader is not None:
                reader(self, item, place)
            elif isinstance(kind, str):
                self._losses.drop(f"input.{kind}")
            else:
                raise invalid(f"{place}.type", "must name the kind of item")
        self._close_turn()
        return self._messages

    def _message(self, item: JSON, place: str) -> None:
        role = item.get("role")
        if role == "assistant":
            self._assistant(item.get("content"), place)
        elif role in _ROLES:
            self._close_turn()
            content = _parts(item.get("content"), f"{place}.content", self._losses)
            self._messages.append({"role": role, "content": content})
        else:
            raise invalid(f"{place}.role", "must be user, assistant, system or developer")

    def _assistant(self, content: Any, place: str) -> None:
        self._first_text = len(self._blocks)
        for part in _parts(content, f"{place}.content", self._losses, as_list=True):
            if part["type"] == "text" and part["text"]:
                self._blocks.append({**part})
            elif part["type"] == "refusal":
                self._refusal.append(part["refusal"])

    def _reasoning(self, item: JSON, place: str) -> None:
        """Take a thought back, or what was packed beside a text or a call."""
        packed = unpack(item.get("encrypted_content"))
        summary = "".join(_texts(item.get("summary")))
        if packed is None:
            # Another provider's: it means something to this format alone.
            self._blocks.append({"type": "opaque", "wire": WIRE, "value": item})
            self._first_text = len(self._blocks)
        elif isinstance(packed.get("texts"), list):
            self._mark_texts(packed["texts"])
        elif isinstance(packed.get("call"), str):
            self._mark_call(packed["call"], packed.get("extra_content"))
        elif (block := unseal(packed, summary)) is not None:
            self._blocks.append(block)
            self._first_text = len(self._blocks)

    def _mark_texts(self, entries: list[Any]) -> None:
        """Give the texts just read their signatures and citations back."""
        texts = self._blocks[self._first_text :]
        kept = {
            "content": text_of_blocks(texts),
            "extra_content": {"content_blocks": entries},
        }
        self._blocks[self._first_text :] = restored(kept) or texts
        self._first_text = len(self._blocks)

    def _mark_call(self, call_id: str, extra: object) -> None:
        if not isinstance(extra, dict):
            return
        if call_id in self._by_id:
            self._by_id[call_id]["extra_content"] = extra
        else:
            self._extra[call_id] = extra

    def _function_call(self, item: JSON, place: str) -> None:
        arguments = item.get("arguments")
        if arguments is not None and not isinstance(arguments, str):
            raise invalid(f"{place}.arguments", "must be a text of JSON")
        self._call(item, place, arguments or "{}")

    def _custom_call(self, item: JSON, place: str) -> None:
        given = item.get("input")
        if not isinstance(given, str):
            raise invalid(f"{place}.input", "must be a text")
        self._call(item, place, orjson.dumps({"input": given}).decode())

    def _call(self, item: JSON, place: str, arguments: str) -> None:
        name, call_id = (_text(item, key, place) for key in ("name", "call_id"))
        function = {"name": name, "arguments": arguments}
        call: JSON = {"id": call_id, "type": "function", "function": function}
        if call_id in self._extra:
            call["extra_content"] = self._extra.pop(call_id)
        self._calls.append(call)
        self._by_id.setdefault(call_id, call)

    def _output(self, item: JSON, place: str) -> None:
        self._close_turn()
        call_id, output = _text(item, "call_id", place), item.get("output")
        if isinstance(output, str):
            content: Any = output
        elif isinstance(output, list):
            content = _parts(output, f"{place}.output", self._losses)
        else:
            raise invalid(f"{place}.output", "must be a text or a list of parts")
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": content})

    def _reference(self, item: JSON, place: str) -> None:
        raise invalid(
            place,
            "refers to a stored item, and nothing is stored here; send the item itself",
        )

    def _close_turn(self) -> None:
        """End the assistant's turn, if there is one."""
        if not (self._blocks or self._calls or self._refusal):
            return
        text = text_of_blocks(self._blocks)
        turn: JSON = {"role": "assistant", "content": text or None}
        if len(self._blocks) > 1 or any(block.keys() != _PLAIN for block in self._blocks):
            turn["content_blocks"] = self._blocks
        if self._refusal:
            turn["refusal"] = "".join(self._refusal)
        if self._calls:
            turn["tool_calls"] = self._calls
        self._messages.append(turn)
        self._blocks, self._calls, self._by_id = [], [], {}
        self._refusal, self._extra = [], {}
        self._first_text = 0


_PLAIN: Final = {"type", "text"}
_READERS: Final[Mapping[str, Callable[[_Conversation, JSON, str], None]]] = {
    "message": _Conversation._message,
    "reasoning": _Conversation._reasoning,
    "function_call": _Conversation._function_call,
    "custom_tool_call": _Conversation._custom_call,
    "function_call_output": _Conversation._output,
    "custom_tool_call_output": _Conversation._output,
    "item_reference": _Conversation._reference,
}
"""By the type of an item: what reads it. Others are left out, and said to be."""


def _text(item: JSON, key: str, place: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise invalid(f"{place}.{key}", "must be a text")
    return value


def _texts(parts: object) -> list[str]:
    if not isinstance(parts, list):
        return []
    found = (part.get("text") for part in parts if isinstance(part, dict))
    return [text for text in found if isinstance(text, str)]


# ---- parts


def _parts(content: Any, place: str, losses: Losses, *, as_list: bool = False) -> Any:
    """Return content as the hub has it; a text stays one unless parts are wanted."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if as_list else content
    if not isinstance(content, list):
        raise invalid(place, "must be a text or a list of parts")
    parts = []
    for number, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise invalid(f"{place}[{number}]", "must be an object with a type")
        reader = _PART_READERS.get(part["type"])
        if reader is None:
            losses.drop(f"input.content.{part['type']}")
            continue
        read = reader(part, f"{place}[{number}]")
        if part.get("prompt_cache_breakpoint"):
            read["cache_control"] = {"type": "ephemeral"}
        parts.append(read)
    return parts


def _text_part(part: JSON, place: str) -> JSON:
    if not isinstance(part.get("text"), str):
        raise invalid(f"{place}.text", "must be a text")
    return {"type": "text", "text": part["text"]}


def _refusal_part(part: JSON, place: str) -> JSON:
    if not isinstance(part.get("refusal"), str):
        raise invalid(f"{place}.refusal", "must be a text")
    return {"type": "refusal", "refusal": part["refusal"]}


def _image_part(part: JSON, place: str) -> JSON:
    url = part.get("image_url")
    if isinstance(url, str):
        detail = {"detail": part["detail"]} if isinstance(part.get("detail"), str) else {}
        return {"type": "image_url", "image_url": {"url": url, **detail}}
    if isinstance(part.get("file_id"), str):
        return {"type": "file", "file": {"file_id": part["file_id"]}}
    raise invalid(place, "must have an image_url or a file_id")


def _file_part(part: JSON, place: str) -> JSON:
    file = {key: part[key] for key in _FILE_MEMBERS if isinstance(part.get(key), str)}
    if not file.keys() & _FILE_SOURCES:
        raise invalid(place, "must have file_data, a file_url or a file_id")
    return {"type": "file", "file": file}


def _audio_part(part: JSON, place: str) -> JSON:
    if not isinstance(part.get("input_audio"), dict):
        raise invalid(f"{place}.input_audio", "must be an object")
    return {"type": "input_audio", "input_audio": part["input_audio"]}


_FILE_MEMBERS: Final = ("file_data", "file_url", "file_id", "filename")
_FILE_SOURCES: Final = frozenset(_FILE_MEMBERS[:3])
_PART_READERS: Final[Mapping[str, Callable[[JSON, str], JSON]]] = {
    "input_text": _text_part,
    "output_text": _text_part,
    "text": _text_part,
    "refusal": _refusal_part,
    "input_image": _image_part,
    "input_file": _file_part,
    "input_audio": _audio_part,
}
"""By the type of a part: what reads it. Others are left out, and said to be."""
