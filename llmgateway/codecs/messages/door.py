"""`/v1/messages` in front of any provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from llmgateway.codecs.base import Context, Decoded, Format, StreamEncoder, Unmarked
from llmgateway.codecs.messages import inbound, outbound
from llmgateway.codecs.messages.carrier import MARKS
from llmgateway.codecs.messages.events import MessagesEncoder
from llmgateway.codecs.messages.format import MESSAGES
from llmgateway.codecs.messages.marks import without_marks
from llmgateway.types import JSON
from llmgateway.types.http import Headers


class MessagesDoor:
    """The caller's side; implements `Door`."""

    format: Format = MESSAGES
    hub = "chat"
    marks: tuple[bytes, ...] = MARKS

    def without_marks(self, body: JSON) -> Unmarked:
        """Take what other makers signed or said out of the assistant's earlier turns."""
        return without_marks(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Read a caller's request; raises `InvalidRequest` with `param`."""
        return inbound.decode(body)

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write a hub answer as a message."""
        return outbound.encode(body, ctx)

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Begin to write a streamed answer."""
        return MessagesEncoder(ctx)


MESSAGES_DOOR: Final = MessagesDoor()
