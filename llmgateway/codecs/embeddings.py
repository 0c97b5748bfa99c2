"""Embeddings. Source: https://platform.openai.com/docs/api-reference/embeddings."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any

from llmgateway.codecs.base import (
    Context,
    Decoded,
    Encoded,
    StreamDecoder,
    StreamEncoder,
    Unmarked,
)
from llmgateway.codecs.chat.usage import any_usage, embeddings_usage
from llmgateway.codecs.opaque import OpaqueWatch
from llmgateway.codecs.openai import OpenAIFormat, has_list
from llmgateway.codecs.slots import Part, Place, Slot
from llmgateway.codecs.spots import Voice, spots, texts, words_under
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.http import Headers
from llmgateway.types.usage import Usage


def embeddings_slots(body: JSON, part: Part) -> list[Slot]:
    """Return the texts to embed; lists of tokens are none, and vectors have no words.

    Some models take parts of several kinds as an input (https://docs.voyageai.com), and the hub
    lets a document have a title.
    """
    if part is not Part.REQUEST:
        return []
    voice = Voice("user")
    inputs = texts(body, "input") + words_under(body.get("input"), _PART)
    titles = voice.all(spots(body, "title"), "title", Place.TEXT)
    return titles + voice.all(inputs, "input", Place.TEXT)


_PART = frozenset({"text", "content"})

EMBEDDINGS = OpenAIFormat(
    name="embeddings",
    new_watch=OpaqueWatch,
    # Ollama's older path answers `{"embedding": […]}` (https://docs.ollama.com/api/embed).
    answers=has_list("data", "embeddings", "embedding"),
    read_slots=embeddings_slots,
)


class EmbeddingsDoor:
    """Callers of `/v1/embeddings` whose target is translated; implements `Door`.

    The hub's form is OpenAI's own, with the hub's counters as `usage`.
    """

    format: OpenAIFormat = EMBEDDINGS
    hub: str = "embeddings"
    marks: tuple[bytes, ...] = ()

    def without_marks(self, body: JSON) -> Unmarked:
        """Return the body as it is: it has no history."""
        return Unmarked(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Take the body as it is; there is no stream of embeddings."""
        return Decoded(body)

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write vectors as the caller asked for them: as numbers, or packed as base64.

        Source: https://platform.openai.com/docs/api-reference/embeddings/create#embeddings-create-encoding_format
        """
        packs = ctx.request.get("encoding_format") == "base64"
        entries = [
            {"object": "embedding", "index": number, **entry}
            for number, entry in enumerate(body.get("data") or [])
        ]
        usage = any_usage(body.get("usage")) or Usage()
        return {
            **body,
            "object": "list",
            "data": [_packed(entry) for entry in entries] if packs else entries,
            "model": body.get("model") or ctx.model,
            "usage": embeddings_usage(usage),
        }

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Refuse: there is no stream of embeddings."""
        raise InvalidRequest("Embeddings are never streamed; leave `stream` out.", param="stream")


def _packed(entry: dict[str, Any]) -> dict[str, Any]:
    """Pack a vector as base64 of little-endian floats; one that is packed already stays."""
    vector = entry.get("embedding")
    if not isinstance(vector, list):
        return entry
    packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector))
    return {**entry, "embedding": packed.decode()}


EMBEDDINGS_DOOR = EmbeddingsDoor()


class EmbeddingsCodec:
    """Providers that speak OpenAI's format behind another door; implements `Codec`."""

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Leave out what other formats say of a text and OpenAI's cannot."""
        dropped = tuple(name for name in ("task_type", "title") if name in body)
        return Encoded(
            {name: value for name, value in body.items() if name not in dropped}, dropped=dropped
        )

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Take the answer as it is: the hub's form is OpenAI's."""
        return body

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Refuse: there is no stream of embeddings."""
        raise InvalidRequest("Embeddings are never streamed; leave `stream` out.", param="stream")


EMBEDDINGS_CODEC = EmbeddingsCodec()
