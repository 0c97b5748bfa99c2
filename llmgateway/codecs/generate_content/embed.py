"""Embeddings: `embedContent` for one text, `batchEmbedContents` for several.

The hub is OpenAI's embeddings request and answer.
Source: https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from llmgateway.codecs.base import (
    Context,
    Decoded,
    Encoded,
    StreamDecoder,
    StreamEncoder,
    Unmarked,
)
from llmgateway.codecs.generate_content.format import EMBED_CONTENT
from llmgateway.codecs.generate_content.renamed import resource
from llmgateway.codecs.generate_content.shape import (
    Notes,
    an_object,
    number,
    objects,
    pick,
    snake,
    string,
)
from llmgateway.codecs.generate_content.usage import read_usage
from llmgateway.codecs.usage import read_usage as read_hub_usage
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.http import Headers

_HANDLED: Final = frozenset(
    {"model", "input", "dimensions", "encoding_format", "task_type", "taskType", "title"}
)


class EmbedCodec:
    """Implements `Codec`."""

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Write a hub request; raises `InvalidRequest` for an input that is no text."""
        notes = Notes()
        for name, value in body.items():
            if name not in _HANDLED and value is not None:
                notes.drop(name)
        texts, settings = _texts(body.get("input")), _settings(body)
        if len(texts) == 1:
            return Encoded(
                {"content": _content(texts[0]), **settings},
                operation="embedContent",
                dropped=notes.dropped,
            )
        model = resource(ctx.model)
        requests = [{"model": model, "content": _content(text), **settings} for text in texts]
        return Encoded(
            {"requests": requests}, operation="batchEmbedContents", dropped=notes.dropped
        )

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Read an answer into OpenAI's form."""
        found = objects(body.get("embeddings")) or objects(body.get("embedding"))
        write = to_base64 if ctx.request.get("encoding_format") == "base64" else _as_it_is
        data = [
            {"object": "embedding", "index": index, "embedding": write(entry.get("values"))}
            for index, entry in enumerate(found)
        ]
        usage = read_usage(pick(body, "usageMetadata"))
        total = 0 if usage is None else usage.total
        return {
            "object": "list",
            "data": data,
            "model": ctx.model,
            "usage": {"prompt_tokens": total, "total_tokens": total},
        }

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Raise `InvalidRequest`: embeddings do not stream."""
        no_stream()


def no_stream() -> NoReturn:
    """Raise the error of an operation that has no stream."""
    raise InvalidRequest("This operation cannot be streamed; leave `stream` out.", param="stream")


def _texts(value: object) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise InvalidRequest(
            "`input` must be a text or a list of texts here; tokens are not taken.", param="input"
        )
    return texts


def _settings(body: JSON) -> JSON:
    members = {
        "taskType": body.get("task_type") or body.get("taskType"),
        "title": body.get("title"),
        "outputDimensionality": body.get("dimensions"),
    }
    return {key: value for key, value in members.items() if value is not None}


def _content(text: str) -> JSON:
    return {"parts": [{"text": text}]}


def _as_it_is(values: Any) -> Any:
    return values if isinstance(values, list) else []


def to_base64(values: Any) -> str:
    """Return figures as OpenAI packs them: base64 of little-endian 32-bit floats."""
    figures = [float(v) for v in _as_it_is(values) if isinstance(v, int | float)]
    try:
        return base64.b64encode(struct.pack(f"<{len(figures)}f", *figures)).decode()
    except OverflowError:
        return ""


def from_base64(values: Any) -> Any:
    """Return figures that may be packed as a list."""
    if not isinstance(values, str):
        return _as_it_is(values)
    try:
        packed = base64.b64decode(values)
    except ValueError:
        return []
    return list(struct.unpack(f"<{len(packed) // 4}f", packed[: len(packed) // 4 * 4]))


class EmbedDoor:
    """Implements `Door` for both operations; one request is a batch of one."""

    format = EMBED_CONTENT
    hub = "embeddings"
    marks: tuple[bytes, ...] = ()

    def without_marks(self, body: JSON) -> Unmarked:
        """Return the body as it is: it has no history."""
        return Unmarked(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Read a caller's request; raises `InvalidRequest` for what is no text."""
        is_batch = params.get("operation") == "batchEmbedContents" or "requests" in body
        requests = objects(body.get("requests")) if is_batch else [body]
        texts = [_text(request) for request in requests]
        if not texts:
            raise InvalidRequest("`requests` must hold a request.", param="requests")
        dimensions = _same(requests, "outputDimensionality")
        request: JSON = {
            "model": params.get("model", "").removeprefix("models/"),
            "input": texts if is_batch else texts[0],
            "encoding_format": "float",
        }
        if number(dimensions) is not None:
            request["dimensions"] = dimensions
        stated = ("taskType", "title")
        dropped = tuple(n for n in stated if any(pick(r, n) is not None for r in requests))
        return Decoded(request, dropped=dropped)

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write a hub answer: one embedding, or the batch."""
        entries = sorted(objects(body.get("data")), key=lambda e: number(e.get("index")) or 0)
        found = [{"values": from_base64(entry.get("embedding"))} for entry in entries]
        answer: JSON = (
            {"embeddings": found}
            if "requests" in ctx.door_request
            else {"embedding": found[0] if found else {"values": []}}
        )
        usage = read_hub_usage(body.get("usage"))
        if usage is None or not usage.total:
            return answer
        return {**answer, "usageMetadata": {"promptTokenCount": usage.total}}

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Raise `InvalidRequest`: embeddings do not stream."""
        no_stream()


def _text(request: JSON) -> str:
    """Return the text of one request; several parts are one text, as they are one embedding."""
    parts = objects(an_object(request.get("content")).get("parts"))
    if not parts or not all(isinstance(part.get("text"), str) for part in parts):
        raise InvalidRequest("Only texts can be embedded here.", param="content.parts")
    return "\n".join(string(part["text"]) for part in parts)


def _same(requests: list[JSON], name: str) -> Any:
    """Return what all requests state; raises `InvalidRequest` where they differ."""
    first = pick(requests[0], name)
    if any(pick(request, name) != first for request in requests):
        raise InvalidRequest(
            f"All requests of a batch must have the same `{name}`.", param=snake(name)
        )
    return first


EMBED_CODEC: Final = EmbedCodec()
EMBED_DOOR: Final = EmbedDoor()
