"""`manage.py` commands: keys made at a shell, and old rows pruned."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from llmgateway.engine.client_keys import has_checksum
from llmgateway.settings import client_key_digest
from llmgateway_django.database import InlineDatabase
from llmgateway_django.models import APIKey, RequestBody, RequestLog, Workspace
from llmgateway_django.stores import DjangoKeyStore, DjangoRecords
from tests.stores.test_contract import a_record

pytestmark = pytest.mark.django_db

DAY = 86_400


def run(command: str, *args: Any, **options: Any) -> tuple[str, str]:
    """Run a command; returns what it wrote to standard output and standard error."""
    out, err = StringIO(), StringIO()
    call_command(command, *args, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


# ---- llmgateway_createkey


def test_a_key_made_at_a_shell_works_and_stands_alone_on_standard_output() -> None:
    out, err = run("llmgateway_createkey", "ci")

    secret = out.removesuffix("\n")
    assert has_checksum(secret)
    assert async_to_sync(DjangoKeyStore(InlineDatabase()).find)([client_key_digest(secret)])
    assert secret not in err
    assert "'ci' in workspace 'default'" in err


def test_a_key_is_a_service_s_and_without_an_end_unless_it_is_said() -> None:
    run("llmgateway_createkey", "ci")

    key = APIKey.objects.get()
    assert ("ci", "default", None, None) == (
        key.name,
        key.workspace.slug,
        key.owner,
        key.expires_at,
    )


def test_a_key_has_an_owner_and_an_end_where_it_is_said() -> None:
    user = get_user_model().objects.create_user("ada")

    run("llmgateway_createkey", "laptop", owner="ada", days=30)

    key = APIKey.objects.get()
    assert user == key.owner
    assert pytest.approx(time.time() + 30 * DAY, abs=60) == key.expires_at.timestamp()


def test_a_workspace_that_is_not_there_is_made_only_if_it_is_said() -> None:
    Workspace.objects.create(slug="research", name="Research")

    with pytest.raises(CommandError, match="no workspace 'reserch'.*there is: research"):
        run("llmgateway_createkey", "ci", workspace="reserch")
    run("llmgateway_createkey", "ci", workspace="sales", create_workspace=True)
    run("llmgateway_createkey", "ci", workspace="sales")

    assert ["research", "sales"] == list(Workspace.objects.values_list("slug", flat=True))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"owner": "nobody"}, "no user 'nobody'"),
        ({"workspace": "a b", "create_workspace": True}, "valid “slug”"),
        ({"days": 0}, "--days must be 1 or more"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_made(options: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=re.escape(words)):
        run("llmgateway_createkey", "ci", **options)

    assert (0, 0) == (APIKey.objects.count(), Workspace.objects.count())


# ---- llmgateway_prune


def log(*ages_in_days: float) -> None:
    """Write a row of each age."""
    records = [
        replace(a_record(number), started_at=time.time() - age * DAY)
        for number, age in enumerate(ages_in_days)
    ]
    async_to_sync(DjangoRecords(InlineDatabase()).append)(records)


def log_bodies(*ages_in_days: float) -> None:
    """Write a row of each age, with bodies."""
    records = [
        replace(a_record(number), started_at=time.time() - age * DAY, request_body=f"{number}")
        for number, age in enumerate(ages_in_days)
    ]
    async_to_sync(DjangoRecords(InlineDatabase()).append)(records)


def bodies() -> list[str]:
    """Return the bodies that are there, newest first."""
    return list(RequestBody.objects.values_list("request", flat=True))


def left() -> list[str]:
    """Return the trace ids of the rows that are there, newest first."""
    return list(RequestLog.objects.values_list("trace_id", flat=True))


def test_old_rows_go_and_the_others_stay() -> None:
    log(0, 29.9, 30.1, 400)

    out, _ = run("llmgateway_prune", days=30)

    assert ["trace-0", "trace-1"] == left()
    assert "0 bodies were deleted.\n2 rows were deleted.\n" == out


def test_a_dry_run_only_counts() -> None:
    log(0, 31, 32)

    out, _ = run("llmgateway_prune", days=30, dry_run=True)

    assert "0 bodies would be deleted.\n2 rows would be deleted.\n" == out
    assert 3 == len(left())


@pytest.mark.parametrize("batch", [1, 2, 5, 6, 100])
def test_rows_go_in_batches_of_any_size(batch: int) -> None:
    log(0, *range(31, 36))

    out, _ = run("llmgateway_prune", days=30, batch=batch, pause_ms=0)

    assert ["trace-0"] == left()
    assert "0 bodies were deleted.\n5 rows were deleted.\n" == out


def test_it_stops_in_time_with_the_oldest_gone_and_goes_on_in_the_next_run() -> None:
    log(0, *range(31, 36))

    out, _ = run("llmgateway_prune", days=30, batch=2, max_seconds=0.0)

    assert "0 bodies were deleted.\n2 rows were deleted; there are more.\n" == out
    assert [f"trace-{number}" for number in range(4)] == left()
    run("llmgateway_prune", days=30, pause_ms=0)
    assert ["trace-0"] == left()


@pytest.mark.parametrize(
    "options", [{"days": -1}, {"bodies_days": -1}, {"days": 10**9}, {"batch": 0}, {"pause_ms": -1}]
)
def test_what_makes_no_sense_is_refused(options: dict[str, int]) -> None:
    log(400)

    with pytest.raises(CommandError):
        run("llmgateway_prune", **{"days": 30, **options})
    assert 1 == len(left())


def test_bodies_go_with_their_rows() -> None:
    log_bodies(0, 29, 31)

    run("llmgateway_prune", days=30)

    assert (["trace-0", "trace-1"], ["0", "1"]) == (left(), bodies())


@pytest.mark.parametrize("options", [{"bodies_days": 7}, {"bodies_days": 7, "days": 30}])
def test_bodies_may_go_earlier(options: dict[str, int]) -> None:
    log_bodies(0, 6, 8, 29)

    out, _ = run("llmgateway_prune", **options)

    assert (4, ["0", "1"]) == (len(left()), bodies())
    assert "2 bodies were deleted.\n" in out


def test_no_body_outlives_its_row() -> None:
    log_bodies(0, 31)

    run("llmgateway_prune", days=30, bodies_days=60)

    assert (1, ["0"]) == (len(left()), bodies())


@pytest.mark.parametrize(
    ("conf", "options", "rows", "kept"),
    [
        ({"LOG_DAYS": 30}, {}, 3, 3),
        ({"LOG_DAYS": 30, "LOG_BODIES_DAYS": 7}, {}, 3, 2),
        ({"LOG_BODIES_DAYS": 7}, {}, 4, 2),
        ({"LOG_DAYS": 30, "LOG_BODIES_DAYS": 7}, {"days": 50}, 4, 4),
    ],
)
def test_the_settings_say_what_goes_unless_it_is_said(
    settings: Any, conf: dict[str, int], options: dict[str, int], rows: int, kept: int
) -> None:
    settings.LLMGATEWAY = conf
    log_bodies(0, 6, 8, 31)

    run("llmgateway_prune", **options)

    assert (rows, kept) == (len(left()), len(bodies()))


def test_without_a_word_nothing_goes() -> None:
    log_bodies(400)

    with pytest.raises(CommandError, match="LOG_DAYS"):
        run("llmgateway_prune")
    assert (1, 1) == (len(left()), len(bodies()))


def test_a_dry_run_counts_bodies_as_well() -> None:
    log_bodies(0, 8, 31)

    out, _ = run("llmgateway_prune", days=30, bodies_days=7, dry_run=True)

    assert "2 bodies would be deleted.\n1 rows would be deleted.\n" == out
    assert (3, 3) == (len(left()), len(bodies()))
