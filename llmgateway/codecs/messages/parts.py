"""Hub parts of user turns and tool results → blocks: texts, images, documents."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.losses import Losses
from llmgateway.codecs.messages.shape import kind_of, text_of
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON

WIRE: Final = "messages"
"""The name of this format in the hub's opaque blocks."""

_NATIVE: Final = frozenset(
    {"image", "document", "search_result", "container_upload", "tool_reference"}
)
"""Blocks of the format that callers of the chat endpoint may write themselves."""
_DOCUMENT_EXTRAS: Final = ("title", "context", "citations")


class DataURL(NamedTuple):
    """What a `data:` URL holds (RFC 2397)."""

    mime: str
    data: str
    """Base64, whichever way the URL had it."""


def write_parts(content: object, losses: Losses) -> list[Block]:
    """Return the blocks of a message's content, be it a text or parts; empty texts are left out."""
    if isinstance(content, list):
        blocks = (_write_part(part, losses) for part in content)
        return [block for block in blocks if block is not None]
    if content is None:
        return []
    if not isinstance(content, str):
        raise InvalidRequest("`content` must be a text or a list of parts.", param="messages")
    return text_blocks(content)


def text_blocks(text: str) -> list[Block]:
    """Return one block, or none for a text that the API would refuse for saying nothing."""
    return [{"type": "text", "text": text}] if text.strip() else []


def mark(block: Block, source: JSON) -> Block:
    """Return the block with the cache mark of what it was made of."""
    cache = source.get("cache_control")
    return {**block, "cache_control": cache} if isinstance(cache, dict) else block


def mark_last(blocks: list[Block], source: JSON) -> list[Block]:
    """Put a whole message's cache mark on its last block."""
    if blocks and "cache_control" not in blocks[-1]:
        return [*blocks[:-1], mark(blocks[-1], source)]
    return blocks


def _write_part(part: object, losses: Losses) -> Block | None:
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    if not isinstance(part, dict):
        raise InvalidRequest("Each part of `content` must be an object.", param="messages")
    kind = kind_of(part)
    write = _WRITERS.get(kind)
    if kind == "file" and _is_film(part):
        losses.drop("messages.file")
        return None
    if write is not None:
        block = write(part)
        return None if block is None else mark(block, part)
    if kind in _NATIVE:
        return part
    if kind == "opaque" and part.get("wire") == WIRE and isinstance(part.get("value"), dict):
        value: Block = part["value"]
        return value
    losses.drop(f"messages.{kind}" if kind else "messages")
    return None


def _text(part: JSON) -> Block | None:
    text = part.get("text", part.get("refusal"))
    if not isinstance(text, str) or not text.strip():
        return None
    return {"type": "text", "text": text}


def _image(part: JSON) -> Block:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise InvalidRequest("`image_url` needs a `url`.", param="messages")
    parsed = parse_data_url(url)
    if parsed is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    return _inline(parsed)


def _is_film(part: JSON) -> bool:
    """Whether a file is a film or a sound, which the API has no block for."""
    within = part.get("file")
    file: JSON = within if isinstance(within, dict) else part
    kinds = (text_of(file.get("mime_type")), text_of(file.get("file_data"))[5:12])
    return any(kind.lower().startswith(("video/", "audio/")) for kind in kinds)


def _file(part: JSON) -> Block:
    """Write a file. Sources of `file_url` and `mime_type` beside OpenAI's members: the hub."""
    within = part.get("file")
    file: JSON = within if isinstance(within, dict) else part
    mime = text_of(file.get("mime_type"))
    block = _file_block(file, mime)
    name = text_of(file.get("filename"))
    extras = {key: part[key] for key in _DOCUMENT_EXTRAS if part.get(key) is not None}
    if block["type"] == "document":
        block = {**block, **({"title": name} if name else {}), **extras}
    return block


def _file_block(file: JSON, mime: str) -> Block:
    kind = "image" if mime.startswith("image/") else "document"
    for key, name in (("file_url", "url"), ("file_id", "file_id")):
        if value := text_of(file.get(key)):
            source = {"type": "url" if name == "url" else "file", name: value}
            return {"type": kind, "source": source}
    data = file.get("file_data")
    if not isinstance(data, str):
        raise InvalidRequest("A file needs `file_data`, `file_url` or `file_id`.", param="messages")
    parsed = parse_data_url(data)
    if parsed is not None:
        return _inline(parsed)
    if _is_text(mime):  # without a data URL, the text itself, as Portkey's contract has it
        return _plain(data)
    return _inline(DataURL(mime or "application/pdf", data))


def _inline(url: DataURL) -> Block:
    if url.mime.startswith("image/"):
        return {"type": "image", "source": _base64(url)}
    if _is_text(url.mime):
        return _plain(_decoded(url.data).decode("utf-8", "replace"))
    return {"type": "document", "source": _base64(url)}


def _base64(url: DataURL) -> JSON:
    return {"type": "base64", "media_type": url.mime, "data": url.data}


def _plain(text: str) -> Block:
    source = {"type": "text", "media_type": "text/plain", "data": text}
    return {"type": "document", "source": source}


def _is_text(mime: str) -> bool:
    return mime.startswith("text/") or mime == "application/json"


def parse_data_url(url: str) -> DataURL | None:
    """Read a `data:` URL; None for any other. Raises `InvalidRequest` for one that is cut short."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise InvalidRequest("A `data:` URL has no comma and thus no data.", param="messages")
    mime, *parameters = head.split(";")
    if not any(parameter.strip().lower() == "base64" for parameter in parameters):
        data = base64.b64encode(unquote_to_bytes(data)).decode("ascii")
    return DataURL(mime.strip().lower() or "text/plain", data)


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        raise InvalidRequest("A file's data is not base64.", param="messages") from None


_WRITERS: Final[dict[str, Callable[[JSON], Block | None]]] = {
    "text": _text,
    "input_text": _text,
    "refusal": _text,
    "image_url": _image,
    "file": _file,
}
