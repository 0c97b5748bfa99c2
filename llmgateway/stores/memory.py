"""The reference stores: dicts in this process, bounded, gone with it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from llmgateway.stores.base import StoredKey
from llmgateway.types.record import Record


class MemoryKeyStore:
    """Client keys from the settings."""

    def __init__(self, keys: Iterable[StoredKey] = ()) -> None:
        self._by_digest = {key.digest: key for key in keys}

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Return the keys that have one of these digests."""
        return [self._by_digest[digest] for digest in digests if digest in self._by_digest]


class MemoryRecords:
    """The newest records, up to `limit`."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._by_id: OrderedDict[str, Record] = OrderedDict()

    async def append(self, batch: Sequence[Record]) -> None:
        """Keep these records and let the oldest go."""
        for record in batch:
            self._by_id[record.id] = record
        while len(self._by_id) > self._limit:
            self._by_id.popitem(last=False)

    def all(self) -> list[Record]:
        """Return what is kept, oldest first."""
        return list(self._by_id.values())
