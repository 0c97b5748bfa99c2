"""Messages: the format, its codec and its door, and the count of a request's tokens.

Source: https://platform.claude.com/docs/en/api/messages.
"""

from typing import Final

from llmgateway.codecs.late import LateCodec, LateDoor
from llmgateway.codecs.messages.carrier import MARKS
from llmgateway.codecs.messages.estimate import estimate
from llmgateway.codecs.messages.format import COUNT_TOKENS, MESSAGES

__all__ = [
    "COUNT_TOKENS",
    "COUNT_TOKENS_CODEC",
    "COUNT_TOKENS_DOOR",
    "MESSAGES",
    "MESSAGES_CODEC",
    "MESSAGES_DOOR",
    "estimate",
]

MESSAGES_CODEC: Final = LateCodec("llmgateway.codecs.messages.codec:MESSAGES_CODEC")
MESSAGES_DOOR: Final = LateDoor(
    MESSAGES, "chat", MARKS, "llmgateway.codecs.messages.door:MESSAGES_DOOR"
)
COUNT_TOKENS_CODEC: Final = LateCodec("llmgateway.codecs.messages.count_tokens:COUNT_TOKENS_CODEC")
COUNT_TOKENS_DOOR: Final = LateDoor(
    COUNT_TOKENS,
    "count_tokens",
    MARKS,
    "llmgateway.codecs.messages.count_tokens:COUNT_TOKENS_DOOR",
)
