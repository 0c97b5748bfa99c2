"""Dispatch: one request in, one answer out, one record left behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import orjson

from llmgateway.engine.authorize import Authorizer, Identity
from llmgateway.engine.compile import Compiler
from llmgateway.engine.doors import format_of
from llmgateway.engine.models import list_models
from llmgateway.engine.outcome import Reply
from llmgateway.engine.pipeline import Engine
from llmgateway.engine.recorder import Draft, Recorder
from llmgateway.engine.streaming import StreamBody
from llmgateway.errors import (
    ClientDisconnected,
    Draining,
    GatewayError,
    InternalError,
    MethodNotAllowed,
)
from llmgateway.http.bodies import check_head, read_payload
from llmgateway.http.calls import Reader
from llmgateway.http.headers import GatewayHeaders, encode_fields
from llmgateway.http.hosts import check_host
from llmgateway.http.routes import Access, Matched, match
from llmgateway.types.call import Principal
from llmgateway.types.http import HTTPRequest, HTTPResponse, RawHeaders

logger = logging.getLogger(__name__)

_NO_STORE = (b"cache-control", b"private, no-store")
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")

_REQUEST_ID = b"x-request-id"
_ANTHROPICS_REQUEST_ID = b"request-id"
"""In which its SDKs look; https://platform.claude.com/docs/en/api/errors (seen 2026-11)."""


@dataclass(slots=True)
class App:
    """The HTTP contract, as a function of requests."""

    engine: Engine
    recorder: Recorder
    authorizer: Authorizer
    compiler: Compiler
    reader: Reader
    draining: bool = False
    """Once set, new requests are refused and those under way go on."""

    async def handle(
        self, request: HTTPRequest, principal: Principal | None = None
    ) -> HTTPResponse:
        """Answer a request; `principal` is a caller that the host vouches for.

        Raises nothing but cancellation. The record is written when the answer's body has ended.
        """
        ours = GatewayHeaders.read(request.headers)
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
            reply = await self._answer(request, matched, ours, principal, draft)
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
        ours: GatewayHeaders,
        principal: Principal | None,
        draft: Draft,
    ) -> Reply:
        settings = self.engine.settings
        draft.endpoint = matched.route.endpoint
        trace_id = ours.trace_id() or draft.trace_id
        draft.trace_id = trace_id
        if self.draining:
            raise Draining("The server is about to stop; send the request again.", retry_after_s=1)
        check_head(request.headers, settings.limits)
        check_host(request, settings)
        identity = await self.authorizer.identify(request, principal)
        draft.principal = identity.principal.id
        draft.workspace = identity.principal.workspace
        ours.refuse_later()
        payload = await read_payload(request, matched.route.body, settings.limits)
        call = self.reader.call(
            request,
            matched,
            identity,
            ours,
            payload,
            trace_id=trace_id,
            deadline=draft.started + settings.limits.total_s,
        )
        draft.metadata = call.metadata
        draft.model = call.model
        if matched.route.endpoint == "models" and self._lists_all(matched, ours, identity):
            return await list_models(self.engine, call, self.compiler, draft)
        plan = self.compiler.plan(
            ours.get("config"),
            call.provider,
            tuple(sorted(call.options.items())),
            call.overrides.custom_host is not None,
        )
        return await self.engine.run(call, plan, draft)

    def _lists_all(self, matched: Matched, ours: GatewayHeaders, identity: Identity) -> bool:
        """Tell whether `GET /v1/models` names no provider, so that all configured ones count."""
        named = ours.get("provider") or ours.get("config")
        return not named and not matched.suffix and identity.principal.known

    def _greet(self, matched: Matched) -> HTTPResponse:
        if matched.route.endpoint == "root":
            return HTTPResponse(200, (_TEXT,), b"AI Gateway says hey!")
        if self.draining:
            return HTTPResponse(503, (_JSON,), b'{"status":"draining"}')
        return HTTPResponse(200, (_JSON,), b'{"status":"ok"}')

    def _refuse(self, error: GatewayError, ours: GatewayHeaders, draft: Draft) -> HTTPResponse:
        """Answer an error that was met before any target was tried."""
        draft.finish(error.status, error)
        fields = {"trace-id": draft.trace_id, "gateway-exception": "true"}
        headers = (
            _JSON,
            _NO_STORE,
            *_request_ids(draft, ()),
            *encode_fields(ours.family, fields),
            *_error_fields(error),
        )
        body = orjson.dumps(format_of(draft.endpoint).encode_error(error, draft.trace_id))
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
    wanted = [_REQUEST_ID]
    if format_of(draft.endpoint).name in ("messages", "count_tokens"):
        wanted.append(_ANTHROPICS_REQUEST_ID)
    there = {name for name, _ in given}
    return tuple((name, draft.trace_id.encode("ascii")) for name in wanted if name not in there)


def _response(reply: Reply, ours: GatewayHeaders, draft: Draft) -> HTTPResponse:
    fields = {
        "trace-id": draft.trace_id,
        "retry-attempt-count": str(reply.retry_count),
        "cache-status": "DISABLED",
    }
    if reply.target is not None:
        fields["last-used-option-index"] = reply.target
    if reply.provider is not None:
        fields["provider"] = reply.provider
    if reply.is_estimate:
        fields["token-count"] = "estimate"
    if reply.dropped:
        fields["dropped-params"] = ", ".join(reply.dropped)
    if reply.adjusted:
        fields["adjusted-params"] = ", ".join(reply.adjusted)
    headers = [*reply.headers, _NO_STORE, *encode_fields(ours.family, fields)]
    headers += _request_ids(draft, reply.headers)
    if reply.error is not None and reply.repeated:
        # SDKs retry by themselves; what was retried here must not be multiplied there.
        headers.append((b"x-should-retry", b"false"))
    if isinstance(reply.body, StreamBody):
        headers.append((b"x-accel-buffering", b"no"))
    return HTTPResponse(reply.status, tuple(headers), reply.body)
