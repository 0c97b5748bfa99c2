"""Makes, rotates and revokes API keys, and digests them.

A key is 256 random bits, so a fast hash is safe. The core asks with the plain SHA-256 of what a
client sent; the database has only that digest keyed with a pepper, which is not in it (see `ring`).
So a copy of the database tells no key, and no guess can be tried against it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import router, transaction
from django.dispatch import Signal
from django.utils import timezone

from llmgateway.engine.client_keys import new_client_key
from llmgateway.settings import client_key_digest
from llmgateway_django import audit
from llmgateway_django.models import APIKey, APIKeySecret, Workspace
from llmgateway_django.ring import Pepper, peppers
from llmgateway_django.signals import key_created, key_revoked, key_rotated

__all__ = [
    "NewKey",
    "Pepper",
    "create_key",
    "digest_with",
    "peppers",
    "revoke_key",
    "rotate_key",
]

_HINT_LENGTH = 4


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. Its secret is nowhere else, so whoever has it shows it once."""

    api_key: APIKey
    secret: str = field(repr=False)


def digest_with(pepper: Pepper, digest: str) -> str:
    """Return what the database knows a key by, whose plain digest is `digest`."""
    return hmac.digest(pepper.secret, digest.encode(), "sha256").hex()


def create_key(
    workspace: Workspace,
    name: str,
    *,
    owner: Any = None,
    expires_at: datetime | None = None,
    now: datetime | None = None,
    by: Any = None,
    policy: Mapping[str, Any] | None = None,
) -> NewKey:
    """Make a key for a user, or for a service where there is no owner.

    `by` is the user who does so, here and below; None: a command. `policy` has what limits the key,
    by the names of `APIKey`'s fields: `{"allowed_models": ["gpt-4o*"]}`.
    """
    using = router.db_for_write(APIKey)
    with transaction.atomic(using=using):
        api_key = APIKey.objects.using(using).create(
            workspace=workspace, name=name, owner=owner, expires_at=expires_at, **(policy or {})
        )
        audit.record(by, "created", api_key, audit.differences({}, audit.values_of(api_key)))
        _tell(key_created, api_key, using)
        return NewKey(api_key, _add_secret(api_key, now or timezone.now(), using))


def rotate_key(
    api_key: APIKey,
    *,
    grace: timedelta = timedelta(0),
    now: datetime | None = None,
    by: Any = None,
) -> NewKey:
    """Give a key a new secret; the ones before are accepted for `grace` longer.

    Raises `ValueError` for a revoked key.
    """
    moment = now or timezone.now()
    using = router.db_for_write(APIKey, instance=api_key)
    with transaction.atomic(using=using):
        # Locked, so that of two rotations at once the second ends the first's secret too.
        fresh = APIKey.objects.using(using).select_for_update().get(pk=api_key.pk)
        if fresh.revoked_at is not None:
            raise ValueError("A revoked key stays revoked; make a new one.")
        for secret in fresh.secrets.using(using).all():
            if secret.valid_until is None or secret.valid_until > moment + grace:
                secret.valid_until = moment + grace
                secret.save(using=using, update_fields=["valid_until"])
        audit.record(by, "rotated", api_key)
        _tell(key_rotated, api_key, using)
        return NewKey(api_key, _add_secret(fresh, moment, using))


def revoke_key(api_key: APIKey, *, now: datetime | None = None, by: Any = None) -> None:
    """End a key for ever. A second time changes nothing."""
    if api_key.revoked_at is not None:
        return
    using = router.db_for_write(APIKey, instance=api_key)
    with transaction.atomic(using=using):
        api_key.revoked_at = now or timezone.now()
        api_key.save(using=using, update_fields=["revoked_at"])
        audit.record(by, "revoked", api_key)
        _tell(key_revoked, api_key, using)


def _tell(signal: Signal, api_key: APIKey, using: str) -> None:
    transaction.on_commit(lambda: signal.send_robust(APIKey, api_key=api_key), using=using)


def _add_secret(api_key: APIKey, now: datetime, using: str) -> str:
    secret = new_client_key()
    pepper = peppers()[0]
    APIKeySecret.objects.using(using).create(
        api_key=api_key,
        digest=digest_with(pepper, client_key_digest(secret)),
        pepper_id=pepper.id,
        hint=secret[-_HINT_LENGTH:],
        valid_from=now,
    )
    return secret
