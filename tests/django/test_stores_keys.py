"""What the store of keys remembers, for how long, and what it says without a database."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError

from llmgateway.errors import StoreUnavailable
from llmgateway.settings import client_key_digest
from llmgateway.stores import StoredKey
from llmgateway_django.conf import AS_USUAL
from llmgateway_django.database import DatabaseBusy, InlineDatabase
from llmgateway_django.keys import create_key, revoke_key, rotate_key
from llmgateway_django.models import Workspace
from llmgateway_django.stores import DjangoKeyStore
from llmgateway_django.stores import warm as store_module

KEY_CACHE_S, KEY_GRACE_S = AS_USUAL.cache_s, AS_USUAL.grace_s
AWAY = [OperationalError("gone"), TimeoutError(), DatabaseBusy()]


class ScriptedDatabase:
    """Answers look-ups from a dict, late or not at all; implements `Database`."""

    def __init__(self) -> None:
        self.keys: dict[str, float] = {}
        """By digest: when that key ends."""
        self.asked: list[list[str]] = []
        self.fault: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def run(self, work: Callable[[], Any], timeout_s: float) -> Any:
        """Look up what the store wants to."""
        assert isinstance(work, partial)
        (digests,) = work.args
        self.asked.append(list(digests))
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return {
            digest: (StoredKey(f"key:{digest}", digest), self.keys[digest])
            for digest in digests
            if digest in self.keys
        }


class Stage:
    """A store on a scripted database, at a time that the test sets."""

    def __init__(self) -> None:
        self.database = ScriptedDatabase()
        self.database.keys = {"a": math.inf, "b": math.inf}
        self.monotonic = 1000.0
        self.time = 1_800_000_000.0
        self.store = DjangoKeyStore(
            self.database, monotonic=lambda: self.monotonic, now=lambda: self.time
        )

    async def find(self, *digests: str) -> list[str]:
        """Return the digests of those that are found."""
        return [key.digest for key in await self.store.find(digests)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_a_warm_key_asks_no_database(stage: Stage) -> None:
    assert ["a"] == await stage.find("a")
    stage.monotonic += KEY_CACHE_S - 0.1
    assert ["a"] == await stage.find("a")

    assert [["a"]] == stage.database.asked


async def test_a_key_is_asked_for_again_after_its_time(stage: Stage) -> None:
    await stage.find("a")
    del stage.database.keys["a"]
    stage.monotonic += KEY_CACHE_S

    assert [] == await stage.find("a")


async def test_a_digest_that_no_key_has_is_remembered_too(stage: Stage) -> None:
    assert [] == await stage.find("c")
    assert [] == await stage.find("c")

    assert [["c"]] == stage.database.asked
    stage.database.keys["c"] = math.inf
    stage.monotonic += KEY_CACHE_S
    assert ["c"] == await stage.find("c")


async def test_only_what_is_not_known_is_asked_for(stage: Stage) -> None:
    await stage.find("a")

    assert ["b", "a"] == await stage.find("b", "a", "c")
    assert [["a"], ["b", "c"]] == stage.database.asked


async def test_a_warm_key_ends_by_itself(stage: Stage) -> None:
    stage.database.keys["a"] = stage.time + 1

    assert ["a"] == await stage.find("a")
    stage.time += 1
    assert [] == await stage.find("a")
    assert [["a"]] == stage.database.asked


async def test_one_asks_and_the_others_are_served_what_is_known(stage: Stage) -> None:
    await stage.find("a")
    stage.monotonic += KEY_CACHE_S
    stage.database.gate = asyncio.Event()
    one = asyncio.create_task(stage.find("a"))
    await asyncio.sleep(0)

    assert [["a"]] * 10 == [await stage.find("a") for _ in range(10)]
    assert 2 == len(stage.database.asked)

    stage.database.gate.set()
    assert ["a"] == await one


async def test_they_are_not_served_it_for_longer_than_a_look_up_may_take(stage: Stage) -> None:
    await stage.find("a")
    stage.monotonic += KEY_CACHE_S
    stage.database.gate = asyncio.Event()
    one = asyncio.create_task(stage.find("a"))
    await asyncio.sleep(0)
    stage.monotonic += store_module.LOOKUP_S
    other = asyncio.create_task(stage.find("a"))
    await asyncio.sleep(0)

    assert not other.done()

    del stage.database.keys["a"]
    stage.database.gate.set()
    assert [[], []] == [await one, await other]


async def test_what_was_known_long_ago_is_served_to_nobody(stage: Stage) -> None:
    await stage.find("a")
    del stage.database.keys["a"]
    stage.monotonic += KEY_GRACE_S / 2
    stage.database.gate = asyncio.Event()
    tasks = [asyncio.create_task(stage.find("a")) for _ in range(3)]
    await asyncio.sleep(0)

    stage.database.gate.set()
    assert [[], [], []] == await asyncio.gather(*tasks)


@pytest.mark.parametrize("fault", AWAY, ids=repr)
async def test_known_keys_work_while_the_database_is_away(stage: Stage, fault: Exception) -> None:
    await stage.find("a")
    stage.database.fault = fault

    for _ in range(int(KEY_GRACE_S) - 1):
        stage.monotonic += 1
        assert ["a"] == await stage.find("a")
    stage.monotonic += 2
    with pytest.raises(StoreUnavailable) as refused:
        await stage.find("a")
    assert (503, "store_unavailable", 5) == (
        refused.value.status,
        refused.value.code,
        refused.value.retry_after_s,
    )


@pytest.mark.parametrize("fault", AWAY, ids=repr)
async def test_unknown_keys_are_told_that_nobody_can_tell(stage: Stage, fault: Exception) -> None:
    stage.database.fault = fault

    with pytest.raises(StoreUnavailable):
        await stage.find("a")
    stage.database.fault = None
    assert ["a"] == await stage.find("a")


async def test_one_known_key_of_a_request_is_enough(stage: Stage) -> None:
    await stage.find("a")
    stage.database.fault = OperationalError()

    assert ["a"] == await stage.find("the provider's own key", "a")


async def test_a_revocation_known_before_the_database_went_holds(stage: Stage) -> None:
    await stage.find("a")
    del stage.database.keys["a"]
    stage.monotonic += KEY_CACHE_S
    await stage.find("a")
    stage.database.fault = OperationalError()
    stage.monotonic += KEY_CACHE_S

    assert [] == await stage.find("a")


async def test_a_database_that_is_away_is_asked_by_one_a_second(stage: Stage) -> None:
    await stage.find("a", "b")
    stage.database.fault = OperationalError()
    stage.monotonic += KEY_CACHE_S
    await stage.find("a")
    asked = len(stage.database.asked)

    for _ in range(100):
        assert ["a"] == await stage.find("a")
        assert ["b"] == await stage.find("b")

    assert asked == len(stage.database.asked)


async def test_while_it_hangs_only_one_waits(stage: Stage) -> None:
    await stage.find("a", "b")
    stage.database.fault = OperationalError()
    stage.monotonic += KEY_CACHE_S
    await stage.find("a")
    stage.database.gate = asyncio.Event()
    stage.monotonic += store_module.PAUSE_S + store_module.LOOKUP_S
    one = asyncio.create_task(stage.find("a"))
    await asyncio.sleep(0)

    assert ["b"] == await stage.find("b")

    stage.database.gate.set()
    assert ["a"] == await one


async def test_an_outage_is_told_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    await stage.find("a")
    stage.database.fault = OperationalError("gone")
    for _ in range(20):
        stage.monotonic += KEY_CACHE_S
        await stage.find("a")

    (told,) = caplog.records
    assert "does not answer" in told.getMessage()


async def test_bugs_are_no_outage(stage: Stage) -> None:
    stage.database.fault = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await stage.find("a")


async def test_made_up_keys_push_out_none_that_exist(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_MAX_CACHED", 10)
    await stage.find("a")
    for number in range(50):
        await stage.find(f"junk {number}")
    asked = len(stage.database.asked)

    assert ["a"] == await stage.find("a")
    assert asked == len(stage.database.asked)
    assert 10 == len(stage.store._warm._unknown._answers)


async def test_an_answer_of_before_a_change_is_not_kept(stage: Stage) -> None:
    stage.database.gate = asyncio.Event()
    early = asyncio.ensure_future(stage.find("a"))
    await asyncio.sleep(0)
    stage.store.forget()  # the key was revoked meanwhile
    stage.database.gate.set()
    await early
    del stage.database.keys["a"]

    assert [] == await stage.find("a")


# ---- with Django's own database, in the thread of the test


@pytest.fixture
def workspace(db: None) -> Workspace:
    made: Workspace = Workspace.objects.create(name="Research", slug="research")
    return made


def finds(store: DjangoKeyStore, secret: str) -> bool:
    """Ask as a gateway on an `InlineLoop` does."""
    return bool(async_to_sync(store.find)([client_key_digest(secret)]))


def test_a_key_of_a_test_s_transaction_is_found(workspace: Workspace) -> None:
    made = create_key(workspace, "ci")

    assert finds(DjangoKeyStore(InlineDatabase()), made.secret)


def test_in_the_process_that_changes_a_key_it_is_felt_at_once(workspace: Workspace) -> None:
    store = DjangoKeyStore(InlineDatabase())
    made = create_key(workspace, "ci")
    assert finds(store, made.secret)

    again = rotate_key(made.api_key)
    assert not finds(store, made.secret)
    assert finds(store, again.secret)

    revoke_key(again.api_key)
    assert not finds(store, again.secret)


def test_a_key_deleted_is_not_found_from_then_on(workspace: Workspace) -> None:
    store = DjangoKeyStore(InlineDatabase())
    made = create_key(workspace, "ci")
    assert finds(store, made.secret)

    workspace.delete()

    assert not finds(store, made.secret)


def test_what_others_are_told_before_the_commit_does_not_outlast_it(
    workspace: Workspace, django_capture_on_commit_callbacks: Any
) -> None:
    store = DjangoKeyStore(InlineDatabase())
    made = create_key(workspace, "ci")
    assert finds(store, made.secret)
    digest = client_key_digest(made.secret)
    before = store._warm._found.get(digest)
    assert before is not None

    with django_capture_on_commit_callbacks(execute=True):
        revoke_key(made.api_key)
        store._warm._found.put(digest, before)  # as a look-up on another connection would
        assert finds(store, made.secret)

    assert not finds(store, made.secret)
