"""What is written down of a change, and what never is."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from llmgateway_django import audit
from llmgateway_django.models import (
    AuditEvent,
    Integration,
    Membership,
    SavedConfig,
    SavedConfigVersion,
    Workspace,
)
from tests.secrets import TOKENS

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    made: Workspace = Workspace.objects.create(name="Research", slug="research")
    return made


def test_an_event_tells_who_did_what_to_which_row(workspace: Workspace) -> None:
    ann = get_user_model().objects.create_user("ann")

    event = audit.record(ann, "renamed", workspace, {"name": ("Lab", "Research")})
    event.refresh_from_db()
    assert (str(ann.pk), "ann") == (event.actor, event.actor_name)
    assert ("renamed", "workspace", "Research") == (event.action, event.kind, event.object_name)
    assert (str(workspace.pk), str(workspace.pk)) == (event.object_id, event.workspace)
    assert {"name": ["Lab", "Research"]} == event.changes


def test_a_command_is_nobody() -> None:
    integration = Integration.objects.create(name="OpenAI", provider="openai")

    event = audit.record(None, "created", integration)
    assert ("", "", "") == (event.actor, event.actor_name, event.workspace)


def test_a_version_and_a_membership_are_of_their_workspace(workspace: Workspace) -> None:
    config = SavedConfig.objects.create(workspace=workspace, name="Main")
    version = SavedConfigVersion.objects.create(config=config, number=1, body={})
    user = get_user_model().objects.create_user("bob")
    membership = Membership.objects.create(workspace=workspace, user=user)

    told = {audit.record(None, "created", obj).workspace for obj in (config, version, membership)}
    assert {str(workspace.pk)} == told


def test_secrets_are_named_and_nothing_else() -> None:
    integration = Integration.objects.create(name="AWS", provider="openai", sealed="sealed-text")

    event = audit.record(None, "secrets.set", integration, secrets=["b_key", "api_key"])
    assert {"secrets": ["api_key", "b_key"]} == event.changes
    assert "sealed" not in audit.values_of(integration)


def test_differences_are_of_fields_and_tell_rows_by_id(workspace: Workspace) -> None:
    integration = Integration(name="OpenAI", provider="openai")
    before = audit.values_of(integration)
    integration.workspace = workspace
    integration.options = {"openai_project": "p"}

    changes = audit.differences(before, audit.values_of(integration))
    assert {"workspace": (None, workspace.pk), "options": ({}, {"openai_project": "p"})} == changes


def test_a_long_value_is_cut_for_all_to_see(workspace: Workspace) -> None:
    event = audit.record(None, "changed", workspace, {"name": ("x" * 5000, ["y" * 5000])})

    before, after = event.changes["name"]
    assert "x" * 1999 + "…" == before
    assert '["' + "y" * 1997 + "…" == after


def test_a_secret_where_none_belongs_is_kept_back(workspace: Workspace) -> None:
    workspace.name = TOKENS["openai-key"][0]
    event = audit.record(None, "changed", workspace, {"name": ("", {"password": "hunter2"})})

    assert "[redacted:openai-key]" == event.object_name
    assert ["", {"password": "[redacted:member]"}] == event.changes["name"]


def test_a_change_that_is_undone_leaves_no_event(workspace: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.record(None, "changed", workspace)
        raise ZeroDivisionError
    assert not AuditEvent.objects.exists()
