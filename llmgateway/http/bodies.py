"""Request bodies: framing judged, sizes bounded, JSON read once, uploads left streaming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import field
from typing import Any

import orjson

from llmgateway.errors import (
    InvalidJSON,
    InvalidRequest,
    RequestTooLarge,
    RequestTooSlow,
)
from llmgateway.http.heads import Arrived
from llmgateway.http.routes import Body
from llmgateway.settings import Limits
from llmgateway.transport.wheel import TaskLimit
from llmgateway.types import JSON
from llmgateway.types.http import ArrivingBody, HTTPRequest
from llmgateway.types.value import value

_CONTRACT_TYPES = ("application/json", "multipart/form-data")
_TOO_LARGE = "The body is over the limit of {} bytes; send less, or raise the limit."


@value(frozen=True, slots=True)
class Payload:
    """A request body as far as it has been read."""

    raw: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    parsed: JSON | None = field(default=None, repr=False)


async def read_payload(
    request: HTTPRequest, arrived: Arrived, wanted: Body, limits: Limits
) -> Payload:
    """Read a body as its route wants it.

    Raises `InvalidRequest` (content type), `InvalidJSON`, `RequestTooLarge`, `RequestTooSlow`.
    """
    if request.method in ("GET", "HEAD"):
        return Payload()
    if wanted is Body.NONE:
        # Read all the same: shells can tell that a client has left only after its body.
        _check_declared(arrived, limits.max_json_bytes)
        await _read_whole(request.body, limits)
        return Payload()
    kind = arrived.head.content_type
    if wanted in (Body.JSON, Body.UPLOAD):
        _check_type(kind)
    if wanted is Body.JSON or kind == "application/json":
        return await _read_json(request, arrived, limits, must_be_object=wanted is not Body.ANY)
    _check_declared(arrived, limits.max_upload_bytes)
    return Payload(await _begin_upload(request, limits))


def _check_type(kind: str) -> None:
    if kind and kind not in _CONTRACT_TYPES and not kind.startswith("audio/"):
        raise InvalidRequest(
            "Invalid content type passed; use application/json, multipart/form-data or audio/*.",
            param="content-type",
        )


async def _read_json(
    request: HTTPRequest, arrived: Arrived, limits: Limits, *, must_be_object: bool
) -> Payload:
    _check_declared(arrived, limits.max_json_bytes)
    raw = await _read_whole(request.body, limits)
    if not raw or raw.isspace():
        if must_be_object and arrived.declared:
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
    if _is_deeper(value, max_depth):
        raise InvalidJSON(f"The body is nested more than {max_depth} levels deep.")
    return value


def _is_deeper(value: Any, max_depth: int) -> bool:
    # The parsed tree has few nodes where the text is long; counting brackets costs more than this.
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(max_depth):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) in _CONTAINERS
        ]
        if not level:
            return False
    return True


_CONTAINERS = frozenset({dict, list})


def _check_declared(arrived: Arrived, limit: int) -> None:
    declared = arrived.declared
    if declared is not None and declared > limit:
        raise RequestTooLarge(_TOO_LARGE.format(limit))


async def _read_whole(body: bytes | AsyncIterator[bytes], limits: Limits) -> bytes:
    if isinstance(body, ArrivingBody):
        taken = body.take()
        body = body if taken is None else taken
    if isinstance(body, bytes):
        if len(body) > limits.max_json_bytes:
            raise RequestTooLarge(_TOO_LARGE.format(limits.max_json_bytes))
        return body
    pieces: list[bytes] = []
    bounded = _Bounded(body, limits.max_json_bytes, limits)
    try:
        while (piece := await bounded.next()) is not None:
            pieces.append(piece)
    finally:
        bounded.close()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _begin_upload(request: HTTPRequest, limits: Limits) -> bytes | AsyncIterator[bytes]:
    """Hold a small upload whole, so that it can be sent again; let a large one flow."""
    if isinstance(request.body, bytes):
        if len(request.body) > limits.max_upload_bytes:
            raise RequestTooLarge(_TOO_LARGE.format(limits.max_upload_bytes))
        return request.body
    bounded = _Bounded(request.body, limits.max_upload_bytes, limits)
    held: list[bytes] = []
    size = 0
    try:
        while (piece := await bounded.next()) is not None:
            held.append(piece)
            size += len(piece)
            if size > limits.max_buffered_upload_bytes:
                return _continued(held, bounded)
    finally:
        bounded.close()
    return b"".join(held)


async def _continued(held: list[bytes], rest: _Bounded) -> AsyncIterator[bytes]:
    while held:
        yield held.pop(0)
    try:
        while (piece := await rest.next()) is not None:
            yield piece
    finally:
        rest.close()


class _Bounded:
    """A body on its way, within its bounds of size and time.

    The time is `body_s` plus a second for each `body_bytes_per_s` received, and only waiting for
    the client counts, not what the provider takes to read. `close` leaves it readable.
    """

    __slots__ = ("_body", "_clock", "_left_s", "_limit", "_limits", "_max_bytes", "_size")

    def __init__(self, body: AsyncIterator[bytes], max_bytes: int, limits: Limits) -> None:
        self._body = body
        self._max_bytes = max_bytes
        self._limits = limits
        self._left_s = limits.body_s
        self._size = 0
        self._clock = asyncio.get_running_loop().time
        self._limit = TaskLimit()

    async def next(self) -> bytes | None:
        """Return the next piece; None at the end. Raises `RequestTooSlow`, `RequestTooLarge`."""
        since = self._clock()
        try:
            with self._limit.within(self._left_s):
                piece = await anext(self._body, None)
        except TimeoutError:
            raise RequestTooSlow("The request body came too slowly.") from None
        if piece is None:
            return None
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise RequestTooLarge(_TOO_LARGE.format(self._max_bytes))
        self._left_s += len(piece) / self._limits.body_bytes_per_s - (self._clock() - since)
        return piece

    def close(self) -> None:
        """Let go of the clock."""
        self._limit.close()
