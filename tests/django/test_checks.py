"""What `manage.py check` says of the gateway."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.checks import ERROR, WARNING, CheckMessage, run_checks

from llmgateway_django import checks as checks_module
from llmgateway_django.conf import conf_of_project
from llmgateway_django.guardrail_checks import faults_of_settings
from llmgateway_django.guardrails import save_guardrail
from llmgateway_django.keys import create_key
from llmgateway_django.models import Guardrail, GuardrailVersion, Integration, Workspace
from llmgateway_django.vault import set_secrets

RING = {"KEY_RING": ["A" * 43]}
"""What makes a project be in order."""


@pytest.fixture(autouse=True)
def _ring(settings: Any) -> None:
    settings.LLMGATEWAY = RING


def found(*, deploy: bool) -> dict[str, CheckMessage]:
    """Return our messages by id."""
    # Django 6.1 takes all databases where it is told of none.
    messages = run_checks(tags=["llmgateway"], include_deployment_checks=deploy, databases=[])
    return {message.id: message for message in messages}


def test_a_project_with_a_key_ring_is_told_nothing() -> None:
    assert {} == found(deploy=False)


def test_a_project_in_order_is_told_nothing_at_deployment(settings: Any) -> None:
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]

    assert {} == found(deploy=True)


@pytest.mark.parametrize(
    ("id_", "change"),
    [
        ("llmgateway.E001", {"LLMGATEWAY": {**RING, "RUNTIME": "inline"}}),
        ("llmgateway.E002", {"LLMGATEWAY": {**RING, "ACCESS": "local"}}),
        ("llmgateway.E004", {"LLMGATEWAY": {**RING, "LOG_BODIES": True}}),
        ("llmgateway.W002", {"DEBUG": True}),
        ("llmgateway.I001", {"ASGI_APPLICATION": "project.asgi.application"}),
        ("llmgateway.I002", {"MIDDLEWARE": ["django.middleware.gzip.GZipMiddleware"]}),
        ("llmgateway.I002", {"MIDDLEWARE": ["django.middleware.http.ConditionalGetMiddleware"]}),
    ],
)
def test_a_deployment_is_told(settings: Any, id_: str, change: dict[str, Any]) -> None:
    settings.MIDDLEWARE = []
    for name, value in change.items():
        setattr(settings, name, value)

    (message,) = found(deploy=True).values()
    assert id_ == message.id
    assert message.hint
    assert {} == found(deploy=False)


@pytest.mark.parametrize("days", ["LOG_DAYS", "LOG_BODIES_DAYS"])
def test_bodies_may_be_logged_where_somebody_says_for_how_long(settings: Any, days: str) -> None:
    settings.MIDDLEWARE = []
    settings.LLMGATEWAY = {**RING, "LOG_BODIES": True, days: 0}

    assert {} == found(deploy=True)


@pytest.mark.parametrize(
    ("max_age", "asgi", "ids"),
    [
        (60, "project.asgi.application", {"llmgateway.W001"}),
        (None, "project.asgi.application", {"llmgateway.W001"}),
        (0, "project.asgi.application", set()),
        (60, None, set()),
    ],
)
def test_connections_that_are_kept_under_asgi(
    monkeypatch: pytest.MonkeyPatch, settings: Any, max_age: Any, asgi: Any, ids: set[str]
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "CONN_MAX_AGE", max_age)
    settings.ASGI_APPLICATION = asgi

    assert ids == found(deploy=False).keys()


def test_a_project_without_a_key_ring(settings: Any) -> None:
    settings.MIDDLEWARE = []
    settings.LLMGATEWAY = {}

    (message,) = found(deploy=False).values()
    assert ("llmgateway.W003", WARNING) == (message.id, message.level)
    assert "token_urlsafe(32)" in message.hint
    assert ERROR == found(deploy=True)["llmgateway.E003"].level


@pytest.mark.django_db
def test_integrations_that_cannot_be_opened_are_named(settings: Any) -> None:
    for number in range(22):
        integration = Integration.objects.create(name=f"Account {number:02}", provider="openai")
        set_secrets(integration, {"api_key": "sk-1"})
    Integration.objects.create(name="Without", provider="openai")
    assert [] == run_checks(tags=["database"], databases=["default"])
    settings.LLMGATEWAY = {"KEY_RING": ["B" * 43]}

    assert {} == found(deploy=False), "asks no database unless told to"
    (message,) = run_checks(tags=["database"], databases=["default"])
    assert "llmgateway.W004" == message.id
    assert "of 22 integrations" in message.msg
    assert "Account 00 (openai), Account 01" in message.msg and message.msg.endswith(", ….")


@pytest.mark.django_db
def test_no_table_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """`migrate` runs the checks of databases before there is one."""
    monkeypatch.setattr(Integration._meta, "db_table", "not_migrated_yet")

    assert [] == run_checks(tags=["database"], databases=["default"])


# ---- guardrails

_WORDS = {"default.contains": {"words": ["a"]}}


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"INPUT_GUARDRAILS": ["pg-a", _WORDS], "GUARDRAILS": {"pg-a": _WORDS}}, None),
        ({"INPUT_GUARDRAILS": ["pg-in-the-database"]}, None),
        ({"INPUT_GUARDRAILS": [{"no.check": {}}]}, "There is no check 'no.check'"),
        ({"OUTPUT_GUARDRAILS": [{"notes.unknown_text": {}}]}, "of the output"),
        ({"GUARDRAILS": {"pg-a": {"default.contains": {}}}}, "words is missing"),
    ],
)
def test_guardrails_of_the_settings_that_cannot_run(
    settings: Any, table: dict[str, Any], fault: str | None
) -> None:
    settings.LLMGATEWAY = RING
    conf = conf_of_project()
    lowered = {name.lower(): value for name, value in table.items()}
    said = replace(conf, settings=conf.settings.model_copy(update=lowered))

    told = list(faults_of_settings(said.settings))

    assert (fault is None) == (told == [])
    assert fault is None or fault in told[0]


def test_settings_are_told_of_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = conf_of_project()
    update: dict[str, Any] = {"input_guardrails": [{"no.check": {}}]}
    changed = replace(conf, settings=conf.settings.model_copy(update=update))
    monkeypatch.setattr(checks_module, "conf_of_project", lambda: changed)

    (message,) = found(deploy=False).values()

    assert ("llmgateway.E005", ERROR) == (message.id, message.level)
    assert "input_guardrails[0]" in message.msg and message.hint


@pytest.mark.django_db
def test_saved_guardrails_that_cannot_run_are_named() -> None:
    shop = Workspace.objects.create(name="Shop", slug="shop")
    fine = Guardrail.objects.create(workspace=shop, name="Fine", slug="pg-fine")
    save_guardrail(fine, [{"id": "default.contains", "parameters": {"words": ["a"]}}])
    create_key(shop, "site", policy={"input_guardrails": ["pg-fine"]})
    shop.input_guardrails = ["pg-fine"]
    shop.save()
    assert [] == run_checks(tags=["database"], databases=["default"])

    gone = Guardrail.objects.create(name="Gone", slug="pg-gone")
    GuardrailVersion.objects.create(guardrail=gone, number=1, checks=[{"id": "gone.check"}])
    Guardrail.objects.create(workspace=shop, name="Bare", slug="pg-bare")
    fine.status = Guardrail.Status.ARCHIVED
    fine.save()

    (message,) = run_checks(tags=["database"], databases=["default"])
    assert "llmgateway.W005" == message.id
    for words in (
        "Gone (pg-gone): checks[0].parameters: There is no check 'gone.check'",
        "Bare (pg-bare): it has no checks",
        "Shop: input_guardrails[0]: There is no guardrail pg-fine",
        "site: input_guardrails[0]: There is no guardrail pg-fine",
    ):
        assert words in message.msg
    assert {} == found(deploy=False), "asks no database unless told to"
