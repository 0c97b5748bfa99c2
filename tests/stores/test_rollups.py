"""The sums by the hour: exactly what the log's new rows come to, on each database."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from llmgateway.types.record import Record
from llmgateway.types.usage import Usage
from llmgateway_django.models import UsageRollup
from llmgateway_django.models.usage import LATENCIES_MS
from llmgateway_django.stores import DjangoRecords
from tests.stores.shelves import in_thread
from tests.stores.test_contract import a_record

HOUR = 3600.0
NINE = 1_800_000_000.0 - 1_800_000_000.0 % HOUR


def at(number: int, seconds: float = 0.0, **changes: Any) -> Record:
    """Return a record that began so long after nine o'clock."""
    return replace(a_record(number), started_at=NINE + seconds, **changes)


async def sums() -> list[Any]:
    """Return all rows."""
    return await in_thread(lambda: list(UsageRollup.objects.order_by("hour", "model", "user")))


async def test_records_of_one_hour_and_caller_and_model_are_one_row(database: str) -> None:
    usage = Usage(1, 2, 3, 4, 5, 6, 7, 8)
    records = [at(1, usage=usage), at(2, 3599.9, usage=usage, error="timeout_error")]

    await DjangoRecords().append(records)
    await DjangoRecords().append([at(3, 60, usage=usage)])

    (row,) = await sums()
    assert datetime.fromtimestamp(NINE, UTC) == row.hour
    assert ("1", "key:1", "17", "openai", "gpt-4o") == (
        row.workspace,
        row.principal,
        row.user,
        row.provider,
        row.model,
    )
    assert (3, 1, 0, 3) == (row.requests, row.errors, row.cost_nano, row.unpriced)
    assert [3, 6, 9, 12, 15, 18, 21, 24] == [
        row.input_tokens,
        row.input_audio_tokens,
        row.cache_read_tokens,
        row.cache_write_tokens,
        row.cache_write_1h_tokens,
        row.output_tokens,
        row.output_audio_tokens,
        row.reasoning_tokens,
    ]


async def test_what_differs_has_rows_of_its_own(database: str) -> None:
    others: list[dict[str, Any]] = [
        {},
        {"workspace": None},
        {"principal": None},
        {"user": None},
        {"provider": None},
        {"model": None},
    ]
    records = [at(number, **changes) for number, changes in enumerate(others)]

    await DjangoRecords().append([*records, at(9, HOUR)])
    await DjangoRecords().append([replace(record, id=f"again {record.id}") for record in records])

    rows = await sums()
    assert Counter({2: 6, 1: 1}) == Counter(row.requests for row in rows)


async def test_latencies_are_counted_up_to_each_bound(database: str) -> None:
    took = [0.0, 100.0, 100.1, 6400.0, 10.0**9]

    await DjangoRecords().append([at(i, duration_ms=ms) for i, ms in enumerate(took)])

    (row,) = await sums()
    counted = [getattr(row, f"ms_{bound}") for bound in LATENCIES_MS]
    assert [2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4] == counted
    assert 5 == row.requests


@pytest.mark.parametrize("other", [[], [at(7)]], ids=["same", "overlapping"])
async def test_a_batch_appended_twice_changes_no_sum(database: str, other: list[Record]) -> None:
    records = [at(number) for number in range(5)]

    await DjangoRecords().append(records)
    await DjangoRecords().append([*records[2:], records[2], *other])

    (row,) = await sums()
    assert (5 + len(other), 3 * (5 + len(other))) == (row.requests, row.input_tokens)


async def test_two_that_append_the_same_at_once_count_it_once(database: str) -> None:
    records = [at(number, model=f"model {number % 7}") for number in range(400)]
    together = threading.Barrier(2)

    def append() -> None:
        together.wait(10)
        asyncio.run(DjangoRecords().append(records))

    await asyncio.gather(*(asyncio.to_thread(append) for _ in range(2)))

    assert 400 == sum(row.requests for row in await sums())


async def test_no_record_can_take_a_sum_out_of_its_column(database: str) -> None:
    wild = Usage(input=2**80, output=-5)

    await DjangoRecords().append([at(number, usage=wild) for number in range(50)])

    (row,) = await sums()
    assert (50 * 10**12, 0) == (row.input_tokens, row.output_tokens)
