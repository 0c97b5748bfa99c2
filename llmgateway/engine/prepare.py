"""From a call and a target to the request that goes out: its body and its envelope."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import field

from llmgateway.codecs.base import Format
from llmgateway.engine.body import outgoing
from llmgateway.engine.envelope import envelope_for
from llmgateway.engine.headers import varying_headers
from llmgateway.engine.permit import check_models, check_target, limits_models
from llmgateway.engine.plan import Target
from llmgateway.engine.service import service_for
from llmgateway.engine.translate import Translation
from llmgateway.engine.world import World
from llmgateway.providers.base import Endpoint
from llmgateway.settings import Settings
from llmgateway.types import JSON
from llmgateway.types.call import Call
from llmgateway.types.http import RawHeaders
from llmgateway.types.value import value


@value(frozen=True, slots=True)
class Prepared:
    """A request to one target, built once and sent as often as its retries want."""

    endpoint: Endpoint
    answers_in: Format
    """The caller's format, which errors are told in."""
    url: str
    headers: RawHeaders = field(repr=False)
    varying: RawHeaders = field(repr=False)
    """Fields that differ from call to call."""
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
    is_guarded: bool = False
    """Whether guardrails look at the answer before it goes out."""


def prepare(
    call: Call,
    target: Target,
    settings: Settings,
    world: World,
    *,
    asked: JSON | None,
    reread: bool,
    is_guarded: bool = False,
) -> Prepared:
    """Build the request for a target, of what it is asked for; see `asked_of`.

    `reread`: a policy has read the body, so what is sent must be what was read (S3).
    Raises `EndpointNotSupported` where the provider does not serve the endpoint,
    `PermissionDenied` where the caller may not ask it for this, and `InvalidRequest` where a part
    of the request cannot be used with this target.
    """
    check_target(call, target)
    service = service_for(call, target)
    unsupported = (
        call.overrides.unsupported or target.policy.unsupported or settings.unsupported_params
    )
    reread = reread or limits_models(call, target)
    body = outgoing(call, target, service, asked, unsupported, world, reread=reread)
    model = body.model_for(call)
    check_models(call, target, body.asked, model)
    envelope = envelope_for(call, target, service, body, settings)
    return Prepared(
        endpoint=service.endpoint,
        answers_in=service.door.format if service.door else service.endpoint.format,
        url=envelope.url,
        headers=envelope.headers,
        varying=varying_headers(call, target),
        body=body.raw,
        request=body.sent,
        stream=body.stream,
        model=model,
        hide_usage=body.hide_usage,
        secrets=envelope.secrets,
        translation=body.translation,
        credential_is_stored=envelope.credential_is_stored,
        dropped=body.dropped,
        adjusted=body.adjusted,
        is_guarded=is_guarded,
    )
