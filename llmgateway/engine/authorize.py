"""Who calls: client keys, the host's own answer, local mode, or nobody.

A token that is a client key, or looks like one of ours, is never handed on as a provider key.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic import SecretStr

from llmgateway.engine.client_keys import KEY_PREFIX, has_checksum
from llmgateway.errors import InvalidAPIKey
from llmgateway.settings import Settings, client_key_digest
from llmgateway.stores import KeyStore, StoredKey
from llmgateway.types.call import CallerKind, Principal
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.value import value

Authenticate = Callable[[HTTPRequest], "Principal | None | Awaitable[Principal | None]"]
"""A host's own judgement of a request: who it is, or None."""

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
class Credentials:
    """The keys that a request's head brings."""

    digests: tuple[str, ...]
    """Of each that may be a client key: the form in which stores know it."""
    provider_key: SecretStr | None
    """The one that is the caller's own provider key, unless it turns out to be a client key."""
    provider_digest: str
    misspelt: frozenset[str] = frozenset()
    """Those digests of which the token begins as our keys do, but is none that we have made.
    Only settings may name such a key, so that no store is asked for what cannot be there."""

    @classmethod
    def read(cls, headers: Headers) -> Credentials:
        """Find them. Raises `InvalidAPIKey` where a field is there twice."""
        sent = [name for name, _ in headers if name in _KEY_FIELDS]
        if len(sent) > len(set(sent)):
            raise InvalidAPIKey(_REFUSAL)  # which of two keys counts is for nobody to guess
        authorization = bearer_token(headers.get("authorization"))
        others = [headers.get(name) for name in KEY_HEADERS]
        own = (headers.get(name) for name in PROVIDER_KEY_HEADERS)
        provider_key = authorization or next(filter(None, own), None)
        if provider_key and provider_key.startswith(KEY_PREFIX):
            provider_key = None
        tokens = (token for token in (authorization, *others) if token and len(token) <= _MAX_TOKEN)
        digests = {client_key_digest(token): token for token in tokens}
        return cls(
            digests=tuple(digests),
            provider_key=SecretStr(provider_key) if provider_key else None,
            provider_digest=client_key_digest(provider_key or ""),
            misspelt=frozenset(
                digest
                for digest, token in digests.items()
                if token.startswith(KEY_PREFIX) and not has_checksum(token)
            ),
        )


@value(frozen=True, slots=True)
class Identity:
    """Who calls, and the provider key that the caller brought along."""

    principal: Principal
    caller_key: SecretStr | None
    key_digest: str | None = None
    """Of the client key that the caller is known by, if it is by one."""


class Authorizer:
    """Finds out who sent a request."""

    def __init__(
        self, settings: Settings, keys: KeyStore, authenticate: Authenticate | None = None
    ) -> None:
        self._access = settings.access
        self._named = {key.get_secret_value() for key in settings.client_keys.values()}
        self._keys = keys
        self._authenticate = authenticate

    async def identify(
        self, request: HTTPRequest, brought: Credentials, principal: Principal | None = None
    ) -> Identity:
        """Return the caller's identity; `principal` is one that the host has vouched for.

        Raises `InvalidAPIKey` where the caller is not known and must be.
        """
        # The store is asked each time, so that a revoked key ends when the store says so.
        digests = self._possible(brought)
        found = await self._keys.find(digests) if digests else ()
        key_digest = None
        if principal is None:
            if found:
                key_digest = found[0].digest
                principal = _principal_of(found[0])
            else:
                principal = await self._ask_host(request) or self._unidentified()
        own = brought.provider_key
        if own is None or (
            # It may be the host's own token: not for providers' eyes.
            principal.kind is CallerKind.HOST and not principal.brings_provider_key
        ):
            return Identity(principal, None, key_digest)
        for key in found:
            if key.digest == brought.provider_digest:
                return Identity(principal, None, key_digest)
        return Identity(principal, own, key_digest)

    def _possible(self, brought: Credentials) -> Sequence[str]:
        """Return the digests that a key in force may have."""
        if not brought.misspelt:
            return brought.digests
        hopeless = brought.misspelt - self._named
        return [digest for digest in brought.digests if digest not in hopeless]

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


@lru_cache(maxsize=1024)
def _principal_of(key: StoredKey) -> Principal:
    return Principal(key.id, CallerKind.CLIENT_KEY, key.workspace, user=key.user, policy=key.policy)


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
