"""How records come into the log table: ids, outages, other databases."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import OperationalError, ProgrammingError, connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from llmgateway_django.database import DatabaseBusy, InlineDatabase
from llmgateway_django.models import RequestBody, RequestLog
from llmgateway_django.stores import DjangoRecords, log_id
from llmgateway_django.stores import records as store_module
from llmgateway_django.stores import values as values_module
from llmgateway_django.stores.values import storable_name
from tests.stores.test_contract import a_record

T = TypeVar("T")


def append(count: int = 1) -> None:
    """Append records as a gateway on an `InlineLoop` does."""
    store = DjangoRecords(InlineDatabase())
    async_to_sync(store.append)([a_record(number) for number in range(count)])


# ---- ids


def test_a_row_s_id_is_a_uuid_of_version_7_with_the_record_s_time() -> None:
    record = a_record()
    made = log_id(record)

    assert (7, uuid.RFC_4122) == (made.version, made.variant)
    assert int(record.started_at * 1000) == made.int >> 80


def test_a_record_has_the_same_id_each_time_and_no_two_share_one() -> None:
    assert log_id(a_record()) == log_id(replace(a_record(), status=500))
    at_once = {log_id(replace(a_record(), id=f"{number}")) for number in range(1000)}
    assert 1000 == len(at_once)


# ---- statements


@pytest.mark.django_db
def test_a_batch_is_one_statement_for_the_log_and_one_for_the_sums() -> None:
    with CaptureQueriesContext(connection) as queries:
        append(30)

    inserts = [query["sql"] for query in queries.captured_queries if "INSERT" in query["sql"]]
    log, sums = inserts
    assert "llmgateway_requestlog" in log
    assert "llmgateway_usagerollup" in sums
    assert 30 == RequestLog.objects.count()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("bodies", "length", "statements"), [(0, 9, 0), (30, 9, 1), (30, 2**16, 2), (3, 2**20, 3)]
)
def test_bodies_are_few_statements_of_bounded_length(
    bodies: int, length: int, statements: int
) -> None:
    records = [
        replace(a_record(number), request_body="x" * length if number < bodies else None)
        for number in range(40)
    ]
    with CaptureQueriesContext(connection) as queries:
        async_to_sync(DjangoRecords(InlineDatabase()).append)(records)

    inserts = [q["sql"] for q in queries.captured_queries if "llmgateway_requestbody" in q["sql"]]
    assert statements == len(inserts)
    assert bodies == RequestBody.objects.filter(request="x" * length).count()


@pytest.mark.django_db
def test_bodies_that_are_left_of_a_pruned_row_hinder_no_new_one() -> None:
    record = replace(a_record(), request_body="x")
    RequestBody.objects.create(id=log_id(record), request="old")

    async_to_sync(DjangoRecords(InlineDatabase()).append)([record])

    assert "old" == RequestBody.objects.get().request
    assert 1 == RequestLog.objects.count()


def test_every_column_is_written() -> None:
    columns = {field.name for field in RequestLog._meta.concrete_fields}

    assert columns == set(store_module._Row.columns)


@pytest.mark.django_db
def test_times_are_the_project_s_where_it_has_no_time_zones() -> None:
    record = a_record()
    with override_settings(USE_TZ=False):
        append(2)
        row = RequestLog.objects.get(pk=log_id(record))

    assert datetime.fromtimestamp(record.started_at) == row.started_at


# ---- outages


class FailingDatabase:
    """Fails so often, then works; implements `Database`."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.batches = 0

    async def run(self, work: Callable[[], T], timeout_s: float) -> Any:
        """Fail or take the batch."""
        if self.faults:
            raise self.faults.pop(0)
        self.batches += 1


class Clock:
    """A clock that sleeping moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move it."""
        self.now += seconds


AWAY = [OperationalError("gone"), TimeoutError(), DatabaseBusy()]


async def test_a_batch_waits_for_a_database_that_is_away() -> None:
    database, clock = FailingDatabase(*AWAY * 10), Clock()
    store = DjangoRecords(database, monotonic=clock, sleep=clock.sleep)

    await store.append([a_record()])

    assert 1 == database.batches


@pytest.mark.parametrize("fault", AWAY, ids=repr)
async def test_it_does_not_wait_for_ever(fault: Exception) -> None:
    database, clock = FailingDatabase(*[fault] * 1000), Clock()
    store = DjangoRecords(database, monotonic=clock, sleep=clock.sleep)

    with pytest.raises(type(fault)):
        await store.append([a_record()])
    assert store_module.KEEP_TRYING_S == clock.now


def test_a_test_is_not_kept_waiting() -> None:
    class Inline(InlineDatabase):
        async def run(self, work: Callable[[], T], timeout_s: float) -> T:
            raise OperationalError("no such table")

    with pytest.raises(OperationalError):
        async_to_sync(DjangoRecords(Inline()).append)([a_record()])


async def test_an_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    database, clock = FailingDatabase(*AWAY * 10), Clock()
    store = DjangoRecords(database, monotonic=clock, sleep=clock.sleep)

    await store.append([a_record()])
    database.faults = AWAY * 2
    await store.append([a_record()])

    assert 2 == len(caplog.records)


async def test_what_waiting_does_not_mend_is_told_at_once() -> None:
    database, clock = FailingDatabase(ProgrammingError("no such table")), Clock()
    store = DjangoRecords(database, monotonic=clock, sleep=clock.sleep)

    with pytest.raises(ProgrammingError):
        await store.append([a_record()])
    assert 0.0 == clock.now


async def test_a_batch_goes_in_pieces_of_which_each_is_tried_again_alone() -> None:
    database, clock = FailingDatabase(), Clock()
    store = DjangoRecords(database, monotonic=clock, sleep=clock.sleep)

    await store.append([a_record(number) for number in range(500)])

    assert 3 == database.batches


# ---- a database of its own for the log


LOGS = ("requestbody", "requestlog", "usagerollup")


class LogsApart:
    """Routes the log and its sums to the alias `logs`."""

    def db_for_read(self, model: Any, **hints: object) -> str | None:
        """Name the alias for the log and its sums, nothing for the rest."""
        return "logs" if model._meta.model_name in LOGS else None

    db_for_write = db_for_read

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: object
    ) -> bool:
        """Keep the log's table in its own database, and all others out of it."""
        return (db == "logs") == (app_label == "llmgateway" and model_name in LOGS)


@pytest.fixture
def logs(django_db_blocker: DjangoDbBlocker, tmp_path: Path) -> Iterator[str]:
    """A second database."""
    settings = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "logs.sqlite3"}
    aliases = {"default": {}, "logs": settings}
    connections.settings["logs"] = connections.configure_settings(aliases)["logs"]
    with django_db_blocker.unblock(), override_settings(DATABASE_ROUTERS=[LogsApart()]):
        call_command("migrate", database="logs", verbosity=0)
        yield "logs"
    connections["logs"].close()
    del connections["logs"]
    del connections.settings["logs"]


def test_the_log_may_be_in_another_database(logs: str) -> None:
    append(3)

    with connections[logs].cursor() as cursor:
        names = connections[logs].introspection.table_names(cursor)
        cursor.execute("SELECT count(*) FROM llmgateway_requestlog")
        (rows,) = cursor.fetchone()
    assert 3 == rows
    assert {"django_migrations", *(f"llmgateway_{name}" for name in LOGS)} == set(names)


def test_long_names_that_clients_choose_are_not_kept() -> None:
    before = values_module._known_name.cache_info().currsize
    for number in range(10):
        assert storable_name(f"{number}" * 100_000, 100).endswith("…")

    assert before == values_module._known_name.cache_info().currsize
