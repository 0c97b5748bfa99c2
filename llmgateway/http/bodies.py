"""Request bodies: framing judged, sizes bounded, JSON read once, uploads left streaming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from llmgateway.errors import (
    HeadersTooLarge,
    InvalidJSON,
    InvalidRequest,
    RequestTooLarge,
    RequestTooSlow,
    UnsupportedMediaType,
)
from llmgateway.http.routes import Body
from llmgateway.settings import Limits
from llmgateway.types import JSON
from llmgateway.types.http import Headers, HTTPRequest

_CONTRACT_TYPES = ("application/json", "multipart/form-data")
_TOO_LARGE = "The body is over the limit of {} bytes; send less, or raise the limit."


@dataclass(frozen=True, slots=True)
class Payload:
    """A request body as far as it has been read."""

    raw: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    parsed: JSON | None = field(default=None, repr=False)


def check_head(headers: Headers, limits: Limits) -> None:
    """Refuse heads that are too large, or whose length or host two readers could take differently.

    Servers differ in what they let through; this is the last place to ask (S4, S5).
    """
    if sum(len(name) + len(value) for name, value in headers) > limits.max_head_bytes:
        raise HeadersTooLarge(f"The request head is over {limits.max_head_bytes} bytes.")
    lengths = headers.get_all("content-length")
    codings = headers.get_all("transfer-encoding")
    if len(lengths) > 1 or (lengths and not (lengths[0].isascii() and lengths[0].isdigit())):
        raise UnclearFraming("Send one Content-Length, in digits.")
    if codings and (lengths or [coding.strip().lower() for coding in codings] != ["chunked"]):
        raise UnclearFraming("Send either Content-Length or Transfer-Encoding: chunked.")
    if len(headers.get_all("host")) > 1:
        raise UnclearFraming("Send one Host.")
    encoding = headers.get("content-encoding")
    if encoding and encoding.strip().lower() != "identity":
        raise UnsupportedMediaType("Send the body without Content-Encoding.")


class UnclearFraming(InvalidRequest):
    """The length of the body is stated twice or oddly; the connection cannot be trusted."""

    headers: ClassVar[dict[str, str]] = {"connection": "close"}


async def read_payload(request: HTTPRequest, wanted: Body, limits: Limits) -> Payload:
    """Read a body as its route wants it.

    Raises `InvalidRequest` (content type), `InvalidJSON`, `RequestTooLarge`, `RequestTooSlow`.
    """
    if request.method in ("GET", "HEAD"):
        return Payload()
    if wanted is Body.NONE:
        # Read all the same: shells can tell that a client has left only after its body.
        _check_declared(request.headers, limits.max_json_bytes)
        await _read_whole(request.body, limits)
        return Payload()
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if wanted in (Body.JSON, Body.UPLOAD):
        _check_type(kind)
    if wanted is Body.JSON or kind == "application/json":
        return await _read_json(request, limits, must_be_object=wanted is not Body.ANY)
    _check_declared(request.headers, limits.max_upload_bytes)
    return Payload(await _begin_upload(request, limits))


def _check_type(kind: str) -> None:
    if kind and kind not in _CONTRACT_TYPES and not kind.startswith("audio/"):
        raise InvalidRequest(
            "Invalid content type passed; use application/json, multipart/form-data or audio/*.",
            param="content-type",
        )


async def _read_json(request: HTTPRequest, limits: Limits, *, must_be_object: bool) -> Payload:
    _check_declared(request.headers, limits.max_json_bytes)
    raw = await _read_whole(request.body, limits)
    if not raw.strip():
        if must_be_object and request.headers.get("content-length") not in (None, "0"):
            raise InvalidJSON("The body is empty; send one JSON object.")
        return Payload(raw)
    value = parse_json(raw, limits.max_depth)
    if isinstance(value, dict):
        return Payload(raw, value)
    if must_be_object:
        raise InvalidJSON("The body must be one JSON object.")
    return Payload(raw)


def parse_json(raw: bytes, max_depth: int) -> Any:
    """Parse a body; raises `InvalidJSON` for what is none, or is nested too deep."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidJSON(
            f"The body is no valid JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    # A body with so few brackets cannot be deeper; almost all bodies end here.
    if raw.count(b"[") + raw.count(b"{") > max_depth and _is_deeper(value, max_depth):
        raise InvalidJSON(f"The body is nested more than {max_depth} levels deep.")
    return value


def _is_deeper(value: Any, max_depth: int) -> bool:
    level = [value]
    for _ in range(max_depth):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _check_declared(headers: Headers, limit: int) -> None:
    declared = headers.get("content-length")
    if declared is not None and (len(declared) > 15 or int(declared) > limit):
        raise RequestTooLarge(_TOO_LARGE.format(limit))


async def _read_whole(body: bytes | AsyncIterator[bytes], limits: Limits) -> bytes:
    if isinstance(body, bytes):
        if len(body) > limits.max_json_bytes:
            raise RequestTooLarge(_TOO_LARGE.format(limits.max_json_bytes))
        return body
    return b"".join([piece async for piece in _bounded(body, limits.max_json_bytes, limits)])


async def _begin_upload(request: HTTPRequest, limits: Limits) -> bytes | AsyncIterator[bytes]:
    """Hold a small upload whole, so that it can be sent again; let a large one flow."""
    if isinstance(request.body, bytes):
        if len(request.body) > limits.max_upload_bytes:
            raise RequestTooLarge(_TOO_LARGE.format(limits.max_upload_bytes))
        return request.body
    pieces = _bounded(request.body, limits.max_upload_bytes, limits)
    held: list[bytes] = []
    size = 0
    async for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > limits.max_buffered_upload_bytes:
            return _continued(held, pieces)
    return b"".join(held)


async def _continued(held: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while held:
        yield held.pop(0)
    async for piece in rest:
        yield piece


async def _bounded(body: AsyncIterator[bytes], limit: int, limits: Limits) -> AsyncIterator[bytes]:
    """Pass a body on within its bounds of size and time.

    The time is `body_s` plus a second for each `body_bytes_per_s` received, and only waiting for
    the client counts, not what the provider takes to read.
    """
    size = 0
    left_s = limits.body_s
    clock = asyncio.get_running_loop().time
    while True:
        since = clock()
        try:
            async with asyncio.timeout(left_s):
                piece = await anext(body, None)
        except TimeoutError:
            raise RequestTooSlow("The request body came too slowly.") from None
        if piece is None:
            return
        size += len(piece)
        if size > limit:
            raise RequestTooLarge(_TOO_LARGE.format(limit))
        left_s += len(piece) / limits.body_bytes_per_s - (clock() - since)
        yield piece
