"""Adds records to the sums of their hour: one statement that never reads what it adds to."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from operator import add
from typing import Any

from llmgateway.types.record import Record
from llmgateway_django.models import UsageRollup
from llmgateway_django.models.usage import LATENCIES_MS
from llmgateway_django.stores.insert import Insert
from llmgateway_django.stores.values import TOKENS, storable_name, storable_time, tokens_of

__all__ = ["add_up"]

_HOUR_S = 3600
_MOST = 10**12
"""What one record adds at most to a sum of tokens, so that no sum of them leaves its column."""

_TEXTS = ("workspace", "principal", "user", "provider", "model")
_KEY = ("hour", *_TEXTS)
_SUMS = (
    "requests",
    "errors",
    *TOKENS,
    "cost_nano",
    "unpriced",
    *(f"ms_{bound}" for bound in LATENCIES_MS),
)
_WITHIN = tuple(
    tuple(int(place >= first) for place in range(len(LATENCIES_MS)))
    for first in range(len(LATENCIES_MS) + 1)
)
"""What to add to the columns of latency, by the first bound that holds."""
_LENGTHS = {name: UsageRollup._meta.get_field(name).max_length for name in _TEXTS}

_Key = tuple[float, str, str, str, str, str]


def add_up(connection: Any, cursor: Any, records: Iterable[Record]) -> None:
    """Add these records to the sums, in the transaction that they were inserted in."""
    sums: dict[_Key, list[int]] = {}
    for record in records:
        key = _key(record)
        before = sums.get(key)
        added = _added(record)
        sums[key] = added if before is None else list(map(add, before, added))
    # In one order everywhere, so that no two processes wait for each other.
    rows = [
        (storable_time(hour, connection), *texts, *numbers)
        for (hour, *texts), numbers in sorted(sums.items())
    ]
    insert = Insert(
        connection, UsageRollup._meta.db_table, (*_KEY, *_SUMS), ending=_adding(connection)
    )
    for start in range(0, len(rows), insert.rows_at_once):
        insert.execute(cursor, rows[start : start + insert.rows_at_once])


def _key(record: Record) -> _Key:
    return (
        record.started_at // _HOUR_S * _HOUR_S,
        storable_name(record.workspace, _LENGTHS["workspace"]),
        storable_name(record.principal, _LENGTHS["principal"]),
        storable_name(record.user, _LENGTHS["user"]),
        storable_name(record.provider, _LENGTHS["provider"]),
        storable_name(record.model, _LENGTHS["model"]),
    )


def _added(record: Record) -> list[int]:
    return [
        1,
        int(record.error is not None),
        *tokens_of(record.usage, _MOST),
        0,
        1,  # nothing prices records yet
        *_WITHIN[bisect_left(LATENCIES_MS, record.duration_ms)],
    ]


def _adding(connection: Any) -> str:
    """Return the end of an insert that adds to the row that is there."""
    quote = connection.ops.quote_name
    sums = [quote(name) for name in _SUMS]
    if connection.vendor == "mysql":
        more = ", ".join(f"{name} = {name} + VALUES({name})" for name in sums)
        return "ON DUPLICATE KEY UPDATE " + more
    table = quote(UsageRollup._meta.db_table)
    more = ", ".join(f"{name} = {table}.{name} + EXCLUDED.{name}" for name in sums)
    return f"ON CONFLICT ({', '.join(map(quote, _KEY))}) DO UPDATE SET {more}"
