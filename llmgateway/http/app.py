"""Dispatch: one request in, one answer out, one record left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import orjson

from llmgateway.engine.authorize import Authorizer, Identity
from llmgateway.engine.compile import Compiler
from llmgateway.engine.doors import format_of
from llmgateway.engine.live import LiveStreams
from llmgateway.engine.models import list_models
from llmgateway.engine.outcome import Reply
from llmgateway.engine.permit import check_scope
from llmgateway.engine.pipeline import Engine
from llmgateway.engine.recorder import Draft, Recorder
from llmgateway.engine.streaming import StreamBody
from llmgateway.errors import (
    ClientDisconnected,
    Draining,
    GatewayError,
    InternalError,
    InvalidAPIKey,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
)
from llmgateway.http.addresses import client_address, is_within
from llmgateway.http.bodies import read_payload
from llmgateway.http.calls import Reader
from llmgateway.http.headers import GatewayHeaders, encode_fields, field_name
from llmgateway.http.heads import Arrived, Head, Heads
from llmgateway.http.hosts import check_host
from llmgateway.http.routes import Access, Matched, match
from llmgateway.http.tries import FailedTries
from llmgateway.redaction import redacting_logger
from llmgateway.stores import Documents
from llmgateway.types.call import CallerPolicy, Principal
from llmgateway.types.documents import VirtualKey
from llmgateway.types.http import HTTPRequest, HTTPResponse, RawHeaders

logger = redacting_logger(__name__)

_NO_STORE = (b"cache-control", b"private, no-store")
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")

_REQUEST_ID = b"x-request-id"
_ANTHROPICS_REQUEST_ID = b"request-id"
"""In which its SDKs look; https://platform.claude.com/docs/en/api/errors (seen 2026-11)."""
_ANTHROPICS = frozenset({"messages", "count_tokens"})
_WITH_ANTHROPICS = (_REQUEST_ID, _ANTHROPICS_REQUEST_ID)


@dataclass(slots=True)
class App:
    """The HTTP contract, as a function of requests."""

    engine: Engine
    recorder: Recorder
    authorizer: Authorizer
    compiler: Compiler
    documents: Documents
    reader: Reader
    live: LiveStreams
    tries: FailedTries
    heads: Heads = field(default_factory=Heads)
    draining: bool = False
    """Once set, new requests are refused and those under way go on."""

    async def handle(
        self, request: HTTPRequest, principal: Principal | None = None
    ) -> HTTPResponse:
        """Answer a request; `principal` is a caller that the host vouches for.

        Raises nothing but cancellation. The record is written when the answer's body has ended.
        """
        arrived = self.heads.read(request.headers)
        ours = arrived.head.ours
        try:
            matched: Matched | GatewayError = match(request.method, request.path)
        except GatewayError as error:
            matched = error
        if isinstance(matched, Matched) and matched.route.access is Access.ANYONE:
            return self._greet(matched)
        draft = self.recorder.begin(request.method, request.path)
        try:
            if isinstance(matched, GatewayError):
                raise matched
            reply = await self._answer(request, matched, arrived, principal, draft)
        except GatewayError as error:
            return self._refuse(error, ours, draft)
        except Exception:
            logger.exception("A request ended in an error of the gateway's own.")
            bug = InternalError("The gateway failed; its log says why. Report it with this id.")
            return self._refuse(bug, ours, draft)
        except BaseException:
            draft.finish(ClientDisconnected.status, ClientDisconnected(""))
            raise
        return _response(reply, ours, draft)

    async def _answer(
        self,
        request: HTTPRequest,
        matched: Matched,
        arrived: Arrived,
        principal: Principal | None,
        draft: Draft,
    ) -> Reply:
        settings, head = self.engine.settings, arrived.head
        ours = head.ours
        draft.endpoint = matched.route.endpoint
        trace_id = ours.trace_id or draft.trace_id
        draft.trace_id = trace_id
        if self.draining:
            raise Draining("The server is about to stop; send the request again.", retry_after_s=1)
        arrived.check(settings.limits)
        if principal is None:  # whoever vouches for a caller knows where the request comes from
            check_host(request, settings)
        identity = await self._identify(request, head, principal)
        draft.principal = identity.principal.id
        draft.workspace = identity.principal.workspace
        draft.user = identity.principal.user
        self._check_rights(request, matched, identity.principal.policy)
        ours.refuse_later()
        payload = await read_payload(request, arrived, matched.route.body, settings.limits)
        if draft.bodies is not None:
            draft.bodies.take_request(head.content_type, payload.raw, arrived.declared)
        slug = self.reader.slug(matched, identity, head, payload)
        call = self.reader.call(
            request,
            matched,
            identity,
            head,
            payload,
            virtual_key=None if slug is None else await self._virtual_key(slug, identity, ours),
            trace_id=trace_id,
            deadline=draft.started + settings.limits.total_s,
        )
        draft.metadata = call.metadata
        draft.model = call.model
        if matched.route.endpoint == "models" and self._lists_all(matched, ours, identity):
            keys = await self.documents.virtual_keys(identity.principal.workspace)
            return await list_models(self.engine, call, self.compiler, keys, draft)
        plan = await self.compiler.plan(call, ours.get("config"))
        reply = await self.engine.run(call, plan, draft)
        if identity.key_digest is not None and isinstance(reply.body, StreamBody):
            age_s = self.engine.world.monotonic() - draft.started
            reply.body.watch(self.live, identity.key_digest, age_s)
        return reply

    def _check_rights(self, request: HTTPRequest, matched: Matched, policy: CallerPolicy) -> None:
        """Refuse a caller by place and route. Raises `PermissionDenied`."""
        check_scope(policy, matched.route.scope)
        if policy.addresses:
            client = client_address(request, self.engine.settings.trusted_proxies)
            if not is_within(client, policy.addresses):
                raise PermissionDenied("This key is not accepted from this address.")

    async def _virtual_key(
        self, slug: str, identity: Identity, ours: GatewayHeaders
    ) -> VirtualKey | None:
        """Find what a request names by slug; only the header means nothing but a virtual key."""
        found = await self.documents.virtual_key(identity.principal.workspace, slug)
        if found is None and ours.get("virtual-key") is not None:
            raise NotFound(f"There is no virtual key {slug[:64]!r} in this workspace.")
        return found

    async def _identify(
        self, request: HTTPRequest, head: Head, principal: Principal | None
    ) -> Identity:
        """Find out who calls. Raises `InvalidAPIKey`, or `TooManyFailedTries` in its place."""
        try:
            return await self.authorizer.identify(request, head.credentials, principal)
        except InvalidAPIKey:
            self.tries.add(request)
            raise

    def _lists_all(self, matched: Matched, ours: GatewayHeaders, identity: Identity) -> bool:
        """Tell whether `GET /v1/models` names no provider, so that all configured ones count."""
        named = ours.get("provider") or ours.get("config") or ours.get("virtual-key")
        return not named and not matched.suffix and identity.principal.known

    def _greet(self, matched: Matched) -> HTTPResponse:
        if matched.route.endpoint == "root":
            return HTTPResponse(200, (_TEXT,), b"AI Gateway says hey!")
        if self.draining:
            return HTTPResponse(503, (_JSON,), b'{"status":"draining"}')
        return HTTPResponse(200, (_JSON,), b'{"status":"ok"}')

    def _refuse(self, error: GatewayError, ours: GatewayHeaders, draft: Draft) -> HTTPResponse:
        """Answer an error that was met before any target was tried."""
        body = orjson.dumps(format_of(draft.endpoint).encode_error(error, draft.trace_id))
        if draft.bodies is not None:
            draft.bodies.begin_answer((_JSON,), body)
        draft.finish(error.status, error)
        fields = {"trace-id": draft.trace_id, "gateway-exception": "true"}
        headers = (
            _JSON,
            _NO_STORE,
            *_request_ids(draft, ()),
            *encode_fields(ours.family, fields),
            *_error_fields(error),
        )
        return HTTPResponse(error.status, headers, body)


