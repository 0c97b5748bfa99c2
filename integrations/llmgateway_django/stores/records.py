"""The request log in the project's database: many rows a statement, and no model instances.

`bulk_create` takes twice the time a row, and holds the interpreter while it does.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from django.db import InterfaceError, OperationalError, connections, router
from django.db.models.constants import OnConflict

from llmgateway.redaction import redacting_logger
from llmgateway.types.record import Record, bare_results
from llmgateway_django.database import (
    Database,
    DatabaseBusy,
    DatabaseThreads,
    InlineDatabase,
    own_transaction,
)
from llmgateway_django.models import RequestLog
from llmgateway_django.stores.bodies import add_bodies
from llmgateway_django.stores.insert import MAX_ROWS, Insert
from llmgateway_django.stores.rollups import add_up
from llmgateway_django.stores.values import (
    TOKENS,
    storable_id,
    storable_json,
    storable_name,
    storable_text,
    storable_time,
    tokens_of,
)

__all__ = ["DjangoRecords", "log_id"]

logger = redacting_logger(__name__)

APPEND_S = 10.0
"""How long the database may take for one statement, and wait for the next."""
KEEP_TRYING_S = 600.0
"""How long a batch waits for a database that is away; what comes meanwhile is queued.

Long enough for a server's failover or upgrade. Not for ever: a batch that the database will never
take, whatever its reason, must not end the log."""
_PAUSE_S = 1.0

_threads = DatabaseThreads("log", threads=2, limit_s=APPEND_S)

_AWAY = (OperationalError, InterfaceError, TimeoutError, DatabaseBusy)


class DjangoRecords:
    """Writes records; implements `Records`. Safe from any loop."""

    def __init__(
        self,
        database: Database | None = None,
        *,
        keep_trying_s: float | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database or _threads
        if keep_trying_s is None:
            keep_trying_s = 0.0 if isinstance(database, InlineDatabase) else KEEP_TRYING_S
        self._keep_trying_s = keep_trying_s
        self._sleep = sleep
        self._monotonic = monotonic
        self._is_taking = True

    async def append(self, batch: Sequence[Record]) -> None:
        """Insert these records; those that are there already stay as they are."""
        for start in range(0, len(batch), MAX_ROWS):
            await self._insert(batch[start : start + MAX_ROWS])

    async def _insert(self, records: Sequence[Record]) -> None:
        started = self._monotonic()
        while True:
            try:
                await self._database.run(partial(_insert, records), APPEND_S)
                self._is_taking = True
                return
            except _AWAY as error:
                waited = self._monotonic() - started
                if waited >= self._keep_trying_s:
                    raise
                if self._is_taking:
                    logger.warning("The database does not take log rows, trying again: %r", error)
                self._is_taking = False
                await self._sleep(_PAUSE_S)


def log_id(record: Record) -> uuid.UUID:
    """Return the id of a record's row: a UUIDv7 of its start and its id, the same each time.

    Source: RFC 9562, section 5.7.
    """
    return uuid.UUID(_hex_id(record))


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _hex_id(record: Record) -> str:
    milliseconds = max(0, int(record.started_at * 1000)) & 0xFFFF_FFFF_FFFF
    rest = hashlib.sha256(record.id.encode("utf-8", "replace")).hexdigest()
    return f"{milliseconds:012x}7{rest[1:4]}{_VARIANT[rest[4]]}{rest[5:20]}"


def _insert(records: Sequence[Record]) -> None:
    using = router.db_for_write(RequestLog)
    row = _Row(connections[using])
    # In one order everywhere, so that two processes with the same rows never wait for each other.
    pairs = sorted(((row.of(record), record) for record in records), key=lambda pair: pair[0][0])
    try:
        _write(using, row, pairs, at_once=True)
    except _SomeWereThere:
        # After a failure that was none, and so rarely: one by one tells which ones are new.
        _write(using, row, pairs, at_once=False)


class _SomeWereThere(Exception):
    """Fewer rows than given were inserted, and it is not known which."""


def _write(
    using: str, row: _Row, pairs: Sequence[tuple[tuple[Any, ...], Record]], *, at_once: bool
) -> None:
    new: list[tuple[tuple[Any, ...], Record]] = []
    connection = connections[using]
    insert = row.insert
    size = insert.rows_at_once if at_once else 1
    with own_transaction(using, APPEND_S) as cursor:
        for start in range(0, len(pairs), size):
            some = pairs[start : start + size]
            if insert.execute(cursor, [values for values, _ in some]) == len(some):
                new += some
            elif at_once:
                raise _SomeWereThere
        add_bodies(connection, cursor, ((values[0], record) for values, record in new))
        # Last, since all processes add to the same few rows, and wait for each other there.
        add_up(connection, cursor, (record for _, record in new))


class _Row:
    """A record as one database has it."""

    columns = (
        "id",
        "trace_id",
        "started_at",
        "duration_ms",
        "first_byte_ms",
        "method",
        "path",
        "endpoint",
        "status",
        "error",
        "principal",
        "user",
        "workspace",
        "target",
        "provider",
        "model",
        "stream",
        *TOKENS,
        "usage_source",
        "cost_nano",
        "attempts",
        "metadata",
        "dropped",
        "adjusted",
        "hook_results",
    )

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def insert(self) -> Insert:
        """How its rows are inserted: those that are there already stay as they are."""
        ops = self._connection.ops
        return Insert(
            self._connection,
            RequestLog._meta.db_table,
            self.columns,
            into=ops.insert_statement(on_conflict=OnConflict.IGNORE),
            ending=ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], []),
            json_columns=_JSON_COLUMNS,
        )

    def of(self, record: Record) -> tuple[Any, ...]:
        """Return its values in the order of `columns`."""
        usage = record.usage
        return (
            storable_id(_hex_id(record), self._connection),
            storable_text(record.trace_id, _LENGTHS["trace_id"]),
            storable_time(record.started_at, self._connection),
            record.duration_ms,
            record.first_byte_ms,
            storable_name(record.method, _LENGTHS["method"]),
            storable_text(record.path, _LENGTHS["path"]),
            storable_name(record.endpoint, _LENGTHS["endpoint"]),
            record.status,
            storable_name(record.error, _LENGTHS["error"]),
            storable_name(record.principal, _LENGTHS["principal"]),
            storable_name(record.user, _LENGTHS["user"]),
            storable_name(record.workspace, _LENGTHS["workspace"]),
            storable_name(record.target, _LENGTHS["target"]),
            storable_name(record.provider, _LENGTHS["provider"]),
            storable_name(record.model, _LENGTHS["model"]),
            record.stream,
            *tokens_of(usage),
            usage.source.value,
            None,
            storable_json(record.attempts),
            storable_json(record.metadata),
            storable_json(record.dropped) if record.dropped else "[]",
            storable_json(record.adjusted) if record.adjusted else "[]",
            _results_of(record),
        )


_JSON_COLUMNS = frozenset(("attempts", "metadata", "dropped", "adjusted", "hook_results"))


def _results_of(record: Record) -> str | None:
    """Return what guardrails decided, without what they quote."""
    results = bare_results(record.hook_results)
    return None if results is None else storable_json(results)


_LENGTHS: dict[str, int] = {
    field.name: field.max_length for field in RequestLog._meta.fields if field.max_length
}
