"""The tables: what they refuse, and that they leave other apps' alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone, translation

from llmgateway_django.models import APIKey, Membership, RequestLog, Workspace
from tests.django.project.notes.models import Note


@pytest.fixture
def workspace(db: None) -> Workspace:
    made: Workspace = Workspace.objects.create(name="Research", slug="research")
    return made


@pytest.mark.django_db
def test_the_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", "llmgateway", check=True, dry_run=True, verbosity=0)


def test_tables_and_constraints_have_the_app_s_label_in_front() -> None:
    for model in (APIKey, Membership, RequestLog, Workspace):
        assert model._meta.db_table.startswith("llmgateway_")
        assert model._meta.app_label == "llmgateway"


def test_a_revoked_key_cannot_be_saved_alive(workspace: Workspace) -> None:
    made = APIKey.objects.create(workspace=workspace, name="ci", revoked_at=timezone.now())
    read = APIKey.objects.get(pk=made.pk)

    for key in (made, read):
        key.revoked_at = None
        with pytest.raises(ValidationError, match="stays revoked"):
            key.save()
    assert APIKey.objects.get(pk=made.pk).revoked_at is not None


def test_a_revoked_key_that_was_read_in_part_stays_revoked(workspace: Workspace) -> None:
    made = APIKey.objects.create(workspace=workspace, name="ci", revoked_at=timezone.now())
    read = APIKey.objects.defer("revoked_at").get(pk=made.pk)
    read.revoked_at = None

    read.save()
    assert APIKey.objects.get(pk=made.pk).revoked_at is not None


def test_a_key_read_before_it_was_revoked_cannot_bring_it_back(workspace: Workspace) -> None:
    made = APIKey.objects.create(workspace=workspace, name="ci")
    stale = APIKey.objects.get(pk=made.pk)
    made.revoked_at = timezone.now()
    made.save()
    stale.name = "renamed"

    stale.save()

    read = APIKey.objects.get(pk=made.pk)
    assert read.revoked_at is not None
    assert "renamed" == read.name


def test_a_key_is_in_force_until_it_ends_in_one_of_three_ways(workspace: Workspace) -> None:
    now = timezone.now()
    owner = get_user_model().objects.create_user("ada")
    key = APIKey(workspace=workspace, name="ci", owner=owner, expires_at=now + timedelta(days=1))

    assert key.is_in_force(now)
    assert not key.is_in_force(now + timedelta(days=1))
    owner.is_active = False
    assert not key.is_in_force(now)
    owner.is_active = True
    key.revoked_at = now
    assert not key.is_in_force(now)


def test_a_membership_is_a_user_s_or_a_group_s(workspace: Workspace) -> None:
    user = get_user_model().objects.create_user("ada")
    group = Group.objects.create(name="staff")

    Membership.objects.create(workspace=workspace, user=user)
    Membership.objects.create(workspace=workspace, group=group)
    for wrong in (
        Membership(workspace=workspace),
        Membership(workspace=Workspace.objects.create(slug="b"), user=user, group=group),
    ):
        with pytest.raises(ValidationError):
            wrong.full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            wrong.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(workspace=workspace, user=user)


def test_the_log_keeps_rows_of_what_is_deleted() -> None:
    assert [] == [field.name for field in RequestLog._meta.get_fields() if field.is_relation]


def test_names_of_models_can_be_translated() -> None:
    with translation.override("en"):
        assert "API keys" == str(APIKey._meta.verbose_name_plural)
    assert all(type(field.verbose_name) is not str for field in RequestLog._meta.fields)


@pytest.fixture
def unmigrated(transactional_db: None) -> Iterator[None]:
    call_command("migrate", "llmgateway", "zero", verbosity=0)
    yield
    call_command("migrate", verbosity=0)


def _foreign_tables() -> dict[str, list[object]]:
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor)]
        return {
            table: connection.introspection.get_table_description(cursor, table)
            for table in tables
            if not table.startswith("llmgateway_")
        }


def test_migrating_leaves_other_apps_tables_alone(unmigrated: None) -> None:
    note = Note.objects.create(owner=get_user_model().objects.create_user("ada"), text="mine")
    before = _foreign_tables()

    call_command("migrate", "llmgateway", verbosity=0)
    there = _foreign_tables()
    call_command("migrate", "llmgateway", "zero", verbosity=0)

    assert before == there == _foreign_tables()
    assert "mine" == Note.objects.get(pk=note.pk).text
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    assert [] == [name for name in names if name.startswith("llmgateway_")]
