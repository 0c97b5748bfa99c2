"""What the gateway keeps, as small async protocols that speak our dataclasses.

`memory` is the reference; hosts bring their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from llmgateway.types.call import UNLIMITED, CallerPolicy
from llmgateway.types.documents import (
    SavedConfig,
    SavedGuardrail,
    VirtualKey,
    WorkspaceGuardrails,
)
from llmgateway.types.record import Record


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A client key as it is kept: who it stands for, never the key itself."""

    id: str
    digest: str
    workspace: str | None = None
    user: str | None = None
    """The host's user whose key it is."""
    policy: CallerPolicy = UNLIMITED

    def __hash__(self) -> int:
        return hash(self.digest)


class KeyStore(Protocol):
    """Client keys, found by digest only: the raw key never reaches a store.

    A key that begins with `lgw_` is one that `new_client_key` has made, or stands in the settings:
    stores are not asked for others. A store may keep the digest keyed, as Django's does.
    """

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Return the keys, of those in force, that have one of these digests."""
        ...


class Records(Protocol):
    """The request log."""

    async def append(self, batch: Sequence[Record]) -> None:
        """Keep these records. Idempotent by `Record.id`."""
        ...


class Documents(Protocol):
    """What is saved under a slug. Each look-up takes the caller's workspace; none is global.

    What all share has no workspace: every caller finds it, after what is of their own.

    Raises `StoreUnavailable` where nobody can tell.
    """

    async def virtual_key(self, workspace: str | None, slug: str) -> VirtualKey | None:
        """Return a virtual key that may be used now."""
        ...

    async def virtual_keys(self, workspace: str | None) -> Sequence[VirtualKey]:
        """Return all that may be used now, by slug."""
        ...

    async def config(self, workspace: str | None, slug: str) -> SavedConfig | None:
        """Return a config in its newest version, unless it is archived."""
        ...

    async def guardrail(
        self, workspace: str | None, slug: str, version: int | None = None
    ) -> SavedGuardrail | None:
        """Return a guardrail in its newest version, or in this one, unless it is archived."""
        ...

    async def workspace_guardrails(self, workspace: str | None) -> WorkspaceGuardrails:
        """Return what a workspace demands of each call; nothing, for one that is not known."""
        ...
