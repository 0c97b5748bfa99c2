"""Messages: the format, its codec and its door, and the count of a request's tokens.

Source: https://platform.claude.com/docs/en/api/messages.
"""

from llmgateway.codecs.messages.codec import MESSAGES_CODEC, MessagesCodec
from llmgateway.codecs.messages.count_tokens import (
    COUNT_TOKENS_CODEC,
    COUNT_TOKENS_DOOR,
    estimate,
)
from llmgateway.codecs.messages.door import MESSAGES_DOOR
from llmgateway.codecs.messages.format import COUNT_TOKENS, MESSAGES

__all__ = [
    "COUNT_TOKENS",
    "COUNT_TOKENS_CODEC",
    "COUNT_TOKENS_DOOR",
    "MESSAGES",
    "MESSAGES_CODEC",
    "MESSAGES_DOOR",
    "MessagesCodec",
    "estimate",
]
