"""What guardrails mask in requests is in no table, on each database."""

from __future__ import annotations

import asyncio

from llmgateway.types.record import Record
from llmgateway_django.models import RequestBody, RequestLog
from llmgateway_django.stores import DjangoRecords
from tests.guardrails.pii.parrots import NATIVE, TRANSLATED
from tests.guardrails.pii.planted import Prompt, prompt
from tests.guardrails.pii.test_sinks import send
from tests.stores.test_at_rest import dump_of

PROMPTS = [prompt(number) for number in range(2000, 2018)]


def test_a_dump_shows_nothing_that_was_masked(database: str) -> None:
    asyncio.run(store(PROMPTS))
    assert 2 * len(PROMPTS) == RequestLog.objects.count() == RequestBody.objects.count()

    dump = dump_of(database).decode("utf-8", "replace")
    assert "EMAIL_ADDRESS_1" in dump, "this is no dump"
    for it in PROMPTS:
        assert [] == [form for form in it.forms if form in dump]


async def store(prompts: list[Prompt]) -> None:
    """Send prompts through all doors, and store what became of them."""
    records: list[Record] = []
    for it in prompts:
        way = (NATIVE + TRANSLATED)[it.number % 9]
        for is_stream in (False, True):
            records.append((await send(it, way, is_stream=is_stream)).record)
    await DjangoRecords().append(records)
