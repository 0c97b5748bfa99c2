"""How many tokens a request is, roughly: for providers that cannot count."""

from __future__ import annotations

from typing import Any, Final

import orjson

from llmgateway.codecs.messages.parts import parse_data_url
from llmgateway.codecs.messages.shape import as_list
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON

BYTES_PER_TOKEN: Final = 4
"""Of text in UTF-8: near the truth for English, and on the safe side of it for most others."""
IMAGE_TOKENS: Final = 1_600
"""An image of about one megapixel, which larger ones are scaled down to."""
FILE_TOKENS: Final = 3_000
"""A document by address or id, of a size that nobody knows here."""
FILE_BYTES_PER_TOKEN: Final = 40
"""Of a document that came along; most of a PDF's bytes are not its words."""
TOOL_PROMPT_TOKENS: Final = 350
"""What providers themselves say to a model about using tools at all.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing
"""
MESSAGE_TOKENS: Final = 4
"""What stands around each message."""


def estimate(request: JSON) -> int:
    """Return roughly how many tokens a hub request is; at least one.

    Texts, tool calls and tools count a token for each four bytes, images and files a constant.
    """
    total = 0
    for message in as_list(request.get("messages")):
        if isinstance(message, dict):
            total += MESSAGE_TOKENS + _of_content(message.get("content"))
            total += sum(_of_json(call) for call in as_list(message.get("tool_calls")))
            total += _of_thoughts(message)
    tools = as_list(request.get("tools"))
    total += sum(_of_json(tool) for tool in tools) + (TOOL_PROMPT_TOKENS if tools else 0)
    total += _of_json(request.get("response_format"))
    return max(total, 1)


def _of_content(content: Any) -> int:
    if isinstance(content, str):
        return _of_text(content)
    return sum(_of_part(part) for part in as_list(content))


def _of_part(part: Any) -> int:
    if not isinstance(part, dict):
        return _of_text(part) if isinstance(part, str) else 0
    kind = part.get("type")
    if kind == "image_url":
        return IMAGE_TOKENS
    if kind == "file":
        return _of_file(part.get("file"))
    text = part.get("text")
    return _of_text(text) if isinstance(text, str) else _of_json(part)


def _of_file(file: Any) -> int:
    data = file.get("file_data") if isinstance(file, dict) else None
    if not isinstance(data, str):
        return FILE_TOKENS
    try:
        url = parse_data_url(data)
    except InvalidRequest:
        url = None
    if url is not None and url.mime.startswith("image/"):
        return IMAGE_TOKENS
    size = len(url.data if url else data) * 3 // 4
    is_text = url is not None and url.mime.startswith("text/")
    return size // (BYTES_PER_TOKEN if is_text else FILE_BYTES_PER_TOKEN) + 1


def _of_thoughts(message: JSON) -> int:
    blocks = as_list(message.get("content_blocks"))
    return sum(_of_json(block) for block in blocks if _is_no_text(block))


def _is_no_text(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") != "text"


def _of_text(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def _of_json(value: Any) -> int:
    if value is None:
        return 0
    try:
        return -(-len(orjson.dumps(value)) // BYTES_PER_TOKEN)
    except TypeError:
        return 0
