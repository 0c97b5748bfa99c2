"""The reference stores: dicts in this process, bounded, gone with it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from sys import getsizeof

from llmgateway.stores.base import StoredKey
from llmgateway.types.documents import (
    SavedConfig,
    SavedGuardrail,
    VirtualKey,
    WorkspaceGuardrails,
)
from llmgateway.types.record import Record


class MemoryKeyStore:
    """Client keys from the settings."""

    def __init__(self, keys: Iterable[StoredKey] = ()) -> None:
        self._by_digest = {key.digest: key for key in keys}

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Return the keys that have one of these digests."""
        return [self._by_digest[digest] for digest in digests if digest in self._by_digest]


class MemoryRecords:
    """The newest records, up to `limit`, and to `max_body_bytes` of bodies where they have some."""

    def __init__(self, limit: int = 10_000, max_body_bytes: int = 64 * 2**20) -> None:
        self._limit = limit
        self._body_bytes = 0
        self._max_body_bytes = max_body_bytes
        self._by_id: OrderedDict[str, Record] = OrderedDict()

    async def append(self, batch: Sequence[Record]) -> None:
        """Keep these records and let the oldest go; those that are there already stay."""
        for record in batch:
            if record.id not in self._by_id:
                self._by_id[record.id] = record
                self._body_bytes += _bytes_of_bodies(record)
        while len(self._by_id) > self._limit or self._body_bytes > self._max_body_bytes:
            self._body_bytes -= _bytes_of_bodies(self._by_id.popitem(last=False)[1])

    def all(self) -> list[Record]:
        """Return what is kept, oldest first."""
        return list(self._by_id.values())


def _bytes_of_bodies(record: Record) -> int:
    bodies = (record.request_body, record.response_body)
    return sum(getsizeof(body) for body in bodies if body is not None)


class MemoryDocuments:
    """What is put into it, by workspace."""

    def __init__(self) -> None:
        self._virtual_keys: dict[tuple[str | None, str], VirtualKey] = {}
        self._configs: dict[tuple[str | None, str], SavedConfig] = {}
        self._guardrails: dict[tuple[str | None, str], dict[int, SavedGuardrail]] = {}
        self._demands: dict[str, WorkspaceGuardrails] = {}

    def put(
        self, workspace: str | None, document: VirtualKey | SavedConfig | SavedGuardrail
    ) -> None:
        """Keep a document in the place of the one that has its slug, and its version.

        A guardrail without a workspace is one that all share.
        """
        place = workspace, document.slug
        match document:
            case VirtualKey():
                self._virtual_keys[place] = document
            case SavedConfig():
                self._configs[place] = document
            case SavedGuardrail():
                self._guardrails.setdefault(place, {})[document.version] = document

    def demand(self, workspace: str, guardrails: WorkspaceGuardrails) -> None:
        """Have these run for each call of the workspace."""
        self._demands[workspace] = guardrails

    async def virtual_key(self, workspace: str | None, slug: str) -> VirtualKey | None:
        """Return a virtual key of the workspace."""
        return self._virtual_keys.get((workspace, slug))

    async def virtual_keys(self, workspace: str | None) -> Sequence[VirtualKey]:
        """Return all virtual keys of the workspace, by slug."""
        found = (key for (owner, _), key in self._virtual_keys.items() if owner == workspace)
        return sorted(found, key=lambda key: key.slug)

    async def config(self, workspace: str | None, slug: str) -> SavedConfig | None:
        """Return a config of the workspace."""
        return self._configs.get((workspace, slug))

    async def guardrail(
        self, workspace: str | None, slug: str, version: int | None = None
    ) -> SavedGuardrail | None:
        """Return a guardrail of the workspace, or else one that all share."""
        for owner in (workspace, None):
            versions = self._guardrails.get((owner, slug))
            if versions is not None:
                return versions.get(max(versions) if version is None else version)
        return None

    async def workspace_guardrails(self, workspace: str | None) -> WorkspaceGuardrails:
        """Return what the workspace demands."""
        return self._demands.get(workspace or "", _NOTHING)


_NOTHING = WorkspaceGuardrails()
