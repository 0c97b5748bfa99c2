"""Chat completions: the format, its door, and the codec of providers that speak it.

Source: https://platform.openai.com/docs/api-reference/chat.
"""

from llmgateway.codecs.chat.codec import CHAT_CODEC, ChatCodec
from llmgateway.codecs.chat.door import CHAT_DOOR
from llmgateway.codecs.chat.format import CHAT

__all__ = ["CHAT", "CHAT_CODEC", "CHAT_DOOR", "ChatCodec"]
