"""From a request and what is known of its caller to a call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from llmgateway.engine.authorize import Identity
from llmgateway.engine.resolve import find
from llmgateway.errors import InvalidRequest
from llmgateway.http.bodies import Payload
from llmgateway.http.headers import GatewayHeaders
from llmgateway.http.heads import Head
from llmgateway.http.routes import Body, Matched
from llmgateway.providers import PLANNED, Registry
from llmgateway.types import JSON
from llmgateway.types.call import Call
from llmgateway.types.documents import VirtualKey
from llmgateway.types.http import HTTPRequest

_MAX_MODEL = 512
_UNSENDABLE = re.compile("[\x00-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads calls; knows the providers' names and options."""

    registry: Registry

    def call(
        self,
        request: HTTPRequest,
        matched: Matched,
        identity: Identity,
        head: Head,
        payload: Payload,
        *,
        virtual_key: VirtualKey | None = None,
        trace_id: str,
        deadline: float,
    ) -> Call:
        """Build the call; raises `InvalidRequest` for a field that cannot be used.

        `virtual_key` is what `slug` names, if it is there.
        """
        ours, policy = head.ours, identity.principal.policy
        body, query, params = _door_view(payload.parsed, request.query, matched.params)
        if body is None and matched.route.body is Body.JSON and request.method == "POST":
            raise InvalidRequest("This path needs a body: send one JSON object.")
        provider = ours.get("provider")
        if virtual_key is not None:
            provider = None
        elif provider is not None and provider not in PLANNED:
            find(provider, self.registry)  # the contract judges it before the other headers
        model = body.get("model") if body else None
        if model is not None:
            model = _checked_model(model)
            if virtual_key is not None:
                model = model.removeprefix(f"@{virtual_key.slug}/") or model
            elif provider is None and not _has_config(ours, identity):
                provider, model = self.split_model(model)
        return Call(
            endpoint=matched.route.endpoint,
            method=request.method,
            path=request.path,
            suffix=matched.suffix,
            query=query,
            headers=request.headers,
            body=body,
            raw=payload.raw,
            stream=body is not None and body.get("stream") is True,
            principal=identity.principal,
            caller_key=identity.caller_key,
            provider=provider,
            virtual_key=virtual_key,
            model=model,
            params=params,
            from_path=_FROM_PATH if matched.params else frozenset(),
            trace_id=trace_id,
            deadline=deadline,
            options=self.options(head),
            overrides=ours.overrides,
            metadata={**ours.metadata, **policy.metadata} if policy.metadata else ours.metadata,
            memo=head.memo,
        )

    def slug(
        self, matched: Matched, identity: Identity, head: Head, payload: Payload
    ) -> str | None:
        """Return what a request itself may mean a virtual key by, outside of a config."""
        ours = head.ours
        if (named := ours.get("virtual-key")) is not None:
            return named.removeprefix("@")
        named = ours.get("provider")
        if named is None and not _has_config(ours, identity):
            model = matched.params.get("model") or (payload.parsed or {}).get("model")
            named = model.partition("/")[0] if isinstance(model, str) and "/" in model else None
        return named[1:] if named is not None and named[:1] == "@" else None

    def split_model(self, model: str) -> tuple[str | None, str]:
        """Split `@provider/model` where that provider is known; else it is all model."""
        if model.startswith("@"):
            name, slash, rest = model[1:].partition("/")
            if slash and rest and (name in self.registry or name in PLANNED):
                return name, rest
        return None, model

    def options(self, head: Head) -> Mapping[str, str]:
        """Return the provider options that a head names, by option name."""
        found: dict[str, str] | None = head.memo.get(Reader)
        if found is None:
            found = {}
            for bare, meanings in self.registry.bare_headers().items():
                if value := head.headers.get(bare):
                    found.update((meaning.option.name, value) for meaning in meanings)
            prefixed = self.registry.option_headers()
            for suffix, value in head.ours.fields.items():
                found.update((meaning.option.name, value) for meaning in prefixed.get(suffix, ()))
            head.memo[Reader] = found
        return found


def _has_config(ours: GatewayHeaders, identity: Identity) -> bool:
    return (ours.get("config") or identity.principal.policy.default_config) is not None


_FROM_PATH = frozenset({"model", "stream"})


def _door_view(
    body: JSON | None, query: str, params: Mapping[str, str]
) -> tuple[JSON | None, str, Mapping[str, str]]:
    """Let policies find in the body what a door has in the path, and keep its query to itself."""
    if not params or body is None:
        return body, query, params
    fields = parse_qsl(query, keep_blank_values=True)
    alt = dict(fields).get("alt", "")
    rest = urlencode([(name, value) for name, value in fields if name not in ("alt", "key")])
    view = {**body, "model": params["model"]}
    if params["operation"].startswith("stream"):
        view["stream"] = True
    return view, rest, {**params, "alt": alt}


def _checked_model(model: object) -> str:
    if not isinstance(model, str) or not model or len(model) > _MAX_MODEL:
        raise InvalidRequest(
            f"`model` must be a string of 1 to {_MAX_MODEL} characters.", param="model"
        )
    if _UNSENDABLE.search(model):
        raise InvalidRequest("`model` holds a control character.", param="model")
    return model
