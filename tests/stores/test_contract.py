"""What every store must do, whatever keeps it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

from llmgateway.settings import client_key_digest
from llmgateway.types.record import AttemptRecord, Record
from llmgateway.types.usage import Usage
from tests.stores.shelves import KeyShelf, RecordShelf

UNKNOWN = client_key_digest("a key that nobody made")


def a_record(number: int = 1) -> Record:
    """Return a record as a translated, retried call leaves it."""
    return Record(
        id=f"{number:032x}",
        trace_id=f"trace-{number}",
        started_at=1_800_000_000.123 + number,
        duration_ms=12.5,
        method="POST",
        path="/v1/chat/completions",
        endpoint="chat",
        status=200,
        error=None,
        principal="key:1",
        workspace="1",
        target="config.targets[1]",
        provider="openai",
        model="gpt-4o",
        stream=True,
        first_byte_ms=None,
        usage=Usage(input=3, output=5),
        attempts=(
            AttemptRecord("config.targets[0]", "openai", 503, "upstream_error", 3.0),
            AttemptRecord("config.targets[1]", "openai", 200, None, 9.0, resent=True),
        ),
        metadata={"_user": "ada", "plan": 3},
        dropped=("top_k",),
        user="17",
    )


# ---- keys


async def test_a_key_is_found_by_its_digest(key_shelf: KeyShelf) -> None:
    digest, key = await key_shelf.make("a")

    assert [key] == await key_shelf.store.find([digest])


async def test_a_digest_that_no_key_has_finds_nothing(key_shelf: KeyShelf) -> None:
    await key_shelf.make("a")

    assert [] == await key_shelf.store.find([UNKNOWN])
    assert [] == await key_shelf.store.find([])


async def test_keys_are_told_in_the_order_of_the_digests(key_shelf: KeyShelf) -> None:
    first, one = await key_shelf.make("a")
    second, two = await key_shelf.make("b")

    assert [two, one] == await key_shelf.store.find([second, UNKNOWN, first])
    assert [one, two] == await key_shelf.store.find([first, second])
    assert one.workspace != two.workspace


async def test_what_a_key_is_kept_as_opens_nothing(key_shelf: KeyShelf) -> None:
    digest, _ = await key_shelf.make("a")

    assert [] == await key_shelf.store.find([digest.removeprefix("sha256:"), digest.upper(), ""])


async def test_keys_are_found_by_many_at_once(key_shelf: KeyShelf) -> None:
    digest, key = await key_shelf.make("a")

    found = await asyncio.gather(*(key_shelf.store.find([digest]) for _ in range(50)))

    assert [[key]] * 50 == found


# ---- records


async def test_records_are_kept(record_shelf: RecordShelf) -> None:
    records = [a_record(1), a_record(2)]

    await record_shelf.store.append(records)

    assert await record_shelf.holds(records)


async def test_no_record_is_nothing_to_do(record_shelf: RecordShelf) -> None:
    await record_shelf.store.append([])

    assert await record_shelf.holds([])


async def test_a_batch_appended_twice_is_kept_once(record_shelf: RecordShelf) -> None:
    records = [a_record(number) for number in range(5)]

    await record_shelf.store.append(records)
    await record_shelf.store.append([*records[3:], a_record(7)])

    assert await record_shelf.holds([*records, a_record(7)])


async def test_a_record_twice_in_a_batch_is_kept_once(record_shelf: RecordShelf) -> None:
    await record_shelf.store.append([a_record(), a_record()])

    assert await record_shelf.holds([a_record()])


async def test_a_batch_may_be_long(record_shelf: RecordShelf) -> None:
    records = [a_record(number) for number in range(501)]

    await record_shelf.store.append(records)

    assert await record_shelf.holds(records)


async def test_any_text_can_be_kept(record_shelf: RecordShelf) -> None:
    record = replace(
        a_record(),
        trace_id="\x00\ud800😀",
        path="/" + "ü" * 5000,
        model="m" * 5000,
        endpoint=None,
        target=None,
        metadata={"nul\x00": "\x00", "half": "\udfff", "deep": [{"\x00": 2**70}], "%s": "%(x)s'"},
        request_body="\x00\ud800😀%s",
    )

    await record_shelf.store.append([record])

    assert await record_shelf.holds([record])


async def test_any_count_can_be_kept(record_shelf: RecordShelf) -> None:
    record = replace(a_record(), usage=Usage(input=2**80, output=-3))

    await record_shelf.store.append([record])

    assert await record_shelf.holds([record])


async def test_two_loops_append_the_same_at_once(record_shelf: RecordShelf) -> None:
    records = [a_record(number) for number in range(300)]
    together = threading.Barrier(2)

    def append() -> None:
        together.wait(10)
        asyncio.run(record_shelf.store.append(records))

    await asyncio.gather(*(asyncio.to_thread(append) for _ in range(2)))

    assert await record_shelf.holds(records)


# ---- bodies


def with_bodies(number: int, request: str | None, response: str | None) -> Record:
    """Return a record of a gateway that logs bodies."""
    return replace(a_record(number), request_body=request, response_body=response)


async def test_bodies_are_kept_where_there_are_some(record_shelf: RecordShelf) -> None:
    both = with_bodies(1, '{"model": "ü"}', "data: x\n\n")
    refused = with_bodies(2, None, '{"error": {}}')
    neither = a_record(3)

    await record_shelf.store.append([both, neither, refused])

    assert ('{"model": "ü"}', "data: x\n\n") == await record_shelf.bodies(both)
    assert ("", '{"error": {}}') == await record_shelf.bodies(refused)
    assert await record_shelf.bodies(neither) is None


async def test_bodies_appended_twice_are_kept_once(record_shelf: RecordShelf) -> None:
    records = [with_bodies(number, f"q{number}", f"a{number}") for number in range(5)]

    await record_shelf.store.append(records[:3])
    await record_shelf.store.append(records)

    assert await record_shelf.holds(records)
    kept = [await record_shelf.bodies(record) for record in records]
    assert [(f"q{number}", f"a{number}") for number in range(5)] == kept


async def test_many_long_bodies_can_be_kept(record_shelf: RecordShelf) -> None:
    text = "\"\\'ü😀" * 13_000
    records = [with_bodies(number, text, f"{number}" + "x" * 2**16) for number in range(60)]

    await record_shelf.store.append(records)

    assert await record_shelf.holds(records)
    assert (text, "59" + "x" * 2**16) == await record_shelf.bodies(records[59])


async def test_the_longest_bodies_can_be_kept(record_shelf: RecordShelf) -> None:
    longest = with_bodies(1, "'" * 2**20, "\\" * 2**20)

    await record_shelf.store.append([longest, with_bodies(2, "x", None)])

    assert ("'" * 2**20, "\\" * 2**20) == await record_shelf.bodies(longest)
