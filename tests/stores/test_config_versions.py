"""Two save a config or a guardrail at once, on each database: both become versions."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from llmgateway_django.configs import save_config
from llmgateway_django.guardrails import save_guardrail
from llmgateway_django.models import AuditEvent, Guardrail, SavedConfig, Workspace


def _save_config(config: Any, number: int) -> None:
    save_config(config, {"provider": "openai", "override_params": {"n": number}})


def _save_guardrail(guardrail: Any, number: int) -> None:
    save_guardrail(guardrail, [{"id": "default.wordCount", "parameters": {"minWords": number}}])


@pytest.mark.parametrize(
    ("model", "save_one"), [(SavedConfig, _save_config), (Guardrail, _save_guardrail)]
)
def test_all_who_save_at_once_get_a_number(database: str, model: Any, save_one: Any) -> None:
    workspace = Workspace.objects.create(name="Research", slug="research")
    row = model.objects.create(workspace=workspace, name="Main")
    faults: list[BaseException] = []
    has_begun = threading.Barrier(4, timeout=20)

    def save(worker: int) -> None:
        try:
            has_begun.wait()
            for number in range(5):
                save_one(row, worker * 100 + number)
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
    numbers = row.versions.order_by("number").values_list("number", flat=True)
    assert list(range(1, 21)) == list(numbers)
    assert 20 == AuditEvent.objects.filter(object_id=str(row.pk)).delete()[0]
