"""Adds the bodies of records, beside their rows: statements are bounded by bytes as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models.constants import OnConflict

from llmgateway.types.record import Record
from llmgateway_django.models import RequestBody
from llmgateway_django.stores.insert import Insert
from llmgateway_django.stores.values import storable_text

__all__ = ["add_bodies"]

_MAX_CHARACTERS = 2**20
"""Of one statement: databases refuse long ones, MariaDB those of 16 MiB when all is escaped."""

_Values = tuple[Any, str, str]


def add_bodies(connection: Any, cursor: Any, new: Iterable[tuple[Any, Record]]) -> None:
    """Insert the bodies of these new rows, in the transaction that they were inserted in.

    `new` has the id of the row, as the database has it, with each record.
    """
    rows = [
        (id_, storable_text(record.request_body), storable_text(record.response_body))
        for id_, record in new
        if record.request_body or record.response_body
    ]
    ops = connection.ops
    insert = Insert(
        connection,
        RequestBody._meta.db_table,
        ("id", "request", "response"),
        # One may be left of a row that has been pruned.
        into=ops.insert_statement(on_conflict=OnConflict.IGNORE),
        ending=ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], []),
    )
    for some in _in_pieces(rows, insert.rows_at_once):
        insert.execute(cursor, some)


def _in_pieces(rows: Sequence[_Values], most: int) -> Iterator[list[_Values]]:
    """Cut rows into statements; one that is too long alone goes alone."""
    some: list[_Values] = []
    size = 0
    for row in rows:
        length = len(row[1]) + len(row[2])
        if some and (len(some) == most or size + length > _MAX_CHARACTERS):
            yield some
            some, size = [], 0
        some.append(row)
        size += length
    if some:
        yield some
