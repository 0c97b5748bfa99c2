"""The door of `models/{model}:generateContent` and `:streamGenerateContent`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from llmgateway.codecs.base import Context, Decoded, StreamEncoder, Unmarked
from llmgateway.codecs.generate_content.carried import MARKS
from llmgateway.codecs.generate_content.door_answer import encode_response
from llmgateway.codecs.generate_content.door_request import decode_request
from llmgateway.codecs.generate_content.door_stream import GenerateContentEncoder
from llmgateway.codecs.generate_content.format import GENERATE_CONTENT
from llmgateway.codecs.generate_content.marks import without_marks
from llmgateway.types import JSON
from llmgateway.types.http import Headers


class GenerateContentDoor:
    """Implements `Door`."""

    format = GENERATE_CONTENT
    hub = "chat"
    marks: tuple[bytes, ...] = MARKS

    def without_marks(self, body: JSON) -> Unmarked:
        """Take what other makers signed or said out of the model's earlier turns."""
        return without_marks(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Read a caller's request; raises `InvalidRequest` with `param`."""
        return decode_request(body, params)

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write a hub answer as a GenerateContentResponse."""
        return encode_response(body, ctx)

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Begin to write a stream of server-sent events; see `frames` for the array."""
        return GenerateContentEncoder(ctx)


GENERATE_CONTENT_DOOR: Final = GenerateContentDoor()
