"""What stands in the rows that Django's stores write, on each database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from llmgateway.settings import client_key_digest
from llmgateway.stores import StoredKey
from llmgateway.types.record import Record, bare_results
from llmgateway.types.usage import Usage
from llmgateway_django.database import DatabaseThreads
from llmgateway_django.keys import NewKey, create_key, peppers, revoke_key, rotate_key
from llmgateway_django.models import APIKeySecret, RequestLog, Workspace
from llmgateway_django.stores import DjangoKeyStore, DjangoRecords, log_id
from tests.stores.shelves import in_thread
from tests.stores.test_contract import a_record


async def written(record: Record) -> Any:
    """Append a record; returns its row."""
    await DjangoRecords().append([record])
    return await in_thread(lambda: RequestLog.objects.get(pk=log_id(record)))


async def found(secret: str) -> list[StoredKey]:
    """Ask as the gateway does for what a client sends."""
    return await DjangoKeyStore().find([client_key_digest(secret)])


async def key(owner: Any = None, **how: Any) -> NewKey:
    """Make a key in a workspace of its own."""

    def make() -> NewKey:
        workspace = Workspace.objects.create(name="a", slug="a")
        return create_key(workspace, "ci", owner=owner, **how)

    return await in_thread(make)


async def test_the_database_is_the_one_that_the_test_is_called_after(database: str) -> None:
    def version() -> str:
        with connections[database].cursor() as cursor:
            cursor.execute(
                "select sqlite_version()" if database == "sqlite" else "select version()"
            )
            return str(cursor.fetchone()[0]).lower()

    told = await in_thread(version)

    assert "sqlite" == database or database in told


async def test_a_row_says_what_the_record_does(database: str) -> None:
    record = a_record()

    row = await written(record)

    assert datetime.fromtimestamp(record.started_at, UTC) == row.started_at
    assert (record.trace_id, record.path, 200) == (row.trace_id, row.path, row.status)
    assert ("key:1", "17", "1", "") == (row.principal, row.user, row.workspace, row.error)
    assert (3, 5, "provider", None) == (
        row.input_tokens,
        row.output_tokens,
        row.usage_source,
        row.cost_nano,
    )
    assert (12.5, None, True) == (row.duration_ms, row.first_byte_ms, row.stream)
    assert {"_user": "ada", "plan": 3} == row.metadata
    assert (["top_k"], []) == (row.dropped, row.adjusted)
    first, second = row.attempts
    assert ("config.targets[0]", 503, False) == (
        first["target"],
        first["status"],
        first["resent"],
    )
    assert second["resent"] is True


async def test_a_row_says_what_guardrails_decided_and_no_more(database: str) -> None:
    check = {
        "id": "default.contains",
        "verdict": False,
        "execution_time": 1.5,
        "transformed": False,
        "data": {"explanation": "found Apple", "textExcerpt": "Apple"},
        "log": "Apple",
        "created_at": "2026-01-01T00:00:00.000Z",
        "fail_on_error": False,
        "error": {"name": "TimeoutError", "message": "Apple"},
    }
    hook = {"id": "pg-words", "verdict": False, "deny": True, "feedback": {"metadata": {"a": "b"}}}
    results = {"before_request_hooks": [], "after_request_hooks": [{**hook, "checks": [check]}]}
    records = [replace(a_record(), hook_results=results), a_record(2)]

    await DjangoRecords().append(records)

    rows = await in_thread(lambda: list(RequestLog.objects.order_by("pk")))
    bare_check = {
        "id": "default.contains",
        "verdict": False,
        "execution_time": 1.5,
        "transformed": False,
        "fail_on_error": False,
        "error": "TimeoutError",
    }
    bare_hook = {"id": "pg-words", "verdict": False, "deny": True, "checks": [bare_check]}
    bare = {"before_request_hooks": [], "after_request_hooks": [bare_hook]}
    assert [bare, None] == [row.hook_results for row in rows]
    assert bare == bare_results(bare)
    assert 1 == await in_thread(RequestLog.objects.filter(hook_results__isnull=True).count)


@pytest.mark.parametrize(
    ("results", "bare"),
    [
        (None, None),
        ({}, None),
        ({"before_request_hooks": [], "after_request_hooks": []}, None),
        (
            {"before_request_hooks": [{"checks": [{"error": "what the user said"}]}]},
            {"before_request_hooks": [{"checks": [{"error": "Error"}]}]},
        ),
        (
            {"before_request_hooks": [{"checks": [{"error": {"message": "a"}}, 3]}, "b"]},
            {"before_request_hooks": [{"checks": [{"error": "Error"}]}]},
        ),
    ],
)
def test_odd_results_are_bared_too(results: Any, bare: Any) -> None:
    assert bare == bare_results(results)


async def test_the_first_row_of_an_id_stays(database: str) -> None:
    await written(a_record())

    row = await written(replace(a_record(), status=500))

    assert 200 == row.status


async def test_rows_come_in_the_order_of_time(database: str) -> None:
    records = [replace(a_record(number), id=f"{9 - number:032x}") for number in range(9)]

    await DjangoRecords().append(records)

    rows = await in_thread(lambda: list(RequestLog.objects.values_list("trace_id", flat=True)))
    assert [record.trace_id for record in reversed(records)] == rows


async def test_what_is_too_long_is_cut_and_shows_it(database: str) -> None:
    record = replace(a_record(), path="/" + "ü" * 5000, model="m" * 200, target="t" * 501)

    row = await written(record)

    assert (500, "/üü", "ü…") == (len(row.path), row.path[:3], row.path[-2:])
    assert "m" * 200 == row.model
    assert "t" * 499 + "…" == row.target


async def test_what_a_database_refuses_is_replaced(database: str) -> None:
    record = replace(a_record(), trace_id="a\x00b\ud800c😀", metadata={"a\x00": ["\ud800", 2**70]})

    row = await written(record)

    assert "a\ufffdb?c😀" == row.trace_id
    assert {"a\ufffd": ["?", str(2**70)]} == row.metadata


async def test_counts_stay_within_the_column(database: str) -> None:
    row = await written(replace(a_record(), usage=Usage(input=2**80, output=-3)))

    assert (2**63 - 1, 0) == (row.input_tokens, row.output_tokens)


async def test_threads_do_not_hoard_the_statements_that_debug_keeps(database: str) -> None:
    def kept() -> int:
        return len(connections[database].queries_log)

    threads = DatabaseThreads("test", threads=1)
    with override_settings(DEBUG=True):
        for number in range(3):
            await DjangoRecords(threads).append([a_record(number)])
            assert 0 == await threads.run(kept, 10)


# ---- keys


async def test_the_database_holds_no_key_and_nothing_that_opens(database: str) -> None:
    made = await key()

    rows = await in_thread(lambda: list(APIKeySecret.objects.values()))

    (row,) = rows
    assert made.secret not in str(row)
    assert client_key_digest(made.secret).removeprefix("sha256:") != row["digest"]
    assert [] == await DjangoKeyStore().find([row["digest"], "sha256:" + row["digest"]])


async def test_a_revoked_key_is_not_found(database: str) -> None:
    made = await key()

    await in_thread(lambda: revoke_key(made.api_key))

    assert [] == await found(made.secret)


async def test_a_revoked_key_cannot_be_rotated(database: str) -> None:
    made = await key()
    await in_thread(lambda: revoke_key(made.api_key))

    with pytest.raises(ValueError, match="stays revoked"):
        await in_thread(lambda: rotate_key(made.api_key))


@pytest.mark.parametrize("minutes", [-1, 1])
async def test_a_key_is_found_until_it_expires(database: str, minutes: int) -> None:
    made = await key(expires_at=timezone.now() + timedelta(minutes=minutes))

    assert (minutes > 0) == bool(await found(made.secret))


async def test_a_secret_is_not_found_before_its_time(database: str) -> None:
    made = await key(now=timezone.now() + timedelta(minutes=1))

    assert [] == await found(made.secret)


async def test_a_rotated_key_is_the_same_caller(database: str) -> None:
    made = await key()

    again = await in_thread(lambda: rotate_key(made.api_key, grace=timedelta(minutes=1)))

    (old,), (new,) = await found(made.secret), await found(again.secret)
    assert made.secret != again.secret
    assert old.id == new.id == made.api_key.principal_id


async def test_a_rotated_key_ends_without_grace_at_once(database: str) -> None:
    made = await key()

    first = await in_thread(lambda: rotate_key(made.api_key, grace=timedelta(minutes=1)))
    second = await in_thread(lambda: rotate_key(made.api_key))

    assert [] == await found(made.secret) + await found(first.secret)
    assert await found(second.secret)


def _set_active(user: Any, is_active: bool) -> Callable[[], object]:
    return lambda: type(user).objects.filter(pk=user.pk).update(is_active=is_active)


async def test_a_key_works_while_its_owner_is_active(database: str) -> None:
    user = await in_thread(lambda: get_user_model().objects.create_user("ada"))
    made = await key(owner=user)

    (key_of_ada,) = await found(made.secret)
    assert str(user.pk) == key_of_ada.user
    await in_thread(_set_active(user, False))
    assert [] == await found(made.secret)


async def test_a_key_goes_with_its_owner(database: str) -> None:
    user = await in_thread(lambda: get_user_model().objects.create_user("ada"))
    made = await key(owner=user)

    await in_thread(user.delete)

    assert [] == await found(made.secret)


async def test_a_new_secret_key_loses_no_key_that_was_used_before_the_old_one_went(
    database: str,
) -> None:
    made = await key()
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]):
        assert [] == await found(made.secret)

    old = project.SECRET_KEY
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[old]):
        assert await found(made.secret)
        waiting = await in_thread(
            lambda: APIKeySecret.objects.exclude(pepper_id=peppers()[0].id).count()
        )
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]):
        assert await found(made.secret)
    assert 0 == waiting


@pytest.mark.parametrize("backwards", [False, True])
async def test_failed_rows_have_an_index_where_it_can_be_partial(
    database: str, backwards: bool
) -> None:
    def names() -> set[str]:
        connection = connections[database]
        if backwards:
            call_command("migrate", "llmgateway", "0001", database=database, verbosity=0)
        try:
            with connection.cursor() as cursor:
                found = connection.introspection.get_constraints(cursor, RequestLog._meta.db_table)
        finally:
            call_command("migrate", "llmgateway", database=database, verbosity=0)
        return set(found)

    is_partial = connections[database].features.supports_partial_indexes
    assert (is_partial and not backwards) == ("llmgateway_log_failed" in await in_thread(names))
