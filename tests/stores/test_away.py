"""A real server refuses every connection for a while: known callers and all rows outlast it."""

from __future__ import annotations

import asyncio

import pytest
from django.db import connections

from llmgateway.errors import StoreUnavailable
from llmgateway.settings import client_key_digest
from llmgateway_django.conf import AS_USUAL
from llmgateway_django.models import UsageRollup
from llmgateway_django.stores import DjangoKeyStore, DjangoRecords
from tests.stores.servers import refusing
from tests.stores.shelves import DjangoKeyShelf, DjangoRecordShelf, in_thread
from tests.stores.test_contract import a_record

pytestmark = pytest.mark.parametrize("place", ["postgresql"], indirect=True, scope="package")

UNKNOWN = client_key_digest("a key that nobody made")

KEY_CACHE_S, KEY_GRACE_S = AS_USUAL.cache_s, AS_USUAL.grace_s


async def test_a_key_that_was_used_works_for_its_grace_and_one_that_was_not_is_a_503(
    database: str,
) -> None:
    clock = [0.0]
    store = DjangoKeyStore(monotonic=lambda: clock[0])
    used, key = await DjangoKeyShelf().make("a")
    unused, _ = await DjangoKeyShelf().make("a")
    await store.find([used])

    with refusing(connections[database].settings_dict["NAME"]):
        for now in (KEY_CACHE_S, KEY_GRACE_S / 2, KEY_GRACE_S - 1):
            clock[0] = now
            assert [key] == await store.find([used])
            for digest in (unused, UNKNOWN):
                with pytest.raises(StoreUnavailable):
                    await store.find([digest])
        clock[0] = KEY_GRACE_S
        with pytest.raises(StoreUnavailable):
            await store.find([used])
    assert [key] == await store.find([used])
    assert [] == await store.find([UNKNOWN])


async def test_rows_wait_and_are_counted_once(database: str) -> None:
    records = [a_record(number) for number in range(250)]
    tries = 0
    tried = asyncio.Event()

    async def pause(seconds: float) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            tried.set()
        await asyncio.sleep(0)

    store = DjangoRecords(sleep=pause)
    with refusing(connections[database].settings_dict["NAME"]):
        appending = asyncio.create_task(store.append(records))
        await asyncio.wait_for(tried.wait(), 20)
        assert not appending.done()
    await appending

    assert await DjangoRecordShelf().holds(records)
    (row,) = await in_thread(lambda: list(UsageRollup.objects.all()))
    assert 250 == row.requests
