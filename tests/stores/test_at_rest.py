"""Secrets at rest, on each database: a dump shows none, and a turning ring loses none."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from llmgateway.stores.sealing import BrokenSeal, SealError, UnknownSealingKey
from llmgateway_django.keys import create_key, rotate_key
from llmgateway_django.models import AuditEvent, Integration, Workspace
from llmgateway_django.seals import secrets_of
from llmgateway_django.vault import reseal, save_integration, set_secrets

OLD, NEW = "A" * 43, "B" * 43
CANARIES = [f"sk-canary-{number:02}-{os.urandom(12).hex()}" for number in range(50)]


@pytest.fixture(autouse=True)
def _tables(database: str) -> Iterator[None]:
    yield
    for model in (Integration, AuditEvent):
        model.objects.all().delete()


@pytest.fixture(autouse=True)
def _old_ring() -> Iterator[None]:
    with override_settings(LLMGATEWAY={"KEY_RING": [OLD]}):
        yield


def test_a_dump_shows_no_secret(database: str) -> None:
    workspace = Workspace.objects.create(name="Research", slug="research")
    for number in range(0, 50, 2):
        integration = Integration(
            workspace=workspace,
            name=f"Account {number}",
            provider="azure-openai",
            options={"resource_name": "shop"},
        )
        secrets = {"api_key": CANARIES[number], "azure_ad_token": CANARIES[number + 1]}
        save_integration(integration, secrets)
    given = [create_key(workspace, f"Key {number}") for number in range(10)]
    given += [rotate_key(made.api_key) for made in given[:5]]
    with override_settings(LLMGATEWAY={"KEY_RING": [NEW, OLD]}):
        assert 25 == len([row for row in reseal() if row.is_new])

    dump = dump_of(database)
    assert b"Account 48" in dump and b"resource_name" in dump, "this is no dump"
    for secret in [*CANARIES, *(made.secret for made in given)]:
        forms = (secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex())
        assert not [form for form in forms if form.encode() in dump]


def test_what_was_put_into_another_row_does_not_open(database: str) -> None:
    one, other = (integration(name) for name in ("one", "other"))
    Integration.objects.filter(pk=one.pk).update(sealed=other.sealed)
    Integration.objects.filter(pk=other.pk).update(sealed=one.sealed)

    for row in Integration.objects.all():
        with pytest.raises(BrokenSeal):
            secrets_of(row)


def test_the_ring_turns_while_requests_go_on(database: str) -> None:
    rows = [integration(f"{number}").pk for number in range(60)]
    faults: list[BaseException] = []
    opened = [0, 0, 0, 0]
    has_begun, is_over = threading.Barrier(5, timeout=20), threading.Event()

    def request(worker: int) -> None:
        try:
            has_begun.wait()
            while not (is_over.is_set() and opened[worker]):
                for row in Integration.objects.filter(pk__in=rows):
                    assert {"api_key": f"sk-of-{row.name}"} == secrets_of(row)
                    opened[worker] += 1
        except BaseException as fault:
            faults.append(fault)
        finally:
            connections[database].close()

    workers = [threading.Thread(target=request, args=[number]) for number in range(4)]
    for worker in workers:
        worker.start()
    with override_settings(LLMGATEWAY={"KEY_RING": [NEW, OLD]}):
        has_begun.wait()
        done = list(reseal())
        is_over.set()
        for worker in workers:
            worker.join(60)
    with override_settings(LLMGATEWAY={"KEY_RING": [NEW]}):
        assert 60 == len([secrets_of(row) for row in Integration.objects.filter(pk__in=rows)])
    assert [] == faults and 60 == len([row for row in done if row.is_new])
    assert all(opened)


def test_a_key_that_was_removed_is_told_row_by_row(database: str) -> None:
    lost = integration("lost")
    with override_settings(LLMGATEWAY={"KEY_RING": [NEW]}):
        kept = integration("kept")
        told: dict[Any, SealError | None] = {row.integration.pk: row.error for row in reseal()}
        assert {"api_key": "sk-of-kept"} == secrets_of(Integration.objects.get(pk=kept.pk))

    assert told[kept.pk] is None
    assert isinstance(told[lost.pk], UnknownSealingKey)


def integration(name: str) -> Integration:
    """Return one with a secret of its own."""
    made: Integration = Integration.objects.create(name=name, provider="openai")
    set_secrets(made, {"api_key": f"sk-of-{name}"})
    return made


def dump_of(alias: str) -> bytes:
    """Return all that is in a database, as the server's own tool writes it."""
    said = connections[alias].settings_dict
    name = str(said["NAME"])
    at = ["-h", said["HOST"]]
    match connections[alias].vendor:
        case "postgresql":
            command = ["pg_dump", *at, "-U", said["USER"], "--inserts", name]
        case "mysql":
            command = ["mysqldump", *at, "-u", said["USER"], "--skip-ssl", name]
        case _:
            connections[alias].close()
            return b"".join(path.read_bytes() for path in Path(name).parent.glob("*.sqlite3*"))
    return subprocess.run(command, capture_output=True, check=True).stdout
