"""What other providers sign, carried through clients of this format.

A client of Messages gives thinking blocks back untouched, redacted ones without a look inside.
So a signature that this format has no place for (Gemini signs texts and tool calls) and a block of
another format travel as the data of a redacted block, after the block that they belong to.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import orjson

from llmgateway.codecs.hub import Block
from llmgateway.types import JSON

PREFIX: Final = "llmgateway."
CARRIED: Final = "llmgateway_carried"
"""The type of a hub block that has come back, while it stands among blocks of this format."""


def pack(content: JSON) -> Block:
    """Return the block that carries `content`: {"block"}, {"signature"} or {"call", "extra"}."""
    data = base64.urlsafe_b64encode(orjson.dumps(content)).decode("ascii")
    return {"type": "redacted_thinking", "data": PREFIX + data}


def unpack(block: Block) -> JSON | None:
    """Return what a block carries; None for a block of the client's own provider."""
    data = block.get("data")
    if block.get("type") != "redacted_thinking" or not isinstance(data, str):
        return None
    if not data.startswith(PREFIX):
        return None
    try:
        content = orjson.loads(base64.urlsafe_b64decode(data.removeprefix(PREFIX)))
    except (binascii.Error, ValueError):
        return None
    return content if isinstance(content, dict) else None
