"""What other providers sign, carried through clients of this format.

A client of Messages gives thinking blocks back untouched, redacted ones without a look inside.
So a signature that this format has no place for (Gemini signs texts and tool calls) and a block of
another format travel as the data of a redacted block, after the block that they belong to.

A thought of another maker gets a signature of ours, which holds the maker's own, if there is one.
It tells such thoughts from those that the format's own provider has signed and takes back.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import orjson

from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.parts import WIRE
from llmgateway.types import JSON

PREFIX: Final = "llmgateway."
MARKS: Final = (b'"' + PREFIX.encode(),)
"""What stands in a body that has something of ours."""
CARRIED: Final = "llmgateway_carried"
"""The type of a hub block that has come back, while it stands among blocks of this format."""


def pack(content: JSON) -> Block:
    """Return the block that carries `content`: {"block"}, {"signature"} or {"call", "extra"}."""
    return {"type": "redacted_thinking", "data": _written(content)}


def unpack(block: Block) -> JSON | None:
    """Return what a block carries; None for a block of the client's own provider."""
    return _read(block.get("data")) if block.get("type") == "redacted_thinking" else None


def signature_for(thought: Block) -> str:
    """Return the signature of a thinking block of the hub: this format's own, or one of ours."""
    signature, wire = thought.get("signature"), thought.get("wire", WIRE)
    if signature and wire == WIRE:
        return str(signature)
    return _written({"wire": wire, "signature": signature} if signature else {})


def signed_again(block: Block) -> Block:
    """Return a thinking block that came back, with its maker's own signature, if it had one."""
    if block.get("type") != "thinking" or not is_ours(block.get("signature")):
        return block
    bare = {key: value for key, value in block.items() if key != "signature"}
    return {**bare, **(_read(block["signature"]) or {})}


def is_ours(text: object) -> bool:
    """Whether data, a signature or an index is one of ours, be it still whole or not."""
    return isinstance(text, str) and text.startswith(PREFIX)


def _written(content: JSON) -> str:
    return PREFIX + base64.urlsafe_b64encode(orjson.dumps(content)).decode("ascii")


def _read(text: object) -> JSON | None:
    if not is_ours(text):
        return None
    try:
        content = orjson.loads(base64.urlsafe_b64decode(str(text).removeprefix(PREFIX)))
    except (binascii.Error, ValueError):
        return None
    return content if isinstance(content, dict) else None
