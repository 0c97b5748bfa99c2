"""From a call and a target to the request that goes out: body, URL, headers, credential.

The caller's bytes are sent as they came wherever nothing in them has to change.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from llmgateway.codecs.base import Framing
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.engine.headers import upstream_headers
from llmgateway.engine.plan import Target
from llmgateway.engine.resolve import origin_of
from llmgateway.errors import EndpointNotSupported, InvalidRequest
from llmgateway.providers.base import Endpoint, Place
from llmgateway.settings import Settings
from llmgateway.types import JSON
from llmgateway.types.call import Call
from llmgateway.types.http import RawHeaders

PROXY = "proxy"
"""The endpoint of every path that has none of its own."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request to one target, built once and sent as often as its retries want."""

    endpoint: Endpoint
    url: str
    headers: RawHeaders = field(repr=False)
    body: bytes | AsyncIterator[bytes] = field(repr=False)
    request: JSON | None = field(repr=False)
    """The body as sent, parsed."""
    stream: bool
    model: str | None
    hide_usage: bool
    secrets: tuple[str, ...] = field(repr=False)
    """What must not be seen in an answer, should the provider repeat it."""
    credential_is_stored: bool = False
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Body:
    asked: JSON | None
    """With the config's overrides, before any tweak."""
    parsed: JSON | None
    """As it is sent."""
    raw: bytes | AsyncIterator[bytes]
    hide_usage: bool = False
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()


def prepare(call: Call, target: Target, settings: Settings, *, reread: bool) -> Prepared:
    """Build the request for a target.

    `reread`: a policy has read the body, so what is sent must be what was read (S3).
    Raises `EndpointNotSupported` where the provider does not serve the endpoint, and
    `InvalidRequest` where a part of the request cannot be used with this target.
    """
    endpoint = endpoint_for(call, target)
    body = _body(call, target, endpoint, reread=reread)
    stream = _is_stream(body.parsed, call)
    model = _model(body.asked, call)
    custom_host = call.overrides.custom_host or target.policy.custom_host
    base_url = custom_host or target.base_url
    if base_url is None:
        raise InvalidRequest(
            f"Provider {target.provider.name} needs `custom_host`.", param="custom_host"
        )
    credential = choose_credential(call, target, base_url)
    options = {**target.options, **credential.options}
    place = Place(
        options=options,
        model=model,
        stream=stream,
        suffix=call.suffix,
        body=body.asked,
        custom_host=custom_host is not None or target.is_moved,
    )
    return Prepared(
        endpoint=endpoint,
        url=_url(call, target, endpoint, base_url, place),
        headers=upstream_headers(call, target, credential.key, options, settings),
        body=body.raw,
        request=body.parsed,
        stream=stream,
        model=model,
        hide_usage=body.hide_usage,
        secrets=credential.secrets,
        credential_is_stored=credential.is_stored,
        dropped=body.dropped,
        adjusted=body.adjusted,
    )


def endpoint_for(call: Call, target: Target) -> Endpoint:
    """Return how the target's provider serves the call's endpoint."""
    provider = target.provider
    if call.endpoint == PROXY:
        return Endpoint(path=provider.proxy_path or "", format=OPAQUE, framing=Framing.SSE)
    endpoint = provider.endpoints.get(call.endpoint)
    if endpoint is None:
        served = ", ".join(sorted(provider.endpoints)) or "the proxy only"
        raise EndpointNotSupported(
            f"{call.endpoint} is not supported by {provider.name}; it serves {served}."
        )
    # Below an endpoint's own path lie listings, counts and what was answered before: they are no
    # answers of its format, and their usage has been counted already.
    return replace(endpoint, format=OPAQUE) if call.suffix else endpoint


# ---- body


def _body(call: Call, target: Target, endpoint: Endpoint, *, reread: bool) -> _Body:
    original = call.body
    if original is None:
        return _Body(None, None, call.raw)
    body = original
    if call.method == "POST" and target.policy.override_params:
        body = {**body, **target.policy.override_params}
    if call.model is not None and body.get("model") == original.get("model") != call.model:
        body = {**body, "model": call.model}  # written @provider/model
    asked = body
    dropped: list[str] = []
    adjusted: list[str] = []
    for tweak in target.provider.tweaks.get(call.endpoint, ()):
        changed = tweak.apply(body)
        if changed is not None:
            body = changed
            (dropped if tweak.drops else adjusted).append(tweak.param)
    final, hide_usage = body, False
    if body.get("stream") is True and target.provider.stream_usage:
        asking = endpoint.format.ask_for_usage(body)
        if asking is not None:
            final, hide_usage = asking, True
    raw = _encode(call, original, body, final, reread=reread)
    return _Body(asked, final, raw, hide_usage, tuple(dropped), tuple(adjusted))


