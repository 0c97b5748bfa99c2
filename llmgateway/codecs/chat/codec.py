"""The codec of providers that speak chat completions, for callers who do not."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmgateway.codecs.base import Context, Encoded, StreamDecoder
from llmgateway.codecs.chat.answers import decode_response
from llmgateway.codecs.chat.reader import ChatReader
from llmgateway.codecs.chat.requests import encode_request
from llmgateway.codecs.chat.turns import Turns
from llmgateway.types import JSON


@dataclass(frozen=True, slots=True)
class ChatCodec:
    """One dialect of the format; implements `Codec`."""

    turns: Turns = field(default_factory=Turns)

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Write a hub request as these providers take it."""
        return encode_request(body, ctx, self.turns)

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Read a whole answer into the hub's form."""
        return decode_response(body, ctx)

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Begin to read a streamed answer."""
        return ChatReader(ctx)


CHAT_CODEC = ChatCodec()
