"""From a call and a target to the request that goes out: body, URL, headers, credential."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from llmgateway.codecs.base import Format
from llmgateway.engine.body import outgoing
from llmgateway.engine.credentials import choose_credential
from llmgateway.engine.headers import upstream_headers
from llmgateway.engine.plan import Target
from llmgateway.engine.service import service_for
from llmgateway.engine.translate import Translation
from llmgateway.engine.world import World
from llmgateway.errors import InvalidRequest
from llmgateway.providers.base import Endpoint, Place
from llmgateway.settings import Settings
from llmgateway.types import JSON
from llmgateway.types.call import Call
from llmgateway.types.http import RawHeaders


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request to one target, built once and sent as often as its retries want."""

    endpoint: Endpoint
    answers_in: Format
    """The caller's format, which errors are told in."""
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
    translation: Translation | None = None
    credential_is_stored: bool = False
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()


def prepare(
    call: Call, target: Target, settings: Settings, world: World, *, reread: bool
) -> Prepared:
    """Build the request for a target.

    `reread`: a policy has read the body, so what is sent must be what was read (S3).
    Raises `EndpointNotSupported` where the provider does not serve the endpoint, and
    `InvalidRequest` where a part of the request cannot be used with this target.
    """
    service = service_for(call, target)
    unsupported = (
        call.overrides.unsupported or target.policy.unsupported or settings.unsupported_params
    )
    body = outgoing(call, target, service, unsupported, world, reread=reread)
    model = body.asked.get("model") if body.asked else None
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
        model=model if isinstance(model, str) else call.model,
        stream=body.stream,
        suffix=call.suffix,
        body=body.asked,
        operation=body.operation or call.params.get("operation", ""),
        custom_host=custom_host is not None or target.is_moved,
    )
    return Prepared(
        endpoint=service.endpoint,
        answers_in=service.door.format if service.door else service.endpoint.format,
        url=_url(
            call, target, service.endpoint, base_url, place, translated=service.codec is not None
        ),
        headers=upstream_headers(call, target, credential, body, settings),
        body=body.raw,
        request=body.sent,
        stream=body.stream,
        model=place.model,
        hide_usage=body.hide_usage,
        secrets=credential.secrets,
        translation=body.translation,
        credential_is_stored=credential.is_stored,
        dropped=body.dropped,
        adjusted=body.adjusted,
    )


def _url(
    call: Call, target: Target, endpoint: Endpoint, base_url: str, place: Place, *, translated: bool
) -> str:
    query = "" if translated else call.query
    if target.provider.query is not None:
        given = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
        ours = target.provider.query(place.options)
        extra = urlencode({name: value for name, value in ours.items() if name not in given})
        query = "&".join(part for part in (query, extra) if part)
    url = base_url.rstrip("/") + endpoint.path_for(place)
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"
