"""Why an answer ended: the provider's words and the hub's.

Source: https://ai.google.dev/api/generate-content#FinishReason, and the Portkey contract's table.
"""

from __future__ import annotations

from typing import Final

from llmgateway.codecs.generate_content.shape import an_object, pick, string
from llmgateway.types import JSON

_FILTERED: Final = (
    "SAFETY", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
    "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
)  # fmt: skip
_REASONS: Final = {
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(_FILTERED, "content_filter"),
}
"""All that is not `stop`: what ends well, and what only this provider has a word for."""

_NATIVE: Final = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}


def decode_finish(native: str, *, has_calls: bool) -> str:
    """Return OpenAI's finish reason; calls of tools end with `tool_calls`."""
    reason = _REASONS.get(native, "stop")
    return "tool_calls" if has_calls and reason == "stop" else reason


def encode_finish(reason: str) -> str:
    """Return the provider's finish reason; it has none of its own for calls of tools."""
    return _NATIVE.get(reason, "STOP")


def refusal_of(candidate: JSON, native: str) -> str | None:
    """Return what to tell where a filter ended the answer."""
    if decode_finish(native, has_calls=False) != "content_filter":
        return None
    said = string(pick(candidate, "finishMessage"))
    return said or f"The provider's filter stopped the answer ({native})."


def block_of(body: JSON) -> tuple[str, str] | None:
    """Return the reason and the words of a refused prompt; None where it was not."""
    feedback = an_object(pick(body, "promptFeedback"))
    reason = string(pick(feedback, "blockReason"))
    if not reason:
        return None
    said = string(pick(feedback, "blockReasonMessage"))
    return reason, said or f"The provider's filter refused the prompt ({reason})."
