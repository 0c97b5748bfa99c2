"""The body that goes out: the caller's bytes wherever nothing in them has to change."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from llmgateway.codecs.base import Unmarked
from llmgateway.codecs.generate_content import renamed
from llmgateway.engine.plan import Target
from llmgateway.engine.service import Service
from llmgateway.engine.translate import Translation, refusal, translate
from llmgateway.engine.world import World
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.call import Call


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request's body, and what making it has told."""

    raw: bytes | AsyncIterator[bytes] = field(repr=False)
    asked: JSON | None = field(repr=False, default=None)
    """The caller's, with the config's overrides; its model and stream count for the URL."""
    sent: JSON | None = field(repr=False, default=None)
    """As it is sent, parsed."""
    stream: bool = False
    hide_usage: bool = False
    """Whether usage was asked for that the caller did not want to see."""
    headers: Mapping[str, str] = field(default_factory=dict)
    operation: str = ""
    translation: Translation | None = None
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()


def outgoing(
    call: Call, target: Target, service: Service, unsupported: str, world: World, *, reread: bool
) -> Outgoing:
    """Make the body for a target.

    `reread`: a policy has read the body, so what is sent must be what was read (S3).
    Raises `InvalidRequest`.
    """
    if call.body is None:
        return Outgoing(call.raw, stream=call.stream)
    asked = call.body
    if call.method == "POST" and target.policy.override_params:
        asked = {**asked, **target.policy.override_params}
    if call.model is not None and asked.get("model") == call.body.get("model") != call.model:
        asked = {**asked, "model": call.model}  # written @provider/model
    if "model" in call.from_path:
        asked = renamed(asked, call.body.get("model"), asked.get("model"))
    if service.codec is None or service.door is None:
        return _native(call, target, service, asked, unsupported, reread=reread)
    if isinstance(call.raw, bytes):
        check_numbers(call.raw)
    made = translate(call, target, service.door, service.codec, asked, unsupported, world)
    body, dropped, adjusted = _tweaked(target, service.name, made.encoded.body, unsupported)
    final = _asking_for_usage(target, service, body, stream=made.stream)
    return Outgoing(
        raw=_encode(final),
        asked={**asked, "model": made.translation.context.model},
        sent=final,
        stream=made.stream,
        headers=made.encoded.headers,
        operation=made.encoded.operation,
        translation=made.translation,
        dropped=(*made.dropped, *dropped),
        adjusted=(*made.adjusted, *adjusted),
    )


def _native(
    call: Call, target: Target, service: Service, asked: JSON, unsupported: str, *, reread: bool
) -> Outgoing:
    stream = asked.get("stream") is True
    plain = _unmarked(call, service, asked)
    body, dropped, adjusted = _tweaked(target, service.name, plain.body, unsupported)
    final = _asking_for_usage(target, service, body, stream=stream)
    raw = call.raw
    if body is not call.body or reread or not isinstance(raw, bytes):
        raw = _written(call, final)
    elif final is not body:
        added = {key: value for key, value in final.items() if key not in body}
        only_added = added and len(added) == len(final) - len(body)
        raw = splice(raw, added) if only_added else _written(call, final)
    return Outgoing(
        raw=raw,
        asked=asked,
        sent=final,
        stream=stream,
        hide_usage=final is not body,
        dropped=dropped,
        adjusted=(*plain.adjusted, *adjusted),
    )


def _unmarked(call: Call, service: Service, body: JSON) -> Unmarked:
    """Take out what only a door of ours understands; mostly, one look at the bytes finds none."""
    door, raw = service.door, call.raw
    if door is None or (isinstance(raw, bytes) and not any(mark in raw for mark in door.marks)):
        return Unmarked(body)
    return door.without_marks(body)


def _tweaked(
    target: Target, endpoint: str, body: JSON, unsupported: str
) -> tuple[JSON, tuple[str, ...], tuple[str, ...]]:
    """Bring a body into the dialect of the row."""
    dropped: list[str] = []
    adjusted: list[str] = []
    for tweak in target.provider.tweaks.get(endpoint, ()):
        changed = tweak.apply(body)
        if changed is None or (tweak.drops and unsupported == "pass"):
            continue
        if tweak.drops and unsupported == "refuse":
            raise refusal(tweak.param, target)
        body = changed
        (dropped if tweak.drops else adjusted).append(tweak.param)
    return body, tuple(dropped), tuple(adjusted)


def _asking_for_usage(target: Target, service: Service, body: JSON, *, stream: bool) -> JSON:
    if not (stream and target.provider.stream_usage):
        return body
    return service.endpoint.format.ask_for_usage(body) or body


def _written(call: Call, body: JSON) -> bytes:
    """Encode a body anew, without what only the path says."""
    if isinstance(call.raw, bytes):
        check_numbers(call.raw)
    return _encode({key: body[key] for key in body if key not in call.from_path})


def _encode(body: JSON) -> bytes:
    """Write a body; what a codec or an override has made of it may be more than JSON takes."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise InvalidRequest(
            "A number in the body is too large, or its nesting too deep, to be written anew."
        ) from None


def splice(raw: bytes, added: Mapping[str, Any]) -> bytes:
    """Append members to a JSON object without touching a byte of what it holds.

    `raw` is a valid, non-empty object.
    """
    return raw.rstrip()[:-1] + b"," + orjson.dumps(added)[1:]


_LONG_DIGITS = re.compile(rb"[0-9]{19}")
"""The shortest integer over 64 bits has as many; scanning for it is far cheaper than a walk."""


def check_numbers(raw: bytes) -> None:
    """Refuse to re-encode a body with an integer that our parser could only round.

    orjson reads integers beyond 64 bits as floats; relaying such a body as it came is exact,
    writing it anew is not. Raises `InvalidRequest` with the number's JSON path.
    """
    if _LONG_DIGITS.search(raw) is None:
        return
    try:
        exact = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidRequest("A number in the body is too long to be passed on.") from None
    path = _path_of_long_integer(exact)
    if path is not None:
        raise InvalidRequest(
            f"The integer at {path} has more than 64 bits; write it as a string.", param=path
        )


def _path_of_long_integer(body: Any) -> str | None:
    stack: list[tuple[str, Any]] = [("", body)]
    while stack:
        path, parent = stack.pop()
        is_object = isinstance(parent, dict)
        for key, value in parent.items() if is_object else enumerate(parent):
            if isinstance(value, dict | list):
                stack.append((_step(path, key), value))
            elif isinstance(value, int) and not -(2**63) <= value < 2**64:
                return _step(path, key)
    return None


def _step(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key
