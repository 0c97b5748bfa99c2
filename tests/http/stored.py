"""Keys and records of Django's hosts, in a real database.

`LLMGATEWAY_TEST_DATABASE` names its kind: `sqlite`, `postgresql` or `mariadb`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from django.utils import timezone

from llmgateway import Settings
from llmgateway.stores import StoredKey
from llmgateway.types.record import AttemptRecord, Record
from llmgateway.types.usage import Usage, UsageSource
from llmgateway_django.database import DatabaseThreads
from llmgateway_django.keys import digest_with, peppers
from llmgateway_django.models import APIKey, APIKeySecret, RequestLog, Workspace
from llmgateway_django.stores import DjangoKeyStore, DjangoRecords, log_id
from llmgateway_django.stores.values import TOKENS
from tests.django.project.routers import routed_to
from tests.http.client import WatchedRecords
from tests.http.databases import ALIAS
from tests.http.loops import SOON_S
from tests.stores.servers import connected
from tests.wsgi.processes import soon

T = TypeVar("T")

KIND = os.environ.get("LLMGATEWAY_TEST_DATABASE", "sqlite")


@contextmanager
def hosts_database(folder: Path) -> Iterator[dict[str, Any]]:
    """Have a database of that kind, with all tables; yields its settings."""
    with connected(KIND, ALIAS, folder) as settings:
        yield settings


class _Routed:
    """Threads of a store's own, on that database; implements `Database`."""

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads

    async def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """Run it in one of the threads."""
        return await self._threads.run(partial(_routed, work), timeout_s)


def _routed(work: Callable[[], T]) -> T:
    with routed_to(ALIAS):
        return work()


_keys_database = _Routed(DatabaseThreads("hosts-keys", threads=4))
_log_database = _Routed(DatabaseThreads("hosts-log", threads=2))


class StoredRecords(WatchedRecords):
    """Records as the database gives them back."""

    def __init__(self) -> None:
        super().__init__()
        self._store = DjangoRecords(_log_database)

    async def append(self, batch: Sequence[Record]) -> None:
        """Store them, and keep what was stored."""
        await self._store.append(batch)
        ids = [log_id(record) for record in batch]
        rows = await _log_database.run(lambda: RequestLog.objects.in_bulk(ids), 30.0)
        await super().append([record_of(rows[id_]) for id_ in ids])


class RecordsOfProcess(WatchedRecords):
    """Records that another process stores; those count that began after the last `forget`."""

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def wait_for(self, number: int) -> bool:
        """Wait until there are so many new ones."""
        return soon(lambda: self._rows().count() >= number, SOON_S)

    def new(self) -> list[Record]:
        """Return them, the oldest first, with the names of keys in the place of their ids."""
        keys = {key.principal_id: f"key:{key.name}" for key in APIKey.objects.using(ALIAS).all()}
        records = [record_of(row) for row in self._rows().order_by("started_at")]
        return [replace(r, principal=keys.get(r.principal, r.principal)) for r in records]

    def forget(self) -> None:
        """Count from here."""
        self._since = timezone.now()

    def _rows(self) -> Any:
        return RequestLog.objects.using(ALIAS).filter(started_at__gte=self._since)


class StoredKeys:
    """The client keys of some settings, each a row; implements `KeyStore`.

    Who a key belongs to is told as the settings would, so that a test need not know of this.
    """

    def __init__(self, settings: Settings) -> None:
        self._named = {
            digest.get_secret_value(): StoredKey(f"key:{name}", digest.get_secret_value())
            for name, digest in settings.client_keys.items()
        }
        self._store = DjangoKeyStore(_keys_database)
        with routed_to(ALIAS):
            for digest, key in self._named.items():
                store_key(key.id.removeprefix("key:"), digest)

    async def find(self, digests: Sequence[str]) -> list[StoredKey]:
        """Return those of these keys that the database has."""
        found = await self._store.find(digests)
        return [self._named[key.digest] for key in found if key.digest in self._named]


def store_key(name: str, plain_digest: str) -> None:
    """Put a key into the database, unless it is there."""
    pepper = peppers()[0]
    digest = digest_with(pepper, plain_digest)
    if not APIKeySecret.objects.filter(digest=digest).exists():
        workspace, _ = Workspace.objects.get_or_create(slug="suite", defaults={"name": "Suite"})
        key = APIKey.objects.create(workspace=workspace, name=name)
        now = timezone.now()
        APIKeySecret.objects.create(
            api_key=key, digest=digest, pepper_id=pepper.id, hint="none", valid_from=now
        )


def record_of(row: Any) -> Record:
    """Return a row of the log as the record that it was."""
    texts = ("endpoint", "error", "principal", "workspace", "target", "provider", "model", "user")
    return Record(
        id=str(row.pk),
        trace_id=row.trace_id,
        started_at=row.started_at.timestamp(),
        duration_ms=row.duration_ms,
        method=row.method,
        path=row.path,
        status=row.status,
        stream=row.stream,
        first_byte_ms=row.first_byte_ms,
        usage=Usage(
            **{name.removesuffix("_tokens"): getattr(row, name) for name in TOKENS},
            source=UsageSource(row.usage_source),
        ),
        attempts=tuple(AttemptRecord(**attempt) for attempt in row.attempts),
        metadata=row.metadata,
        dropped=tuple(row.dropped),
        adjusted=tuple(row.adjusted),
        **{name: getattr(row, name) or None for name in texts},
    )
