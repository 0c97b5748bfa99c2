"""Saved guardrails: what is refused, with its place; versions; and the project's own checks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from llmgateway.guardrails import Services, Subject, Verdict, declared
from llmgateway.settings import client_key_digest
from llmgateway_django.database import InlineDatabase
from llmgateway_django.guardrails import (
    MAX_GUARDRAIL_BYTES,
    check_demands,
    check_guardrail,
    checks_of_project,
    save_guardrail,
)
from llmgateway_django.keys import create_key
from llmgateway_django.models import AuditEvent, Guardrail, GuardrailVersion, Workspace
from llmgateway_django.stores import DjangoKeyStore
from tests.django.project.notes.models import Note

pytestmark = pytest.mark.django_db

CHECK: dict[str, Any] = {"id": "default.contains", "parameters": {"words": ["Apple"]}}
OTHER: dict[str, Any] = {"id": "default.contains", "parameters": {"words": ["Bat"]}}


@pytest.fixture
def guardrail(shop: Workspace) -> Guardrail:
    made: Guardrail = Guardrail.objects.create(workspace=shop, name="Words", slug="pg-words")
    return made


def test_each_change_is_a_version(guardrail: Guardrail) -> None:
    ann = get_user_model().objects.create_user("ann")
    first = save_guardrail(guardrail, [CHECK], {"deny": True}, by=ann)
    second = save_guardrail(guardrail, [CHECK])

    assert [(2, {}, ""), (1, {"deny": True}, str(ann.pk))] == [
        (version.number, version.actions, version.created_by)
        for version in guardrail.versions.all()
    ]
    assert [CHECK] == first.checks == second.checks
    assert [{"version": [None, 1]}, {"version": [1, 2]}] == [
        event.changes for event in AuditEvent.objects.order_by("pk")
    ]
    assert {"guardrail_saved"} == set(AuditEvent.objects.values_list("action", flat=True))
    assert {str(guardrail.workspace_id)} == set(
        AuditEvent.objects.values_list("workspace", flat=True)
    )


def test_what_says_the_same_is_no_version(guardrail: Guardrail) -> None:
    first = save_guardrail(guardrail, [CHECK], {"deny": True, "scope": "all"})
    same = save_guardrail(guardrail, [CHECK], {"scope": "all", "deny": True})

    assert first == same
    assert 1 == GuardrailVersion.objects.count() == AuditEvent.objects.count()


def test_a_version_never_changes(guardrail: Guardrail) -> None:
    version = save_guardrail(guardrail, [CHECK])

    with pytest.raises(ValidationError, match="never changes"):
        version.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        GuardrailVersion.objects.create(guardrail=guardrail, number=1, checks=[CHECK])


@pytest.mark.parametrize(
    ("checks", "actions", "message"),
    [
        ([], {}, "checks: Must not be empty"),
        ([{"id": "default.contain"}], {}, "checks[0].parameters: There is no check"),
        ([CHECK, {"id": "default.contains"}], {}, "checks[1].parameters.words: words is missing"),
        ([{**CHECK, "parameters": {"words": ["a", 1]}}], {}, "checks[0].parameters.words[1]: "),
        ([{**CHECK, "parameters": []}], {}, "checks[0].parameters: "),
        ([{"id": 3}], {}, "checks[0].id: "),
        ([CHECK], {"dny": True}, "actions.dny: "),
        ([CHECK], {"scope": "none"}, "actions.scope: "),
        ([CHECK], [], "actions: "),
        ("default.contains", {}, "checks: "),
        ([{"id": {1, 2}}], {}, "This is no JSON."),
        ([{**CHECK, "parameters": {"words": ["\x00"]}}], {}, "no NUL"),
        ([{**CHECK, "parameters": {"words": ["a" * MAX_GUARDRAIL_BYTES]}}], {}, "at most"),
    ],
)
def test_faults_are_told_with_their_place(
    guardrail: Guardrail, checks: Any, actions: Any, message: str
) -> None:
    actions = actions or ({} if isinstance(actions, dict) else [1])
    with pytest.raises(ValidationError) as caught:
        save_guardrail(guardrail, checks, actions)

    assert message in "\n".join(caught.value.messages)
    assert "pg-draft" not in "\n".join(caught.value.messages)
    assert not GuardrailVersion.objects.exists()


def test_one_end_of_a_call_is_enough() -> None:
    check_guardrail([{"id": "notes.unknown_text"}])
    with pytest.raises(ValidationError, match="of the output"):
        check_demands([{"notes.unknown_text": {}}], "output", None)


@pytest.mark.parametrize("slug", ["pg-", "words", "pg-a b", "pg-ä", "pg-a\n", "pg-" + "a" * 62])
def test_what_is_no_slug(shop: Workspace, slug: str) -> None:
    with pytest.raises(ValidationError):
        Guardrail(workspace=shop, name="Words", slug=slug).full_clean()


def test_no_guardrail_stands_in_the_place_of_a_shared_one(
    shop: Workspace, other: Workspace, guardrail: Guardrail
) -> None:
    Guardrail.objects.create(name="All", slug="pg-all")

    for workspace, slug in ((shop, "pg-words"), (shop, "pg-all"), (None, "pg-all")):
        with pytest.raises(ValidationError, match="already"):
            Guardrail(workspace=workspace, name="New", slug=slug).full_clean()
    with pytest.raises(ValidationError, match="already"):
        Guardrail(workspace=None, name="New", slug="pg-words").full_clean()
    Guardrail(workspace=other, name="New", slug="pg-words").full_clean()
    guardrail.full_clean()


# ---- what is demanded


def test_demands_name_what_there_is(shop: Workspace, other: Workspace) -> None:
    own = Guardrail.objects.create(workspace=shop, name="Own", slug="pg-own")
    save_guardrail(own, [CHECK])
    save_guardrail(Guardrail.objects.create(name="All", slug="pg-all"), [OTHER])
    items = ["pg-own", "pg-own@1", "pg-all", {"default.contains": {"words": ["a"]}, "deny": True}]

    check_demands(items, "input", shop)
    check_demands(["pg-all"], "output", None)
    for wrong, workspace in (
        ("pg-own", other),
        ("pg-own", None),
        ("pg-own@2", shop),
        ("pg-none", shop),
    ):
        with pytest.raises(ValidationError, match=r"input_guardrails\[1\]"):
            check_demands(["pg-all", wrong], "input", workspace)
    own.status = Guardrail.Status.ARCHIVED
    own.save()
    with pytest.raises(ValidationError, match="pg-own"):
        check_demands(["pg-own"], "input", shop)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["words"], "input_guardrails[0]: "),
        ([3], "input_guardrails[0]: "),
        ([{"deny": True}], "input_guardrails[0]: "),
        ([{"default.contains": {"wrds": []}}], "input_guardrails[0].default.contains.wrds: "),
        ([{"default.contain": {}}], "There is no check"),
    ],
)
def test_demands_that_cannot_run_are_refused(
    shop: Workspace, items: list[Any], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        check_demands(items, "input", shop)

    assert message in caught.value.messages[0]


@pytest.mark.parametrize("value", ["pg-a", {"a": 1}, [1], [""], [{}], ["pg-a"] * 51])
def test_what_is_no_list_of_guardrails(shop: Workspace, value: Any) -> None:
    shop.input_guardrails = value
    with pytest.raises(ValidationError) as refused:
        shop.full_clean()
    assert {"input_guardrails"} == refused.value.message_dict.keys()


async def _found(secret: str) -> Any:
    (key,) = await DjangoKeyStore(InlineDatabase()).find([client_key_digest(secret)])
    return key.policy


@pytest.mark.django_db(transaction=True)
def test_a_key_brings_its_guardrails(shop: Workspace) -> None:
    from asgiref.sync import async_to_sync

    made = create_key(shop, "site", policy={"input_guardrails": ["pg-a", {"pii": {}}]})

    policy = async_to_sync(_found)(made.secret)

    assert '["pg-a",{"pii":{}}]' == policy.input_guardrails
    assert policy.output_guardrails is None


# ---- the project's own checks


def test_checks_of_apps_are_found() -> None:
    assert "notes.unknown_text" in {check.id for check in declared()}
    known = checks_of_project()
    assert "default.contains" in known
    schema = known["notes.unknown_text"].schema()
    assert "How many may." == schema["properties"]["atMost"]["description"]


class _NoServices:
    """A check of its own asks none."""


def test_a_check_of_an_app_uses_the_orm() -> None:
    ann = get_user_model().objects.create_user("ann")
    Note.objects.create(owner=ann, text="Apple")
    check = checks_of_project()["notes.unknown_text"]
    services: Services = _NoServices()  # type: ignore[assignment]

    def verdict(text: str, **parameters: Any) -> Any:
        return check.bind(parameters).run(Subject("input", (text,)), services)

    assert check.blocking, "it runs in a thread, where it may ask the database"
    assert Verdict(False, {"count": 1}) == verdict("Apple")
    assert verdict("Apple", at_most=1).passed
    assert verdict("Bat").passed
