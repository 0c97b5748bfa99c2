"""Counting tokens before a call.

The hub is a chat request, answered by `{"input_tokens": n}`.
Source: https://ai.google.dev/api/tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from llmgateway.codecs.base import (
    Context,
    Decoded,
    Encoded,
    StreamDecoder,
    StreamEncoder,
    Unmarked,
)
from llmgateway.codecs.generate_content.carried import MARKS
from llmgateway.codecs.generate_content.door_request import decode_request
from llmgateway.codecs.generate_content.embed import no_stream
from llmgateway.codecs.generate_content.format import COUNT_TOKENS
from llmgateway.codecs.generate_content.marks import without_marks
from llmgateway.codecs.generate_content.renamed import resource
from llmgateway.codecs.generate_content.request import encode_request
from llmgateway.codecs.generate_content.shape import number, pick
from llmgateway.types import JSON
from llmgateway.types.http import Headers


class CountTokensCodec:
    """Implements `Codec`: asks the provider to count what a chat would send."""

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Write a chat request to be counted, tools and instructions included."""
        encoded = encode_request(body, ctx)
        request = {"model": resource(ctx.model), **encoded.body}
        return Encoded(
            {"generateContentRequest": request},
            operation="countTokens",
            dropped=encoded.dropped,
            adjusted=encoded.adjusted,
        )

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Return the count as the hub has it."""
        return {"input_tokens": number(pick(body, "totalTokens")) or 0}

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Raise `InvalidRequest`: a count does not stream."""
        no_stream()


class CountTokensDoor:
    """Implements `Door` for `models/{model}:countTokens`."""

    format = COUNT_TOKENS
    hub = "count_tokens"
    marks: tuple[bytes, ...] = MARKS

    def without_marks(self, body: JSON) -> Unmarked:
        """Take out what the door of generateContent does, so that what is sent is counted."""
        return without_marks(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Read a request, be it contents alone or a whole generateContent request."""
        within = pick(body, "generateContentRequest")
        return decode_request(within if isinstance(within, dict) else body, params)

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write the hub's count."""
        return {"totalTokens": number(body.get("input_tokens")) or 0}

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Raise `InvalidRequest`: a count does not stream."""
        no_stream()


COUNT_TOKENS_CODEC: Final = CountTokensCodec()
COUNT_TOKENS_DOOR: Final = CountTokensDoor()
