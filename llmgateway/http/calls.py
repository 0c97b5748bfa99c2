"""From a request and what is known of its caller to a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from llmgateway.engine.authorize import Identity
from llmgateway.engine.resolve import find
from llmgateway.errors import InvalidRequest
from llmgateway.http.bodies import Payload
from llmgateway.http.headers import GatewayHeaders
from llmgateway.http.routes import Body, Matched
from llmgateway.providers import PLANNED, Registry
from llmgateway.types import JSON
from llmgateway.types.call import Call
from llmgateway.types.http import Headers, HTTPRequest

_MAX_MODEL = 512


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads calls; knows the providers' names and options."""

    registry: Registry

    def call(
        self,
        request: HTTPRequest,
        matched: Matched,
        identity: Identity,
        ours: GatewayHeaders,
        payload: Payload,
        *,
        trace_id: str,
        deadline: float,
    ) -> Call:
        """Build the call; raises `InvalidRequest` for a field that cannot be used."""
        body, query, params = _door_view(payload.parsed, request.query, matched.params)
        if body is None and matched.route.body is Body.JSON and request.method == "POST":
            raise InvalidRequest("This path needs a body: send one JSON object.")
        provider = ours.get("provider")
        if provider is not None and provider not in PLANNED:
            find(provider, self.registry)  # the contract judges it before the other headers
        model = body.get("model") if body else None
        if model is not None:
            model = _checked_model(model)
            if provider is None and ours.get("config") is None:
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
            model=model,
            params=params,
            from_path=_FROM_PATH if matched.params else frozenset(),
            trace_id=trace_id,
            deadline=deadline,
            options=self.options(request.headers, ours),
            overrides=ours.overrides(),
            metadata=ours.metadata(),
        )

    def split_model(self, model: str) -> tuple[str | None, str]:
        """Split `@provider/model` where that provider is known; else it is all model."""
        if model.startswith("@"):
            name, slash, rest = model[1:].partition("/")
            if slash and rest and (name in self.registry or name in PLANNED):
                return name, rest
        return None, model

    def options(self, headers: Headers, ours: GatewayHeaders) -> dict[str, str]:
        """Return the provider options that the head names, by option name."""
        found: dict[str, str] = {}
        for bare, meanings in self.registry.bare_headers().items():
            if value := headers.get(bare):
                found.update((meaning.option.name, value) for meaning in meanings)
        prefixed = self.registry.option_headers()
        for suffix, value in ours.fields.items():
            found.update((meaning.option.name, value) for meaning in prefixed.get(suffix, ()))
        return found


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
    if any(0xD800 <= ord(char) <= 0xDFFF or ord(char) < 0x20 for char in model):
        raise InvalidRequest("`model` holds a control character.", param="model")
    return model
