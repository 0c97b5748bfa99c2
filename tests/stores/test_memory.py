"""The bounds of what is kept in memory."""

from __future__ import annotations

from dataclasses import replace

from llmgateway.stores import MemoryRecords
from tests.stores.test_contract import a_record


async def kept(store: MemoryRecords, *bodies: str | None) -> list[str]:
    """Append a record with each body, one by one; returns the trace ids that are kept."""
    for number, body in enumerate(bodies):
        record = replace(a_record(number), trace_id=str(number), response_body=body)
        await store.append([record])
        await store.append([record])
    return [record.trace_id for record in store.all()]


async def test_the_newest_records_are_kept() -> None:
    assert ["1", "2"] == await kept(MemoryRecords(limit=2), None, None, None)


async def test_bodies_are_kept_up_to_a_bound_of_their_own() -> None:
    store = MemoryRecords(max_body_bytes=2500)

    assert ["1", "2", "3"] == await kept(store, "x" * 1000, None, "y" * 1000, "z" * 1000)
    assert 2500 > store._body_bytes > 2000


async def test_a_body_that_is_longer_than_the_bound_is_not_kept() -> None:
    store = MemoryRecords(max_body_bytes=500)

    assert [] == await kept(store, "x" * 1000)
    assert 0 == store._body_bytes