def _encode(
    call: Call, original: JSON, body: JSON, final: JSON, *, reread: bool
) -> bytes | AsyncIterator[bytes]:
    raw = call.raw
    if body is original and not reread and isinstance(raw, bytes):
        if final is body:
            return raw
        added = {key: value for key, value in final.items() if key not in body}
        if added and len(added) == len(final) - len(body):
            return splice(raw, added)
    if isinstance(raw, bytes):
        check_numbers(raw, body)
    return orjson.dumps(final)


def splice(raw: bytes, added: Mapping[str, Any]) -> bytes:
    """Append members to a JSON object without touching a byte of what it holds.

    `raw` is a valid, non-empty object.
    """
    return raw.rstrip()[:-1] + b"," + orjson.dumps(added)[1:]


def check_numbers(raw: bytes, body: JSON) -> None:
    """Refuse to re-encode a body with an integer that our parser could only round.

    orjson reads integers beyond 64 bits as floats; relaying such a body as it came is exact,
    writing it anew is not. Raises `InvalidRequest` with the number's JSON path.
    """
    if not any(abs(value) >= 2**63 for _, value in _numbers(body)):
        return
    try:
        exact = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidRequest("A number in the body is too long to be passed on.") from None
    for path, value in _numbers(exact):
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise InvalidRequest(
                f"The integer at {path} has more than 64 bits; write it as a string.", param=path
            )


def _numbers(body: Any) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    stack: list[tuple[str, Any]] = [("", body)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack.extend((f"{path}.{key}" if path else key, item) for key, item in value.items())
        elif isinstance(value, list):
            stack.extend((f"{path}[{index}]", item) for index, item in enumerate(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((path, value))
    return found


def _is_stream(body: JSON | None, call: Call) -> bool:
    return call.stream if body is None else body.get("stream") is True


def _model(body: JSON | None, call: Call) -> str | None:
    model = body.get("model") if body else None
    return model if isinstance(model, str) else call.model


# ---- URL


def _url(call: Call, target: Target, endpoint: Endpoint, base_url: str, place: Place) -> str:
    query = call.query
    if target.provider.query is not None:
        given = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        ours = target.provider.query(place.options)
        extra = urlencode({name: value for name, value in ours.items() if name not in given})
        query = "&".join(part for part in (query, extra) if part)
    url = base_url.rstrip("/") + endpoint.path_for(place)
    return f"{url}?{query}" if query else url


# ---- credential


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request proves itself with."""

    key: str | None = field(repr=False)
    options: Mapping[str, str] = field(repr=False, default_factory=dict)
    is_stored: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret string in it."""
        return tuple(value for value in (self.key, *self.options.values()) if value)


def choose_credential(call: Call, target: Target, base_url: str) -> Credential:
    """Return the config's key, else the stored one, else the caller's own, else none.

    A stored credential goes to a known caller's request only, and only to its own origin:
    a request that changes the origin brings its own key. Raises `InvalidRequest` otherwise.
    """
    if target.api_key is not None or target.has_own_secret:
        return Credential(target.api_key)
    stored = target.stored
    elsewhere = stored is not None and stored.origin != origin_of(base_url)
    if stored is not None and not elsewhere and call.principal.known:
        return Credential(stored.api_key, stored.options, is_stored=True)
    if call.caller_key is not None:
        return Credential(call.caller_key.get_secret_value())
    if not target.provider.auth.needs_key:
        return Credential(None)
    name = target.provider.name
    if elsewhere and call.principal.known:
        raise InvalidRequest(
            f"The stored credential of {name} goes to its own origin only; a request that names "
            "another host brings its own key, as `api_key` in the config or `Authorization`.",
            param="api_key",
        )
    raise InvalidRequest(
        f"No credential for {name}: put `api_key` into the config's target or send the "
        "provider's key as `Authorization: Bearer`.",
        param="api_key",
    )
