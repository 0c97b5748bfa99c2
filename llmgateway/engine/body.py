"""The body that goes out: the caller's bytes wherever nothing in them has to change."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import field
from typing import Any

import orjson

from llmgateway.codecs.generate_content import renamed
from llmgateway.engine.plan import Service, Target
from llmgateway.engine.translate import Translation, refusal, translate
from llmgateway.engine.world import World
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.call import Call
from llmgateway.types.value import value


@value(frozen=True, slots=True)
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

    def model_for(self, call: Call) -> str | None:
        """Return the model that is asked for, with the config's overrides and before any tweak."""
        model = self.asked.get("model") if self.asked else None
        return model if isinstance(model, str) else call.model


def asked_of(call: Call, target: Target) -> JSON | None:
    """Return what a target is asked for: the caller's body with the config's overrides."""
    if call.body is None:
        return None
    asked = call.body
    if call.method == "POST" and target.policy.override_params:
        asked = {**asked, **target.policy.override_params}
    if call.model is not None and asked.get("model") == call.body.get("model") != call.model:
        asked = {**asked, "model": call.model}  # written @provider/model
    if "model" in call.from_path:
        asked = renamed(asked, call.body.get("model"), asked.get("model"))
    return asked


def outgoing(
    call: Call,
    target: Target,
    service: Service,
    asked: JSON | None,
    unsupported: str,
    world: World,
    *,
    reread: bool,
) -> Outgoing:
    """Make the body for a target, of what it is asked for.

    `reread`: a policy has read the body, so what is sent must be what was read (S3).
    Raises `InvalidRequest`.
    """
    if call.body is None or asked is None:
        return Outgoing(call.raw, stream=call.stream)
    if service.codec is None or service.door is None:
        return _native(call, target, service, asked, unsupported, reread=reread)
    if isinstance(call.raw, bytes):
        check_numbers(call.raw, call.body)
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
    plain, unmarked = _unmarked(call, service, asked)
    body, dropped, adjusted = _tweaked(target, service.name, plain, unsupported)
    final = _asking_for_usage(target, service, body, stream=stream)
    return Outgoing(
        raw=_written(call, final, reread=reread),
        asked=asked,
        sent=final,
        stream=stream,
        hide_usage=final is not body,
        dropped=dropped,
        adjusted=unmarked + adjusted,
    )


def _unmarked(call: Call, service: Service, body: JSON) -> tuple[JSON, tuple[str, ...]]:
    """Take out what only a door of ours understands; mostly, one look finds none."""
    door, raw = service.door, call.raw
    if door is None:
        return body, ()
    if door.marks is not None and isinstance(raw, bytes):
        for mark in door.marks:
            if mark in raw:
                break
        else:
            return body, ()
    plain = door.without_marks(body)
    return plain.body, plain.adjusted


def _tweaked(
    target: Target, endpoint: str, body: JSON, unsupported: str
) -> tuple[JSON, tuple[str, ...], tuple[str, ...]]:
    """Bring a body into the dialect of the row."""
    tweaks = target.provider.tweaks.get(endpoint)
    if not tweaks:
        return body, (), ()
    dropped: list[str] = []
    adjusted: list[str] = []
    for tweak in tweaks:
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


def _written(call: Call, body: JSON, *, reread: bool) -> bytes:
    """Write a body: what came, with what changed spliced in, or else anew.

    Anew it is written without what only the path says.
    """
    raw, before = call.raw, call.body
    if isinstance(raw, bytes) and before is not None:
        if body is before and not reread:
            return raw
        if not (reread or call.from_path):
            spliced = splice(raw, before, body)
            if spliced is not None:
                return spliced
        check_numbers(raw, before)
    return _encode({key: body[key] for key in body if key not in call.from_path})


def _encode(body: JSON) -> bytes:
    """Write a body; what a codec or an override has made of it may be more than JSON takes."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise InvalidRequest(
            "A number in the body is too large, or its nesting too deep, to be written anew."
        ) from None


def splice(raw: bytes, before: JSON, after: JSON) -> bytes | None:
    """Return `raw` with another model and more members, and all else byte for byte.

    `before` is what `raw` was parsed to. None where more has changed at the top level, or where
    the text does not say beyond doubt which of its bytes are the model.
    """
    added = {key: value for key, value in after.items() if key not in before}
    if len(before) + len(added) != len(after) or (added and not before):
        return None
    for key, old in before.items():
        if after[key] is not old:
            if key != "model" or (found := _find_model(raw, old)) is None:
                return None
            start, end = found
            raw = raw[:start] + orjson.dumps(after["model"]) + raw[end:]
    return raw.rstrip()[:-1] + b"," + orjson.dumps(added)[1:] if added else raw


_MODEL = b'"model"'
_MODEL_VALUE = re.compile(rb'"model"[ \t\n\r]*:[ \t\n\r]*("[^"\\]*")')


def _find_model(raw: bytes, model: object) -> tuple[int, int] | None:
    """Return where the top-level model stands in a body that has one; None if that is not sure.

    It is sure where the name is written only once in the whole text, since nothing else can then
    be the key that the parser found: neither a nested one, nor the first of two, nor, as long as
    no letter of any key is written as an escape, one that only looks different.
    """
    at = raw.find(_MODEL)
    if at < 0 or raw.find(_MODEL, at + 1) >= 0 or b"\\u00" in raw:
        return None
    match = _MODEL_VALUE.match(raw, at)
    if match is None or orjson.loads(match[1]) != model:
        return None
    return match.span(1)


_MIN_EXACT, _MAX_EXACT = -(2**63), 2**64 - 1


def check_numbers(raw: bytes, body: JSON) -> None:
    """Refuse to re-encode a body with an integer that our parser could only round.

    orjson reads integers beyond 64 bits as floats; relaying such a body as it came is exact,
    writing it anew is not. Raises `InvalidRequest` with the number's JSON path.
    """
    if not _has_large_float(body):
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


def _has_large_float(body: JSON) -> bool:
    """Tell whether any number is one that may have been an integer of more than 64 bits."""
    # A walk over what was parsed: most of a long body is text, of which this sees nothing.
    stack: list[Any] = [body]
    while stack:
        parent = stack.pop()
        for child in parent.values() if type(parent) is dict else parent:
            kind = type(child)
            if kind is dict or kind is list:
                stack.append(child)
            elif kind is float and not _MIN_EXACT < child < _MAX_EXACT:
                return True
    return False


def _path_of_long_integer(body: Any) -> str | None:
    stack: list[tuple[str, Any]] = [("", body)]
    while stack:
        path, parent = stack.pop()
        is_object = isinstance(parent, dict)
        for key, child in parent.items() if is_object else enumerate(parent):
            if isinstance(child, dict | list):
                stack.append((_step(path, key), child))
            elif isinstance(child, int) and not _MIN_EXACT <= child <= _MAX_EXACT:
                return _step(path, key)
    return None


def _step(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key
