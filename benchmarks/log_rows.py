"""What a row of the log costs with its sums: `python -m benchmarks.log_rows DATABASE`.

CPU time is that of this process alone, since that is what requests have to do without: for a
server of its own it is no more than making the statement and sending it.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.django_project import project_with
from benchmarks.results import RowCost
from llmgateway.types.record import AttemptRecord, Record
from llmgateway.types.usage import Usage

BATCH = 200
_BATCHES = 25
_REPEATS = 7
_MODELS = ("gpt-4o-mini", "gpt-4.1", "claude-sonnet-4-5", "gemini-2.5-flash")


def main(database: str) -> None:
    """Print the cost as JSON."""
    with tempfile.TemporaryDirectory() as folder, project_with(database, Path(folder)):
        print(json.dumps(asdict(asyncio.run(_measured(database)))))


async def _measured(database: str) -> RowCost:
    from llmgateway_django.stores import DjangoRecords  # Django is set up by now

    store = DjangoRecords()
    cpu, wall = [], []
    for repeat in range(_REPEATS + 1):
        batches = [_batch(repeat * _BATCHES + number) for number in range(_BATCHES)]
        began, used = time.perf_counter(), _cpu_s()
        for batch in batches:
            await store.append(batch)
        if repeat:  # the first one warms up
            rows = BATCH * _BATCHES
            cpu.append((_cpu_s() - used) * 1e6 / rows)
            wall.append((time.perf_counter() - began) * 1e6 / rows)
    return RowCost(database, tuple(cpu), tuple(wall))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _batch(number: int) -> Sequence[Record]:
    return [_record(number * BATCH + place) for place in range(BATCH)]


def _record(number: int) -> Record:
    """Return a record of usual width: one try, some metadata, one of a dozen callers."""
    model = _MODELS[number % len(_MODELS)]
    return Record(
        id=f"{number:032x}",
        trace_id=f"7f3a{number:028x}",
        started_at=1_800_000_000 + number / 100,
        duration_ms=823.25,
        first_byte_ms=411.5,
        method="POST",
        path="/v1/chat/completions",
        endpoint="chat",
        status=200,
        error=None,
        principal=f"key:019a{number % 12:028x}",
        workspace=f"{number % 3}",
        user=f"{number % 12}",
        target="config.targets[0]",
        provider="openai",
        model=model,
        stream=number % 2 == 0,
        usage=Usage(input=1200, cache_read=800, output=350, reasoning=64),
        attempts=(AttemptRecord("config.targets[0]", "openai", 200, None, 410.0),),
        metadata={"_user": f"user-{number % 50}", "feature": "summary", "env": "production"},
    )


if __name__ == "__main__":
    main(sys.argv[1])
