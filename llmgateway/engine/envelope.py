"""All of an outgoing request but its body: whose credential, which URL, which header fields.

For most calls it depends on the caller's head and the target alone, so it is made once for all
calls with the same head and kept in their memo.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from llmgateway.engine.body import Outgoing
from llmgateway.engine.credentials import choose_credential
from llmgateway.engine.headers import upstream_headers
from llmgateway.engine.plan import Service, Target
from llmgateway.errors import InvalidRequest
from llmgateway.providers.base import Endpoint, Place
from llmgateway.settings import Settings
from llmgateway.types.call import Call
from llmgateway.types.http import RawHeaders

MAX_KEPT = 16
"""Envelopes kept for one head; one that addresses more targets has the others made each time."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where a request goes and what it says besides its body."""

    url: str
    headers: RawHeaders = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """What must not be seen in an answer, should the provider repeat it."""
    credential_is_stored: bool


def envelope_for(
    call: Call, target: Target, service: Service, body: Outgoing, settings: Settings
) -> Envelope:
    """Address a request; raises `InvalidRequest` where it lacks a host or a credential."""
    if not _is_constant(call, target, service, body):
        return _addressed(call, target, service, body, settings)
    # By identity: a target is compiled once, and what is kept here keeps it alive.
    key = (id(target), call.endpoint, call.principal.known, call.caller_key is None)
    kept: tuple[Target, Envelope] | None = call.memo.get(key)
    if kept is None:
        kept = target, _addressed(call, target, service, body, settings)
        if len(call.memo) < MAX_KEPT:
            call.memo[key] = kept
    return kept[1]


def _is_constant(call: Call, target: Target, service: Service, body: Outgoing) -> bool:
    """Tell whether the envelope depends on the head and the target alone."""
    return (
        isinstance(service.endpoint.path, str)
        and isinstance(body.raw, bytes)
        and not (call.suffix or call.query or body.headers)
    )


def _addressed(
    call: Call, target: Target, service: Service, body: Outgoing, settings: Settings
) -> Envelope:
    custom_host = call.overrides.custom_host or target.policy.custom_host
    base_url = custom_host or target.base_url
    if base_url is None:
        raise InvalidRequest(
            f"Provider {target.provider.name} needs `custom_host`.", param="custom_host"
        )
    credential = choose_credential(call, target, base_url)
    place = Place(
        options={**target.options, **credential.options},
        model=body.model_for(call),
        stream=body.stream,
        suffix=call.suffix,
        body=body.asked,
        operation=body.operation or call.params.get("operation", ""),
        custom_host=custom_host is not None or target.is_moved,
    )
    query = "" if service.codec is not None else call.query
    return Envelope(
        url=_url(target, service.endpoint, base_url, place, query),
        headers=upstream_headers(call, target, credential, body, settings),
        secrets=credential.secrets,
        credential_is_stored=credential.is_stored,
    )


def _url(target: Target, endpoint: Endpoint, base_url: str, place: Place, query: str) -> str:
    if target.provider.query is not None:
        given = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        ours = target.provider.query(place.options)
        extra = urlencode({name: value for name, value in ours.items() if name not in given})
        query = "&".join(part for part in (query, extra) if part)
    url = base_url.rstrip("/") + endpoint.path_for(place)
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"
