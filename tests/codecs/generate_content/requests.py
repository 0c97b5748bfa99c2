"""Requests to translate, each held against the closed schema."""

from __future__ import annotations

from typing import Any

from llmgateway.codecs.base import Encoded
from llmgateway.codecs.generate_content import GENERATE_CONTENT_CODEC
from llmgateway.types.capabilities import Capabilities
from tests.codecs.crossing import context
from tests.codecs.generate_content.models import THIRD
from tests.codecs.generate_content.schemas import check

HI = [{"role": "user", "content": "hi"}]
PIXEL = "iVBORw0KGgo="
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"at": {"$ref": "#/$defs/place"}},
            "additionalProperties": False,
            "$defs": {"place": {"type": ["string", "null"]}},
        },
    },
}


def encode(caps: Capabilities = THIRD, *, valid: bool = True, **body: Any) -> Encoded:
    """Translate a request; what comes out is held against the closed schema."""
    encoded = GENERATE_CONTENT_CODEC.encode_request(
        {"model": "m", "messages": HI, **body}, context(capabilities=caps)
    )
    if valid:
        check("GenerateContentRequest", encoded.body)
    return encoded


def contents(*messages: Any, caps: Capabilities = THIRD) -> list[Any]:
    """Return the contents of some messages."""
    found: list[Any] = encode(caps, messages=list(messages)).body["contents"]
    return found


def config(caps: Capabilities = THIRD, **body: Any) -> Any:
    """Return the generation config of some parameters."""
    return encode(caps, **body).body.get("generationConfig")


def call(call_id: str, name: str = "look", **members: Any) -> dict[str, Any]:
    """Return a call in the hub's form."""
    function = {"name": name, "arguments": '{"at": "x"}'}
    return {"id": call_id, "type": "function", "function": function, **members}


def signed(call_id: str, signature: str = "c2ln", **members: Any) -> dict[str, Any]:
    """Return a signed call."""
    return call(call_id, extra_content={"thought_signature": signature, **members})
