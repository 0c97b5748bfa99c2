"""A caller's Messages request → the hub's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llmgateway.codecs.base import Decoded
from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.blocks import read_content
from llmgateway.codecs.messages.carrier import CARRIED, signed_again, unpack
from llmgateway.codecs.messages.inbound_tools import read_choice, read_tools
from llmgateway.codecs.messages.losses import Losses
from llmgateway.codecs.messages.parts import WIRE, mark
from llmgateway.codecs.messages.shape import as_list, text_of
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON

_SAME: Final = ("temperature", "top_p", "top_k", "thinking")
_READ: Final = frozenset({
    *_SAME, "model", "messages", "system", "tools", "tool_choice", "max_tokens", "stop_sequences",
    "stream", "metadata", "output_config", "output_format", "mcp_servers", "service_tier",
})  # fmt: skip


def decode(body: JSON) -> Decoded:
    """Read a request; raises `InvalidRequest` with `param` for what is no request at all."""
    losses = Losses()
    hub: JSON = {}
    if "model" in body:
        hub["model"] = body["model"]
    hub["messages"] = [*_system(body.get("system"), losses), *_messages(body, losses)]
    if tools := read_tools(body, losses):
        hub["tools"] = tools
    hub |= read_choice(body.get("tool_choice"))
    if body.get("max_tokens") is not None:
        hub["max_completion_tokens"] = body["max_tokens"]
    for name in _SAME:
        if body.get(name) is not None:
            hub[name] = body[name]
    hub |= _output_config(body, losses)
    hub |= _rest(body, losses)
    for name, value in body.items():
        if name not in _READ and value is not None:
            losses.drop(name)
    stream = body.get("stream") is True
    if stream:
        hub["stream"] = True
    return Decoded(hub, stream, losses.dropped, losses.adjusted)


def _output_config(body: JSON, losses: Losses) -> JSON:
    given = body.get("output_config")
    config: JSON = given if isinstance(given, dict) else {}
    hub: JSON = {}
    if config.get("effort") is not None:
        hub["reasoning_effort"] = config["effort"]
    form = config.get("format") or body.get("output_format")
    if isinstance(form, dict) and isinstance(form.get("schema"), dict):
        schema = {"name": "response", "schema": form["schema"], "strict": True}
        hub["response_format"] = {"type": "json_schema", "json_schema": schema}
    for name, value in config.items():
        if name not in ("effort", "format") and value is not None:
            losses.drop(f"output_config.{name}")
    return hub


def _rest(body: JSON, losses: Losses) -> JSON:
    hub: JSON = {}
    if as_list(body.get("stop_sequences")):
        hub["stop"] = body["stop_sequences"]
    metadata = body.get("metadata")
    for name, value in (metadata if isinstance(metadata, dict) else {}).items():
        if name == "user_id" and isinstance(value, str):
            hub["user"] = value
        elif value is not None:
            losses.drop(f"metadata.{name}")
    tier = body.get("service_tier")
    if tier is not None:
        hub["service_tier"] = "default" if tier == "standard_only" else tier
    return hub


# ---- messages


def _system(system: Any, losses: Losses) -> list[JSON]:
    if system is None or system in ("", []):
        return []
    return [{"role": "system", "content": _texts(system, losses)}]


def _texts(content: Any, losses: Losses) -> Any:
    if isinstance(content, list):
        return _parts(content, losses)
    if not isinstance(content, str):
        raise InvalidRequest("`system` must be a text or a list of blocks.", param="system")
    return content


def _messages(body: JSON, losses: Losses) -> list[JSON]:
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise InvalidRequest("`messages` must be a list.", param="messages")
    read: list[JSON] = []
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        reader = _READERS.get(role) if isinstance(role, str) else None
        if reader is None:
            raise InvalidRequest(
                "Each message must be an object whose `role` is user or assistant.",
                param="messages",
            )
        content = message.get("content")
        if not isinstance(content, str | list):
            raise InvalidRequest("`content` must be a text or a list of blocks.", param="messages")
        read += reader(content, losses)
    return read


def _user(content: Any, losses: Losses) -> list[JSON]:
    """Read a user's turn: results of tools first, which elsewhere are turns of their own."""
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    blocks = [_object(block) for block in content]
    results = [
        _tool_result(block, losses) for block in blocks if block.get("type") == "tool_result"
    ]
    parts = _parts([block for block in blocks if block.get("type") != "tool_result"], losses)
    return [*results, *([{"role": "user", "content": parts}] if parts else [])]


def _system_turn(content: Any, losses: Losses) -> list[JSON]:
    return [{"role": "system", "content": _texts(content, losses)}]


def _tool_result(block: JSON, losses: Losses) -> JSON:
    if not isinstance(block.get("tool_use_id"), str):
        raise InvalidRequest("A tool_result needs `tool_use_id`.", param="messages")
    content = block.get("content")
    if content is None:
        content = ""
    elif not isinstance(content, str | list):
        raise InvalidRequest("A tool_result's `content` is a text or blocks.", param="messages")
    result: JSON = {
        "role": "tool",
        "tool_call_id": block["tool_use_id"],
        "content": content if isinstance(content, str) else _parts(content, losses),
    }
    if isinstance(block.get("is_error"), bool):
        result["is_error"] = block["is_error"]
    return mark(result, block)


