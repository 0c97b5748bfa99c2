"""API keys in the project's database."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from django.db import Error, router
from django.utils import timezone

from llmgateway.errors import StoreUnavailable
from llmgateway.redaction import redacting_logger
from llmgateway.settings import Network, parse_network
from llmgateway.stores import StoredKey
from llmgateway.types.call import CallerPolicy
from llmgateway_django.conf import AS_USUAL, Keeping
from llmgateway_django.database import Database, DatabaseThreads, own_transaction
from llmgateway_django.keys import Pepper, digest_with, peppers
from llmgateway_django.models import APIKey, APIKeySecret, SavedConfig
from llmgateway_django.stores.values import list_as_text
from llmgateway_django.stores.warm import LOOKUP_S, Warm, forget_with

__all__ = ["DjangoKeyStore"]

logger = redacting_logger(__name__)

_threads = DatabaseThreads("keys", threads=4, limit_s=LOOKUP_S)
_NOWHERE = IPv4Network("0.0.0.0/32")
_Found = tuple[StoredKey, float]
"""A key, and when it ends by itself, in seconds since the epoch."""


class DjangoKeyStore:
    """Finds API keys; implements `KeyStore`. Safe from any loop."""

    def __init__(
        self,
        database: Database | None = None,
        keeping: Keeping = AS_USUAL,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._now = now
        self._warm = Warm(_look_up, database or _threads, "API keys", keeping, monotonic)
        _warm.add(self._warm)

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Return the keys in force. Raises `StoreUnavailable` where nobody can tell."""
        answers = (await self._warm.ask(digests)).values()
        moment = self._now()
        known = [answer.value for answer in answers if answer is not None]
        found = [value[0] for value in known if value is not None and moment < value[1]]
        if not found and len(known) < len(answers):
            raise StoreUnavailable(
                "API keys cannot be checked at the moment; send the request again.",
                retry_after_s=5,
            )
        return found

    def forget(self) -> None:
        """Ask the database for every key at its next use."""
        self._warm.forget()


_warm = forget_with(APIKey, APIKeySecret, SavedConfig)


def _look_up(digests: Sequence[str]) -> Mapping[str, _Found]:
    """Return what the database has of these digests, and when it ends."""
    current, *_ = in_use = peppers()
    asked = {digest_with(pepper, plain): plain for pepper in in_use for plain in digests}
    secrets = (
        APIKeySecret.objects.using(router.db_for_read(APIKeySecret))
        .filter(digest__in=list(asked))
        .select_related("api_key__owner", "api_key__default_config")
    )
    found = {}
    now = timezone.now()
    for secret in secrets:
        plain = asked[secret.digest]
        if secret.pepper_id != current.id:
            _key_anew(secret, plain, current)
        if secret.valid_from <= now and secret.api_key.is_in_force(now):
            found[plain] = (_stored(secret.api_key, plain), _end_of(secret))
    return found


def _stored(api_key: Any, digest: str) -> StoredKey:
    user = None if api_key.owner_id is None else str(api_key.owner_id)
    workspace = str(api_key.workspace_id)
    return StoredKey(api_key.principal_id, digest, workspace, user, _policy_of(api_key))


def _policy_of(api_key: Any) -> CallerPolicy:
    config = api_key.default_config
    return CallerPolicy(
        scopes=frozenset(api_key.scopes) if api_key.scopes else None,
        models=tuple(api_key.allowed_models),
        providers=tuple(api_key.allowed_providers),
        addresses=tuple(_network(address) for address in api_key.allowed_addresses),
        default_config=None if config is None else config.slug,
        allow_config_override=api_key.allow_config_override,
        metadata=api_key.default_metadata,
        input_guardrails=list_as_text(api_key.input_guardrails),
        output_guardrails=list_as_text(api_key.output_guardrails),
    )


def _network(text: str) -> Network:
    try:
        return parse_network(text)
    except ValueError:  # written by other ways than the admin: then it lets nobody in
        return _NOWHERE


def _end_of(secret: Any) -> float:
    ends = (secret.valid_until, secret.api_key.expires_at)
    return min((end.timestamp() for end in ends if end is not None), default=math.inf)


def _key_anew(secret: Any, plain: str, pepper: Pepper) -> None:
    """Let the key outlive the pepper that it was made with: its plain digest is at hand now."""
    using = router.db_for_write(APIKeySecret, instance=secret)
    try:
        with own_transaction(using, LOOKUP_S):
            APIKeySecret.objects.using(using).filter(pk=secret.pk, digest=secret.digest).update(
                digest=digest_with(pepper, plain), pepper_id=pepper.id
            )
    except Error as error:  # read-only, say; the key works all the same
        logger.warning("An API key still needs SECRET_KEY_FALLBACKS: %r", error)
