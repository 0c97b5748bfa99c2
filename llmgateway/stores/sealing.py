"""Seals what is kept of other people's secrets, and opens it again.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits for each text: safe for 2^32 texts a
key, and a store of credentials has some thousands. What a text is for is bound to it, so that it
opens in its own place only. Where keys come from is a host's affair. It needs `cryptography`.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = [
    "KEY_BYTES",
    "BrokenSeal",
    "SealError",
    "SealingKey",
    "SecretBox",
    "UnknownSealingKey",
]

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "v1"
_SEALED = re.compile(rf"{_VERSION}\.([\w-]{{1,64}})\.([\w-]+)", re.ASCII)


class SealError(Exception):
    """A sealed text cannot be opened; the message holds nothing of it."""


class UnknownSealingKey(SealError):
    """It was sealed with a key that is not in the ring; `key_id` names that one."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"sealed with the key {key_id}, which is not in the key ring")
        self.key_id = key_id


class BrokenSeal(SealError):
    """It was changed, was sealed for another place, or is no sealed text."""

    def __init__(self) -> None:
        super().__init__("the seal is broken: changed, or not sealed for this place")


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One key of a ring."""

    id: str
    """Its name, from which it cannot be found out: letters, digits, `-` and `_`."""
    secret: bytes = field(repr=False)
    """`KEY_BYTES` bytes."""


class SecretBox:
    """Seals with the first key of a ring, and opens with whichever of them a text names.

    Safe from any thread.
    """

    def __init__(self, ring: Sequence[SealingKey]) -> None:
        if not ring:
            raise ValueError("a key ring has at least one key")
        self._current = ring[0].id
        self._ciphers = {key.id: _cipher(key) for key in reversed(ring)}

    def seal(self, text: str, *place: str) -> str:
        """Return `text` sealed for one place: `v1.<key id>.<nonce and ciphertext>`.

        `place` says what the text is for and whose it is; only with the same it opens again.
        """
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(self._current, place)
        sealed = nonce + self._ciphers[self._current].encrypt(nonce, text.encode(), bound)
        packed = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        return f"{_VERSION}.{self._current}.{packed}"

    def open(self, sealed: str, *place: str) -> str:
        """Return the text that was sealed for `place`.

        Raises `UnknownSealingKey` or `BrokenSeal`.
        """
        key_id, packed = _parts(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownSealingKey(key_id)
        try:
            data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
            nonce, rest = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
            return cipher.decrypt(nonce, rest, _bound(key_id, place)).decode()
        except (binascii.Error, InvalidTag, ValueError):
            raise BrokenSeal from None

    def is_current(self, sealed: str) -> bool:
        """Tell whether a text was sealed with the ring's first key. Raises `BrokenSeal`."""
        return _parts(sealed)[0] == self._current

    def __repr__(self) -> str:
        return f"SecretBox({', '.join(self._ciphers)})"


def _cipher(key: SealingKey) -> AESGCM:
    if len(key.secret) != KEY_BYTES:
        raise ValueError(f"the key {key.id} has not {KEY_BYTES} bytes")
    return AESGCM(key.secret)


def _parts(sealed: str) -> tuple[str, str]:
    match = _SEALED.fullmatch(sealed)
    if match is None:
        raise BrokenSeal
    return match[1], match[2]


def _bound(key_id: str, place: Sequence[str]) -> bytes:
    """Return the associated data: JSON, so that no two places read alike."""
    return json.dumps([_VERSION, key_id, *place]).encode()
