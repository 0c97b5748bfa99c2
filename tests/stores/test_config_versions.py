"""Two save a config at once, on each database: both become versions."""

from __future__ import annotations

import threading

from django.db import connections

from llmgateway_django.configs import save_config
from llmgateway_django.models import AuditEvent, SavedConfig, Workspace


def test_all_who_save_at_once_get_a_number(database: str) -> None:
    workspace = Workspace.objects.create(name="Research", slug="research")
    config = SavedConfig.objects.create(workspace=workspace, name="Main")
    faults: list[BaseException] = []
    has_begun = threading.Barrier(4, timeout=20)

    def save(worker: int) -> None:
        try:
            has_begun.wait()
            for number in range(5):
                body = {"provider": "openai", "override_params": {"n": worker * 100 + number}}
                save_config(config, body)
        except BaseException as fault:
            faults.append(fault)
        finally:
            connections[database].close()

    workers = [threading.Thread(target=save, args=[number]) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [] == faults
    numbers = config.versions.order_by("number").values_list("number", flat=True)
    assert list(range(1, 21)) == list(numbers)
    assert 20 == AuditEvent.objects.filter(object_id=str(config.pk)).delete()[0]
