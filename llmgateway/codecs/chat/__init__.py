"""Chat completions: the format, its door, and the codec of providers that speak it.

Source: https://platform.openai.com/docs/api-reference/chat.
"""

from typing import Final

from llmgateway.codecs.chat.format import CHAT
from llmgateway.codecs.chat.marks import without_marks
from llmgateway.codecs.late import LateCodec, LateDoor

__all__ = ["CHAT", "CHAT_CODEC", "CHAT_DOOR"]

CHAT_CODEC: Final = LateCodec("llmgateway.codecs.chat.codec:CHAT_CODEC")
CHAT_DOOR: Final = LateDoor(
    CHAT, "chat", None, "llmgateway.codecs.chat.door:CHAT_DOOR", without_marks
)
