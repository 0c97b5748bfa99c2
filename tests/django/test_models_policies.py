"""Integrations, virtual keys, saved configs and what keys may: what these tables refuse."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from llmgateway_django.models import (
    APIKey,
    AuditEvent,
    Integration,
    RequestBody,
    SavedConfig,
    SavedConfigVersion,
    VirtualKey,
    Workspace,
)


@pytest.fixture
def workspace(db: None) -> Workspace:
    made: Workspace = Workspace.objects.create(name="Research", slug="research")
    return made


@pytest.mark.parametrize("names", [["gpt-4o", "gpt-4o-mini"], ["*"], []])
def test_names_are_a_list_of_texts(workspace: Workspace, names: list[str]) -> None:
    APIKey(workspace=workspace, name="ci", allowed_models=names).full_clean()


@pytest.mark.parametrize(
    "value", ["gpt-4o", {"a": 1}, [1], [""], [" "], ["a", "a"], ["x" * 201], ["a"] * 201]
)
def test_what_is_no_list_of_names_is_refused(workspace: Workspace, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        APIKey(workspace=workspace, name="ci", allowed_models=value).full_clean()
    assert {"allowed_models"} == refused.value.message_dict.keys()


def test_a_version_of_a_config_never_changes(workspace: Workspace) -> None:
    config = SavedConfig.objects.create(workspace=workspace, name="main")
    version = SavedConfigVersion.objects.create(config=config, number=1, body={"retry": {}})

    version.body = {}
    with pytest.raises(ValidationError, match="never changes"):
        version.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        SavedConfigVersion.objects.create(config=config, number=1, body={})


def test_a_new_config_has_a_slug_of_its_own(workspace: Workspace) -> None:
    one, other = (SavedConfig(workspace=workspace, name="main") for _ in range(2))

    assert one.slug != other.slug
    one.full_clean()
    with pytest.raises(ValidationError):
        SavedConfig(workspace=workspace, name="main", slug="main").full_clean()


@pytest.mark.parametrize("slug", ["openai-prod", "a", "eu.main_2"])
def test_slugs_of_virtual_keys(workspace: Workspace, slug: str) -> None:
    integration = Integration.objects.create(name="ours", provider="openai")
    VirtualKey(workspace=workspace, slug=slug, integration=integration).full_clean()


@pytest.mark.parametrize("slug", ["", "a/b", "@a", "-a", "a b", "ä", "a\n"])
def test_what_is_no_slug(workspace: Workspace, slug: str) -> None:
    integration = Integration.objects.create(name="ours", provider="openai")
    with pytest.raises(ValidationError):
        VirtualKey(workspace=workspace, slug=slug, integration=integration).full_clean()


def test_a_slug_stands_once_in_a_workspace(workspace: Workspace) -> None:
    integration = Integration.objects.create(name="ours", provider="openai")
    other = Workspace.objects.create(name="Sales", slug="sales")
    for owner in (workspace, other):
        VirtualKey.objects.create(workspace=owner, slug="main", integration=integration)
    with pytest.raises(IntegrityError), transaction.atomic():
        VirtualKey.objects.create(workspace=other, slug="main", integration=integration)


def test_an_integration_of_another_workspace_is_refused(workspace: Workspace) -> None:
    other = Workspace.objects.create(name="Sales", slug="sales")
    theirs = Integration.objects.create(name="theirs", provider="openai", workspace=other)

    with pytest.raises(ValidationError, match="same workspace"):
        VirtualKey(workspace=workspace, slug="main", integration=theirs).full_clean()


def test_tables_without_foreign_keys() -> None:
    for model in (AuditEvent, RequestBody):
        assert not [field for field in model._meta.fields if field.is_relation]
