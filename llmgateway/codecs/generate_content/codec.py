"""The codec between the hub and generateContent."""

from __future__ import annotations

from llmgateway.codecs.base import Context, Encoded, StreamDecoder
from llmgateway.codecs.generate_content.answer import decode_response
from llmgateway.codecs.generate_content.request import encode_request
from llmgateway.codecs.generate_content.stream import GenerateContentDecoder
from llmgateway.types import JSON


class GenerateContentCodec:
    """Implements `Codec`."""

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Write a hub request as the provider takes it; raises `InvalidRequest` with `param`."""
        return encode_request(body, ctx)

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Read a whole answer into the hub's form."""
        return decode_response(body, ctx)

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Begin to read a streamed answer."""
        return GenerateContentDecoder(ctx)


GENERATE_CONTENT_CODEC = GenerateContentCodec()
