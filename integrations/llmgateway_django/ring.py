"""The keys that everything is derived from which the database must not tell by itself.

They are the setting `KEY_RING`'s, and after them `SECRET_KEY` and `SECRET_KEY_FALLBACKS`: those
open as well, so that a ring can be set at any time. The first key of all is the current one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from llmgateway.stores.sealing import SealingKey, SecretBox
from llmgateway_django.conf import KEY, conf_of_project

__all__ = ["Pepper", "has_ring", "peppers", "secret_box"]


@dataclass(frozen=True, slots=True)
class Pepper:
    """What digests of API keys are keyed with."""

    id: str
    """Its name, from which it cannot be found out."""
    secret: bytes = field(repr=False)


def has_ring() -> bool:
    """Tell whether the project has a ring of its own."""
    return bool(_ring())


def peppers() -> Sequence[Pepper]:
    """Return those in use, the current one first."""
    return _peppers(*_roots())


def secret_box() -> SecretBox:
    """Return what seals with the current key, and opens with each that is in use."""
    return _secret_box(*_roots())


def _roots() -> list[bytes]:
    own = [key for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if key]
    encoded = (key.encode() if isinstance(key, str) else key for key in own)
    return list(dict.fromkeys((*_ring(), *encoded)))


@cache
def _ring() -> tuple[bytes, ...]:
    return conf_of_project().key_ring


@lru_cache(maxsize=8)
def _peppers(*roots: bytes) -> Sequence[Pepper]:
    return tuple(
        Pepper(
            id=_derive(root, b"llmgateway API keys: pepper id")[:8].hex(),
            secret=_derive(root, b"llmgateway API keys: pepper"),
        )
        for root in roots
    )


@lru_cache(maxsize=8)
def _secret_box(*roots: bytes) -> SecretBox:
    return SecretBox(
        [
            SealingKey(
                id=_derive(root, b"llmgateway credentials: key id")[:8].hex(),
                secret=_derive(root, b"llmgateway credentials: key"),
            )
            for root in roots
        ]
    )


def _derive(key: bytes, purpose: bytes) -> bytes:
    """Return 32 bytes for one purpose: HKDF-SHA-256 without salt, one block (RFC 5869)."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), key, "sha256")
    return hmac.digest(extracted, purpose + b"\x01", "sha256")


def _look_again(*, setting: str, **_: Any) -> None:
    if setting == KEY:
        _ring.cache_clear()


# Django sends it where tests override settings.
setting_changed.connect(_look_again)
