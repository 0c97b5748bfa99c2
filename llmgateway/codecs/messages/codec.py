"""Hub chat ↔ Messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from llmgateway.codecs.base import Context, Encoded, StreamDecoder
from llmgateway.codecs.messages import answer, request
from llmgateway.codecs.messages.stream import MessagesDecoder
from llmgateway.types import JSON

VERSION: Final = {"anthropic-version": "2023-06-01"}
"""The version that this translation is written for; newer ones refuse parameters that it sends."""


@dataclass(frozen=True, slots=True)
class MessagesCodec:
    """The provider's side; implements `Codec`."""

    version: Mapping[str, str] = field(default_factory=lambda: VERSION)
    """The headers that name the version; other hosts of the API say it elsewhere."""

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Write a hub request as the API takes it; raises `InvalidRequest` with `param`."""
        return request.encode(body, ctx, self.version)

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Read a whole answer into the hub's form."""
        return answer.decode(body, ctx)

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Begin to read a streamed answer."""
        return MessagesDecoder(ctx)


MESSAGES_CODEC: Final = MessagesCodec()
