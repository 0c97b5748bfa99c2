"""Who calls: client keys, the host's own answer, local mode, or nobody.

A token that is a client key, or looks like one of ours, is never handed on as a provider key.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import SecretStr

from llmgateway.errors import InvalidAPIKey
from llmgateway.settings import Settings, client_key_digest
from llmgateway.stores import KeyStore
from llmgateway.types.call import CallerKind, Principal
from llmgateway.types.http import HTTPRequest

Authenticate = Callable[[HTTPRequest], "Principal | None | Awaitable[Principal | None]"]
"""A host's own judgement of a request: who it is, or None."""

KEY_PREFIX = "lgw_"
"""What the keys of this gateway begin with."""

KEY_HEADERS = ("x-llmgateway-api-key", "x-portkey-api-key", "x-api-key", "x-goog-api-key")
"""Where a client key may stand besides `Authorization`."""

_KEY_FIELDS = frozenset(name.encode() for name in ("authorization", *KEY_HEADERS))
PROVIDER_KEY_HEADERS = ("x-api-key", "x-goog-api-key")
"""Where SDKs of other formats put the provider's key."""

_MAX_TOKEN = 4096

_REFUSAL = (
    "Unknown API key. Send a client key of this gateway as `Authorization: Bearer`, `x-api-key`, "
    "`x-goog-api-key`, `x-llmgateway-api-key` or `x-portkey-api-key`."
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, and the provider key that the caller brought along."""

    principal: Principal
    caller_key: SecretStr | None


class Authorizer:
    """Finds out who sent a request."""

    def __init__(
        self, settings: Settings, keys: KeyStore, authenticate: Authenticate | None = None
    ) -> None:
        self._access = settings.access
        self._keys = keys
        self._authenticate = authenticate

    async def identify(self, request: HTTPRequest, principal: Principal | None = None) -> Identity:
        """Return the caller's identity; `principal` is one that the host has vouched for.

        Raises `InvalidAPIKey` where the caller is not known and must be.
        """
        sent = [name for name, _ in request.headers if name in _KEY_FIELDS]
        if len(sent) > len(set(sent)):
            raise InvalidAPIKey(_REFUSAL)  # which of two keys counts is for nobody to guess
        authorization = bearer_token(request.headers.get("authorization"))
        others = [request.headers.get(name) for name in KEY_HEADERS]
        tokens = [token for token in (authorization, *others) if token]
        matched = await self._match(tokens)
        own = (request.headers.get(name) for name in PROVIDER_KEY_HEADERS)
        provider_key = authorization or next(filter(None, own), None)
        if principal is None and matched:
            principal = next(iter(matched.values()))
        if principal is None:
            principal = await self._ask_host(request) or self._unidentified()
        if principal.kind is CallerKind.HOST and not principal.brings_provider_key:
            provider_key = None  # it may be the host's own token: not for providers' eyes
        if not provider_key or provider_key in matched or provider_key.startswith(KEY_PREFIX):
            return Identity(principal, None)
        return Identity(principal, SecretStr(provider_key))

    async def _match(self, tokens: list[str]) -> dict[str, Principal]:
        """Return the tokens that are client keys, each with whom it stands for."""
        by_digest = {
            client_key_digest(token): token for token in tokens if len(token) <= _MAX_TOKEN
        }
        if not by_digest:
            return {}
        return {
            by_digest[key.digest]: Principal(key.id, CallerKind.CLIENT_KEY, key.workspace)
            for key in await self._keys.find(list(by_digest))
        }

    async def _ask_host(self, request: HTTPRequest) -> Principal | None:
        if self._authenticate is None:
            return None
        answer = self._authenticate(request)
        return await answer if inspect.isawaitable(answer) else answer

    def _unidentified(self) -> Principal:
        match self._access:
            case "local":
                return Principal("local", CallerKind.LOCAL)
            case "open":
                return Principal("anonymous", CallerKind.ANONYMOUS)
            case _:
                raise InvalidAPIKey(_REFUSAL)


def bearer_token(value: str | None) -> str | None:
    """Return the credential of an `Authorization` value, with or without the word Bearer.

    Source: RFC 6750, section 2.1; Portkey's clients also send the bare key.
    """
    if not value:
        return None
    scheme, _, token = value.strip().partition(" ")
    if not token:
        return None if scheme.lower() == "bearer" else scheme
    return token.strip() if scheme.lower() == "bearer" else None
