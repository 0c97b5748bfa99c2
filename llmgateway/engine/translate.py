"""Translated targets: from the caller's format through the hub to the provider's, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from llmgateway.codecs.base import (
    Codec,
    Context,
    Door,
    Encoded,
    Event,
    StreamDecoder,
    StreamEncoder,
)
from llmgateway.engine.plan import Target
from llmgateway.engine.world import World
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.call import Call


@dataclass(frozen=True, slots=True)
class Translation:
    """One call's way between two formats."""

    door: Door
    codec: Codec
    context: Context

    def answer(self, body: JSON) -> bytes:
        """Return a whole answer in the caller's format."""
        hub = self.codec.decode_response(body, self.context)
        return orjson.dumps(self.door.encode_response(hub, self.context))

    def stream(self) -> StreamTranslator:
        """Begin to translate a stream."""
        return StreamTranslator(
            self.codec.decode_stream(self.context), self.door.encode_stream(self.context)
        )


class StreamTranslator:
    """Turns a provider's events into a caller's."""

    __slots__ = ("_decoder", "_encoder")

    def __init__(self, decoder: StreamDecoder, encoder: StreamEncoder) -> None:
        self._decoder = decoder
        self._encoder = encoder

    def feed(self, event: Event) -> bytes:
        """Return what the next event becomes."""
        return b"".join([self._encoder.feed(chunk) for chunk in self._decoder.feed(event)])

    def close(self) -> bytes:
        """Return what a good end still owes."""
        owed = [self._encoder.feed(chunk) for chunk in self._decoder.close()]
        return b"".join([*owed, self._encoder.close()])


@dataclass(frozen=True, slots=True)
class Translated:
    """A request on its way out."""

    translation: Translation
    encoded: Encoded
    stream: bool
    dropped: tuple[str, ...]
    adjusted: tuple[str, ...]


def translate(
    call: Call,
    target: Target,
    door: Door,
    codec: Codec,
    body: JSON,
    unsupported: str,
    world: World,
) -> Translated:
    """Translate a request; `body` is the caller's with the config's overrides.

    `unsupported` says what becomes of parameters that find no place: `drop` (and say so), `refuse`
    (raises `InvalidRequest`) or `pass` (as they are, for the provider to judge).
    """
    decoded = door.decode_request(body, _params(call, body), call.headers)
    context = context_of(call, target, decoded.body, body, world)
    encoded = codec.encode_request(decoded.body, context)
    dropped = (*decoded.dropped, *encoded.dropped)
    if unsupported == "refuse" and dropped:
        raise refusal(dropped[0], target)
    if unsupported == "pass":
        encoded, dropped = _passing(encoded, decoded.body, dropped)
    return Translated(
        Translation(door, codec, context),
        encoded,
        decoded.stream,
        tuple(dict.fromkeys(dropped)),
        tuple(dict.fromkeys((*decoded.adjusted, *encoded.adjusted))),
    )


def _params(call: Call, body: JSON) -> Mapping[str, str]:
    """Return what the path says, but for a model that has been replaced since."""
    model = body.get("model")
    if "model" not in call.params or not isinstance(model, str):
        return call.params
    return {**call.params, "model": model}


def context_of(call: Call, target: Target, hub: JSON, door: JSON, world: World) -> Context:
    """Return what codecs and doors may know; `hub` and `door` are the request in both forms."""
    model = hub.get("model")
    name = model if isinstance(model, str) else ""
    return Context(
        model=name,
        options=_public(target),
        capabilities=target.provider.capabilities_for(name),
        compliance=call.overrides.strict is not False and target.policy.strict is not False,
        now=int(world.time()),
        new_id=lambda prefix: prefix + world.new_id(),
        request=hub,
        door_request=door,
    )


def refusal(param: str, target: Target) -> InvalidRequest:
    """Return the error that names a parameter which `unsupported_params` refuses."""
    return InvalidRequest(
        f"{target.provider.name} has no place for `{param}`; leave it out, or set "
        "unsupported_params to `drop`.",
        param=param,
    )


def _passing(
    encoded: Encoded, hub: JSON, dropped: tuple[str, ...]
) -> tuple[Encoded, tuple[str, ...]]:
    """Put the parameters that found no place into the body as they are, where they fit one."""
    passed: dict[str, Any] = {
        name: hub[name] for name in dropped if name in hub and name not in encoded.body
    }
    left = tuple(name for name in dropped if name not in passed)
    return replace(encoded, body={**encoded.body, **passed}), left


def _public(target: Target) -> dict[str, str]:
    secret = {option.name for option in target.provider.options if option.secret}
    return {name: value for name, value in target.options.items() if name not in secret}
