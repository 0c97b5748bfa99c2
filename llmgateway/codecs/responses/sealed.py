"""Packs what an answer must get back into the `encrypted_content` of reasoning items.

There is no store here that could find an answer again, and clients give reasoning items back as
they came. Three things are packed: a block (a thinking one without its text, which the summary
owns, but with a checksum of it), what belongs to texts of the message before, and what belongs to
the call of a tool. It is packed, not encrypted: it holds nothing that the client may not see.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any, Final

import orjson

from llmgateway.codecs.hub import Block
from llmgateway.types import JSON

_PREFIX: Final = "lgw1."


def pack(value: JSON) -> str:
    """Return `value` as a text that clients keep as it is."""
    return _PREFIX + base64.urlsafe_b64encode(orjson.dumps(value)).decode()


def unpack(text: object) -> JSON | None:
    """Return what `pack` was given; None for what some provider packed or encrypted."""
    if not is_packed(text):
        return None
    try:
        value = orjson.loads(base64.urlsafe_b64decode(str(text).removeprefix(_PREFIX)))
    except (binascii.Error, ValueError):
        return None
    return value if isinstance(value, dict) else None


def is_packed(text: object) -> bool:
    """Whether we packed it, be it still whole or not."""
    return isinstance(text, str) and text.startswith(_PREFIX)


def seal(block: Block) -> str:
    """Pack a block whose text, if it is a thought, stands in the item's summary."""
    rest = {key: value for key, value in block.items() if key != "thinking"}
    if block.get("type") != "thinking":
        return pack({"block": rest})
    return pack({"block": rest, "crc": _checksum(block.get("thinking", ""))})


def unseal(packed: JSON, summary: str) -> Block | None:
    """Return a packed block; a thought that was changed on its way comes without its signature.

    Providers refuse a signature over other words; a codec knows what to do where it is missing.
    """
    block: Any = packed.get("block")
    if not isinstance(block, dict):
        return None
    if block.get("type") != "thinking":
        return block
    if packed.get("crc") != _checksum(summary):
        return {"type": "thinking", "thinking": summary} if summary else None
    return {"type": "thinking", "thinking": summary, **block}


def _checksum(text: str) -> int:
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))
