"""Codecs and doors that are loaded at their first use.

A translation is some thirty modules, and most servers translate between few formats or none. What
reads a format without translating it stands beside the format and is there at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from llmgateway.codecs.base import (
    Codec,
    Context,
    Decoded,
    Door,
    Encoded,
    Format,
    StreamDecoder,
    StreamEncoder,
    Unmarked,
)
from llmgateway.types import JSON
from llmgateway.types.http import Headers

__all__ = ["LateCodec", "LateDoor"]


@cache
def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True, slots=True)
class LateCodec:
    """A codec by the place where it stands; implements `Codec`."""

    place: str
    """`llmgateway.codecs.messages.codec:MESSAGES_CODEC`."""

    @property
    def loaded(self) -> Codec:
        """The codec itself."""
        codec: Codec = _load(self.place)
        return codec

    def encode_request(self, body: JSON, ctx: Context) -> Encoded:
        """Write a hub request as the provider takes it; raises `InvalidRequest` with `param`."""
        return self.loaded.encode_request(body, ctx)

    def decode_response(self, body: JSON, ctx: Context) -> JSON:
        """Read a whole answer into the hub's form."""
        return self.loaded.decode_response(body, ctx)

    def decode_stream(self, ctx: Context) -> StreamDecoder:
        """Begin to read a streamed answer."""
        return self.loaded.decode_stream(ctx)


@dataclass(frozen=True, slots=True)
class LateDoor:
    """A door by the place where it stands, with what native calls ask of it; implements `Door`."""

    format: Format
    hub: str
    marks: tuple[bytes, ...] | None
    place: str
    """`llmgateway.codecs.messages.door:MESSAGES_DOOR`."""
    unmark: Callable[[JSON], Unmarked] | None = None
    """What the door's `without_marks` does, where every call needs it."""

    @property
    def loaded(self) -> Door:
        """The door itself."""
        door: Door = _load(self.place)
        return door

    def without_marks(self, body: JSON) -> Unmarked:
        """Take out what only we wrote into earlier turns."""
        if self.unmark is not None:
            return self.unmark(body)
        return self.loaded.without_marks(body)

    def decode_request(self, body: JSON, params: Mapping[str, str], headers: Headers) -> Decoded:
        """Read a caller's request; raises `InvalidRequest` with `param`."""
        return self.loaded.decode_request(body, params, headers)

    def encode_response(self, body: JSON, ctx: Context) -> JSON:
        """Write a hub answer as the caller expects it."""
        return self.loaded.encode_response(body, ctx)

    def encode_stream(self, ctx: Context) -> StreamEncoder:
        """Begin to write a streamed answer."""
        return self.loaded.encode_stream(ctx)
