"""Blocks of other formats on their way through a Gemini client's history.

The client sends parts back as they came, so a block that no part can say travels in an empty
thought's `partMetadata`. A foreign signature is packed: clients rewrite base64 in another alphabet,
and Google must not be shown what it never signed.
Source: https://ai.google.dev/api/caching#Part
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from llmgateway.codecs import hub
from llmgateway.codecs.generate_content.shape import an_object, pick, string
from llmgateway.codecs.generate_content.turns import WIRE
from llmgateway.types import JSON

_KEY: Final = "llmgatewayBlock"
_MARK: Final = b"llmgateway:"
MARKS: Final = (_KEY.encode(), base64.b64encode(_MARK + b"\0")[:14])
"""What stands in a body that carries a block or a packed signature: of the mark's own base64, the
letters that do not depend on what follows it."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")


def encode_block(block: hub.Block) -> JSON | None:
    """Return a block of the hub as a part; None for one with nothing in it."""
    kind = block.get("type")
    if kind == "opaque" and block.get("wire") == WIRE:
        value = block.get("value")
        return value if isinstance(value, dict) else None
    if kind not in ("text", "thinking"):
        return {"text": "", "thought": True, "partMetadata": {_KEY: block}}
    text, signature = string(block.get(kind)), string(block.get("signature"))
    part: JSON = {"text": text}
    if kind == "thinking":
        part["thought"] = True
    if signature:
        is_own = kind == "text" or block.get("wire") == WIRE
        part["thoughtSignature"] = signature_for(signature, is_own=is_own)
    return part if text or signature else None


def decode_block(part: JSON) -> hub.Block:
    """Return a part of a caller's history, other than a call, as a block of the hub."""
    carried = an_object(pick(part, "partMetadata")).get(_KEY)
    if isinstance(carried, dict):
        return carried
    if not isinstance(part.get("text"), str):
        return {"type": "opaque", "wire": WIRE, "value": part}
    kind = "thinking" if part.get("thought") is True else "text"
    block: hub.Block = {"type": kind, kind: part["text"]}
    stated = pick(part, "thoughtSignature")
    if not isinstance(stated, str):
        return block
    packed = _unpacked(stated)
    if packed is not None:
        return {**block, "signature": packed}
    own = {"wire": WIRE} if kind == "thinking" else {}
    return {**block, "signature": stated, **own}


def is_carrier(part: JSON) -> bool:
    """Whether a part holds nothing but a block of another format."""
    return _KEY in an_object(pick(part, "partMetadata"))


def is_packed(signature: object) -> bool:
    """Whether a signature is another maker's, as we packed it."""
    return isinstance(signature, str) and _unpacked(signature) is not None


def signature_for(signature: str, *, is_own: bool) -> str:
    """Return a signature as base64, which clients read it as."""
    if is_own and _is_base64(signature) and _unpacked(signature) is None:
        return signature
    packed = _MARK + signature.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(packed).decode()


def _is_base64(text: str) -> bool:
    return bool(_BASE64.fullmatch(text)) and len(text.rstrip("=")) % 4 != 1


def decode_signature(stated: str) -> str:
    """Return a signature as the hub has it."""
    unpacked = _unpacked(stated)
    return stated if unpacked is None else unpacked


def _unpacked(stated: str) -> str | None:
    usual = stated.replace("+", "-").replace("/", "_")
    try:
        packed = base64.urlsafe_b64decode(usual + "=" * (-len(usual) % 4))
        if packed.startswith(_MARK):
            return packed.removeprefix(_MARK).decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        pass
    return None
