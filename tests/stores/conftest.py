"""Every store by turns: in memory, and through Django on each database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from llmgateway_django.models import (
    AuditEvent,
    Guardrail,
    Integration,
    RequestBody,
    RequestLog,
    UsageRollup,
    Workspace,
)
from tests.stores.servers import SERVERS, connected
from tests.stores.shelves import (
    DjangoDocumentShelf,
    DjangoKeyShelf,
    DjangoRecordShelf,
    DocumentShelf,
    KeyShelf,
    MemoryDocumentShelf,
    MemoryKeyShelf,
    MemoryRecordShelf,
    RecordShelf,
)


class ToOne:
    """Routes everything to one database."""

    alias = "default"

    def db_for_read(self, model: object, **hints: object) -> str:
        """Return that one."""
        return self.alias

    db_for_write = db_for_read

    def allow_relation(self, one: object, other: object, **hints: object) -> bool:
        """Allow it: all are in one place."""
        return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test in every place that its fixtures can be in, unless it names one itself."""
    named = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "place" in named:
        return
    if {"document_shelf", "key_shelf", "record_shelf"} & set(metafunc.fixturenames):
        metafunc.parametrize("place", ["memory", *SERVERS], indirect=True, scope="package")
    elif "database" in metafunc.fixturenames:
        metafunc.parametrize("place", list(SERVERS), indirect=True, scope="package")


@pytest.fixture(scope="package")
def place(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[str]:
    """The alias of a database that has all tables, or `memory`."""
    alias: str = request.param
    if alias == "memory":
        yield alias
        return
    folder = tmp_path_factory.mktemp("stores")
    # Only while it is set up and cleared away: a test asks by itself.
    with django_db_blocker.unblock(), connected(alias, alias, folder):
        with django_db_blocker.block():
            yield alias


@pytest.fixture
def database(place: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The alias of the database that all queries of the test go to, if it is in one."""
    if place == "memory":
        yield place
        return
    router = ToOne()
    router.alias = place
    with django_db_blocker.unblock(), override_settings(DATABASE_ROUTERS=[router]):
        yield place
        for model in (
            Workspace,
            Integration,
            Guardrail,
            get_user_model(),
            RequestLog,
            RequestBody,
            UsageRollup,
            AuditEvent,
        ):
            model.objects.all().delete()
        connections[place].close()


@pytest.fixture
def document_shelf(database: str) -> DocumentShelf:
    """A store of documents."""
    return MemoryDocumentShelf() if database == "memory" else DjangoDocumentShelf()


@pytest.fixture
def key_shelf(database: str) -> KeyShelf:
    """A store of keys."""
    return MemoryKeyShelf() if database == "memory" else DjangoKeyShelf()


@pytest.fixture
def record_shelf(database: str) -> RecordShelf:
    """A store of records."""
    return MemoryRecordShelf() if database == "memory" else DjangoRecordShelf()