def _assistant(content: Any) -> list[JSON]:
    if isinstance(content, str):
        return [{"role": "assistant", "content": content}]
    blocks, extras = _unpacked([_object(block) for block in content])
    for block in blocks:
        if block.get("type") == "tool_use" and not isinstance(block.get("name"), str):
            raise InvalidRequest("A tool_use needs `id` and `name`.", param="messages")
    turn = read_content(blocks)
    texts = [block["text"] for block in turn.blocks if isinstance(block.get("text"), str)]
    message: JSON = {"role": "assistant", "content": "".join(texts) if texts else None}
    is_plain = len(turn.blocks) == 1 and turn.blocks[0].keys() <= {"type", "text"}
    if turn.blocks and not is_plain:
        message["content_blocks"] = turn.blocks
    if turn.calls:
        message["tool_calls"] = [_with_extra(call, extras) for call in turn.calls]
    elif message["content"] is None:
        message["content"] = ""
    return [message]


def _unpacked(blocks: list[Block]) -> tuple[list[Block], dict[str, JSON]]:
    """Return the blocks with what carriers brought back, and the extras of calls by their ids."""
    read: list[Block] = []
    extras: dict[str, JSON] = {}
    for block in blocks:
        carried = unpack(block)
        if carried is None:
            read.append(signed_again(block))
        elif isinstance(carried.get("block"), dict):
            read.append({"type": CARRIED, "value": carried["block"]})
        elif isinstance(carried.get("call"), str) and isinstance(carried.get("extra"), dict):
            extras[carried["call"]] = carried["extra"]
        elif read and isinstance(carried.get("signature"), str):
            read[-1] = {**read[-1], "signature": carried["signature"]}
    return read, extras


def _with_extra(call: JSON, extras: dict[str, JSON]) -> JSON:
    extra = extras.get(str(call.get("id")))
    if extra is None:
        return call
    own = call.get("extra_content")
    return {**call, "extra_content": {**extra, **(own if isinstance(own, dict) else {})}}


# ---- parts


def _parts(content: list[Any], losses: Losses) -> list[JSON]:
    """Return blocks of a user, a system text or a tool's result as parts."""
    parts: list[JSON] = []
    for item in content:
        block = _object(item)
        kind = block.get("type")
        read = _PARTS.get(kind) if isinstance(kind, str) else None
        if read is None:
            parts.append(mark({"type": "opaque", "wire": WIRE, "value": block}, block))
        else:
            made = read(block, losses)
            parts += [*made[:-1], mark(made[-1], block)] if made else []
    return parts


def _object(block: Any) -> JSON:
    if isinstance(block, str):
        return {"type": "text", "text": block}
    if not isinstance(block, dict):
        raise InvalidRequest("Each block of `content` must be an object.", param="messages")
    return block


def _text(block: JSON, losses: Losses) -> list[JSON]:
    return [{"type": "text", "text": text_of(block.get("text"))}]


def _image(block: JSON, losses: Losses) -> list[JSON]:
    source = _source(block)
    if source.get("type") == "file":
        return [
            {"type": "file", "file": {"file_id": source.get("file_id"), "mime_type": "image/*"}}
        ]
    return [{"type": "image_url", "image_url": {"url": _url_of(source)}}]


def _document(block: JSON, losses: Losses) -> list[JSON]:
    """Read a document; a text or a list of blocks becomes plain parts, which all providers take."""
    for name in ("context", "citations"):
        if block.get(name):
            losses.drop(f"messages.document.{name}")
    source = _source(block)
    title = text_of(block.get("title"))
    match source.get("type"):
        case "text":
            text = text_of(source.get("data"))
            return [{"type": "text", "text": f"{title}\n\n{text}" if title else text}]
        case "content":
            inner = source.get("content")
            return _parts(inner if isinstance(inner, list) else [text_of(inner)], losses)
        case "file":
            file: JSON = {"file_id": source.get("file_id")}
        case "url":
            file = {"file_url": _url_of(source), "mime_type": "application/pdf"}
        case _:
            file = {"file_data": _url_of(source), "mime_type": text_of(source.get("media_type"))}
    return [{"type": "file", "file": {**file, **({"filename": title} if title else {})}}]


def _search_result(block: JSON, losses: Losses) -> list[JSON]:
    """Read a search result as words; that it may be cited gets lost."""
    losses.adjust("messages.search_result")
    head = " ".join(text_of(block.get(name)) for name in ("title", "source")).strip()
    texts = [
        text_of(part.get("text"))
        for part in as_list(block.get("content"))
        if isinstance(part, dict)
    ]
    return [{"type": "text", "text": "\n\n".join([head, *texts])}]


def _source(block: JSON) -> JSON:
    source = block.get("source")
    if not isinstance(source, dict):
        raise InvalidRequest("An image or a document needs a `source`.", param="messages")
    return source


def _url_of(source: JSON) -> str:
    if isinstance(source.get("url"), str):
        return str(source["url"])
    if not isinstance(source.get("data"), str) or not isinstance(source.get("media_type"), str):
        raise InvalidRequest(
            "A source needs a `url`, or `media_type` and `data`.", param="messages"
        )
    return f"data:{source['media_type']};base64,{source['data']}"


_READERS: Final[dict[str, Callable[[Any, Losses], list[JSON]]]] = {
    "user": _user,
    "assistant": lambda content, losses: _assistant(content),
    "system": _system_turn,
}
_PARTS: Final[dict[str, Callable[[JSON, Losses], list[JSON]]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
}
