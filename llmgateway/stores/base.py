"""What the gateway keeps, as small async protocols that speak our dataclasses.

`memory` is the reference; hosts bring their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from llmgateway.types.record import Record


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A client key as it is kept: who it stands for, never the key itself."""

    id: str
    digest: str
    workspace: str | None = None


class KeyStore(Protocol):
    """Client keys, found by digest only: the raw key never reaches a store."""

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Return the keys, of those in force, that have one of these digests."""
        ...


class Records(Protocol):
    """The request log."""

    async def append(self, batch: Sequence[Record]) -> None:
        """Keep these records. Idempotent by `Record.id`."""
        ...
