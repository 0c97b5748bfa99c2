"""Personal data and secrets: found, masked, restored. A vault lives for one request."""

from llmgateway.guardrails.pii.find import Looked, Recogniser, Span, find
from llmgateway.guardrails.pii.restore import StreamMask, StreamRestore
from llmgateway.guardrails.pii.shapes import KINDS, MAX_SPAN, known_kind, window_limit
from llmgateway.guardrails.pii.vault import Found, Vault

__all__ = [
    "KINDS",
    "MAX_SPAN",
    "Found",
    "Looked",
    "Recogniser",
    "Span",
    "StreamMask",
    "StreamRestore",
    "Vault",
    "find",
    "known_kind",
    "window_limit",
]
