"""What the client keys of this gateway look like, and how new ones are made."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Callable

__all__ = ["KEY_PREFIX", "has_checksum", "new_client_key"]

KEY_PREFIX = "lgw_"
"""What the keys of this gateway begin with."""

_RANDOM_BYTES = 32
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LENGTH = 43
"""32 bytes in base 62."""
_CHECKSUM_LENGTH = 6


def new_client_key(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a new key: `lgw_`, 256 random bits in base 62, and a checksum.

    The checksum lets scanners for leaked secrets tell a key from chance.
    """
    body = _base62(int.from_bytes(random_bytes(_RANDOM_BYTES)), _BODY_LENGTH)
    return KEY_PREFIX + body + _checksum(body)


def has_checksum(key: str) -> bool:
    """Tell whether a key is one that this function could have made."""
    body = key.removeprefix(KEY_PREFIX)
    whole = len(body) == _BODY_LENGTH + _CHECKSUM_LENGTH and key.startswith(KEY_PREFIX)
    return whole and _checksum(body[:_BODY_LENGTH]) == body[_BODY_LENGTH:]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
