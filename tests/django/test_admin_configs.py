"""Saved configs in the admin: sound when they are saved, and restored by saving them again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from llmgateway_django.configs import save_config
from llmgateway_django.keys import create_key
from llmgateway_django.models import AuditEvent, SavedConfig, Workspace
from tests.django.pages import XSS, Staff, errors_of, url

pytestmark = pytest.mark.django_db

OPENAI, GROQ = {"provider": "openai"}, {"provider": "groq"}


def form(body: Any, **more: Any) -> dict[str, Any]:
    """Return what a form posts."""
    text = body if isinstance(body, str) else json.dumps(body)
    return {"name": "Main", "slug": "pc-main", "is_active": "on", "body": text, **more}


@pytest.fixture
def config(shop: Workspace) -> SavedConfig:
    made: SavedConfig = SavedConfig.objects.create(workspace=shop, name="Main", slug="pc-main")
    save_config(made, OPENAI)
    return made


def text_in(answer: Any) -> Any:
    """Return the config that a form shows, as data."""
    return json.loads(answer.context["adminform"].form["body"].value())


def test_each_save_of_something_else_is_a_version(staff: Staff, shop: Workspace) -> None:
    client = staff(shop, "manager")
    assert 'value="pc-' in client.get(url("savedconfig_add")).content.decode()

    assert {} == errors_of(client.post(url("savedconfig_add"), form(OPENAI, workspace=shop.pk)))
    config = SavedConfig.objects.get()
    page = url("savedconfig_change", config.pk)
    for body in (OPENAI, GROQ):
        assert {} == errors_of(client.post(page, form(body)))

    assert [GROQ, OPENAI] == [version.body for version in config.versions.all()]
    author = get_user_model().objects.get(username="manager-of-shop")
    assert {str(author.pk)} == set(config.versions.values_list("created_by", flat=True))
    assert ["config_saved", "config_saved", "created"] == list(
        AuditEvent.objects.values_list("action", flat=True)
    )
    assert GROQ == text_in(client.get(page))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "This is no JSON."),
        (
            '{"strategy": {"mode": "fallback"},'
            ' "targets": [{"provider": "groq"}, {"provider": "opnai"}]}',
            "targets[1].provider: ",
        ),
        ('{"strategy": {"mode": "fall"}, "targets": [{"provider": "groq"}]}', "strategy.mode: "),
        ('{"provider": "openai", "api_key": "sk-canary"}', "api_key: is a secret"),
        ('{"virtual_key": "theirs"}', "virtual_key: "),
        ("", "This field is required."),
    ],
)
def test_a_config_that_cannot_be_used_is_refused_with_its_place(
    root: Client, config: SavedConfig, body: str, message: str
) -> None:
    errors = errors_of(root.post(url("savedconfig_change", config.pk), form(body)))

    assert ["body"] == list(errors)
    assert message in errors["body"][0]
    assert 1 == config.versions.count()


def test_an_earlier_version_is_restored_by_saving_it(root: Client, config: SavedConfig) -> None:
    save_config(config, GROQ)
    versions = root.get(url("savedconfig_versions", config.pk)).content.decode()
    page = f"{url('savedconfig_change', config.pk)}?version=1"
    assert page in versions

    assert OPENAI == text_in(root.get(page))
    assert 2 == config.versions.count(), "looking changes nothing"
    assert {} == errors_of(root.post(page, form(OPENAI)))
    assert [3, 2, 1] == list(config.versions.values_list("number", flat=True))
    assert OPENAI == config.versions.get(number=3).body


@pytest.mark.parametrize("number", ["", "2", "0", "-1", "x", "9" * 30, "\u0661"])
def test_a_version_that_is_not_there_is_not_found(
    root: Client, config: SavedConfig, number: str
) -> None:
    page = url("savedconfig_change", config.pk)

    assert 404 == root.get(page, {"version": number}).status_code


def test_versions_are_pages_of_text(root: Client, config: SavedConfig) -> None:
    ann = get_user_model().objects.create_user("ann")
    save_config(config, {**OPENAI, "override_params": {"user": XSS}}, by=ann)
    for number in range(20):
        save_config(config, {**OPENAI, "override_params": {"user": f"u{number}"}})

    newest = root.get(url("savedconfig_versions", config.pk)).content.decode()
    oldest = root.get(url("savedconfig_versions", config.pk), {"p": "2"}).content.decode()

    assert ("u19" in newest, "u19" in oldest) == (True, False)
    assert 'href="?p=2"' in newest
    assert XSS not in oldest
    assert "&lt;script&gt;" in oldest
    assert " ann" in oldest


def test_members_read_configs(staff: Staff, shop: Workspace, config: SavedConfig) -> None:
    client = staff(shop, "member")

    assert 200 == client.get(url("savedconfig_change", config.pk)).status_code
    shown = client.get(url("savedconfig_versions", config.pk)).content.decode()
    assert "openai" in shown
    assert "?version=1" not in shown
    assert 403 == client.post(url("savedconfig_change", config.pk), form(GROQ)).status_code


def test_a_config_that_a_key_needs_stays(root: Client, config: SavedConfig) -> None:
    key = create_key(config.workspace, "site", policy={"default_config": config}).api_key
    page = url("savedconfig_delete", config.pk)

    assert 200 == root.post(page, {"post": "yes"}).status_code
    assert SavedConfig.objects.exists()
    key.default_config = None
    key.save()
    assert 302 == root.post(page, {"post": "yes"}).status_code
    assert not SavedConfig.objects.exists()


def test_a_slug_is_there_once(root: Client, shop: Workspace, config: SavedConfig) -> None:
    two = SavedConfig.objects.create(workspace=shop, name="Two", slug="pc-two")

    assert "already exists" in str(
        errors_of(root.post(url("savedconfig_change", two.pk), form(OPENAI)))
    )
    made = root.post(url("savedconfig_add"), form(OPENAI, workspace=shop.pk))
    assert "already exists" in str(errors_of(made))