def _error_fields(error: GatewayError) -> RawHeaders:
    fields = dict(error.headers)
    if error.retry_after_s is not None:
        fields["retry-after"] = str(error.retry_after_s)
    if isinstance(error, MethodNotAllowed):
        fields["allow"] = ", ".join(error.allow)
    return tuple((name.encode("ascii"), value.encode("ascii")) for name, value in fields.items())


def _request_ids(draft: Draft, given: RawHeaders) -> RawHeaders:
    """Return the fields that name the request, but for those that the provider has `given`."""
    value = draft.trace_id.encode("ascii")
    there = dict(given)
    return tuple([(name, value) for name in _names_of_ids(draft.endpoint) if name not in there])


@lru_cache(maxsize=64)
def _names_of_ids(endpoint: str | None) -> tuple[bytes, ...]:
    return _WITH_ANTHROPICS if format_of(endpoint).name in _ANTHROPICS else (_REQUEST_ID,)


@lru_cache(maxsize=1024)
def _reply_fields(
    family: str, retry_count: int, target: str | None, provider: str | None
) -> RawHeaders:
    """Return the gateway's fields that are the same for many answers."""
    fields = {"retry-attempt-count": str(retry_count), "cache-status": "DISABLED"}
    if target is not None:
        fields["last-used-option-index"] = target
    if provider is not None:
        fields["provider"] = provider
    return (_NO_STORE, *encode_fields(family, fields))


def _losses(reply: Reply) -> dict[str, str]:
    """Return the fields that tell what of the request did not reach the provider as it came."""
    fields: dict[str, str] = {}
    if reply.is_estimate:
        fields["token-count"] = "estimate"
    if reply.dropped:
        fields["dropped-params"] = ", ".join(reply.dropped)
    if reply.adjusted:
        fields["adjusted-params"] = ", ".join(reply.adjusted)
    if reply.stream_mode:
        fields["guardrail-stream-mode"] = reply.stream_mode
    return fields


def _response(reply: Reply, ours: GatewayHeaders, draft: Draft) -> HTTPResponse:
    headers = (
        *reply.headers,
        *_reply_fields(ours.family, reply.retry_count, reply.target, reply.provider),
        (field_name(ours.family, "trace-id"), draft.trace_id.encode("ascii")),
        *_request_ids(draft, reply.headers),
    )
    if reply.is_estimate or reply.dropped or reply.adjusted or reply.stream_mode:
        headers += encode_fields(ours.family, _losses(reply))
    if reply.error is not None and reply.repeated:
        # SDKs retry by themselves; what was retried here must not be multiplied there.
        headers += ((b"x-should-retry", b"false"),)
    if isinstance(reply.body, StreamBody):
        headers += ((b"x-accel-buffering", b"no"),)
    return HTTPResponse(reply.status, headers, reply.body)
