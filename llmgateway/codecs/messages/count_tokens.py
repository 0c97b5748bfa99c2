"""How many tokens a request is: the door, and the codec of providers that count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from llmgateway.codecs.base import (
    Context,
    Decoded,
    Encoded,
    Format,
    StreamDecoder,
    StreamEncoder,
    Unmarked,
)
from llmgateway.codecs.messages import inbound
from llmgateway.codecs.messages.carrier import MARKS
from llmgateway.codecs.messages.codec import MESSAGES_CODEC
from llmgateway.codecs.messages.format import COUNT_TOKENS
from llmgateway.codecs.messages.marks import without_marks
from llmgateway.errors import EndpointNotSupported
from llmgateway.types import JSON
from llmgateway.types.http import Headers


class CountTokensDoor:
    """The caller's side; implements `Door`. The hub's answer is `{"input_tokens": n}`."""

    format: Format = COUNT_TOKENS
    hub = "count_tokens"
    marks: tuple[bytes, ...] = MARKS

    def without_marks(self, body: JSON) -> Unmarked:
        """Take out what the door of messages does, so that what is sent is counted."""
        return without_marks(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Read what is to be counted: a message request, as the hub has it."""
        return inbound.decode(body)

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write a count."""
        count = body.get("input_tokens")
        return {"input_tokens": count if isinstance(count, int) else 0}

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Refuse: a count is never streamed."""
        raise EndpointNotSupported("A count of tokens cannot be streamed.")


class CountTokensCodec:
    """The provider's side; implements `Codec`."""

    _MEMBERS: tuple[str, ...] = (
        "model", "system", "messages", "tools", "tool_choice", "thinking", "output_config",
        "cache_control", "mcp_servers", "context_management",
    )  # fmt: skip

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Write a request whose tokens are to be counted."""
        sent = MESSAGES_CODEC.encode_request(body, ctx)
        counted = {name: sent.body[name] for name in self._MEMBERS if name in sent.body}
        return Encoded(counted, sent.headers, dropped=sent.dropped, adjusted=sent.adjusted)

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Return the hub's answer, which is this format's own."""
        return {"input_tokens": body.get("input_tokens")}

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Refuse: a count is never streamed."""
        raise EndpointNotSupported("A count of tokens cannot be streamed.")


COUNT_TOKENS_DOOR: Final = CountTokensDoor()
COUNT_TOKENS_CODEC: Final = CountTokensCodec()
