"""The policy of an API key in the admin: what a form takes, refuses, and writes down."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from llmgateway_django.keys import create_key
from llmgateway_django.models import APIKey, AuditEvent, SavedConfig, Workspace
from tests.django.pages import Staff, errors_of, url

pytestmark = pytest.mark.django_db


def form(**more: Any) -> dict[str, Any]:
    """Return what a form posts."""
    plain = {"name": "site", "owner": "", "expires_at_0": "", "expires_at_1": ""}
    return {**plain, "default_metadata": "{}", **more}


@pytest.fixture
def key(shop: Workspace) -> APIKey:
    return create_key(shop, "site").api_key


POLICY = {
    "scopes": ["models.list"],
    "allowed_models": "gpt-4o*\n\n  o3 \r\n",
    "allowed_providers": "openai\n@shop",
    "allowed_addresses": "192.0.2.0/24\n2001:DB8::1",
    "allow_config_override": "on",
    "default_metadata": '{"team": "search"}',
}


def has_policy(key: APIKey) -> bool:
    """Tell whether a key has just that."""
    return (
        ["models.list"] == key.scopes
        and ["gpt-4o*", "o3"] == key.allowed_models
        and ["openai", "@shop"] == key.allowed_providers
        and ["192.0.2.0/24", "2001:db8::1/128"] == key.allowed_addresses
        and key.allow_config_override
        and {"team": "search"} == key.default_metadata
    )


def test_a_key_is_made_with_a_policy(root: Client, shop: Workspace) -> None:
    config = SavedConfig.objects.create(workspace=shop, name="Main")

    answer = root.post(
        url("apikey_add"), form(workspace=shop.pk, default_config=config.pk, **POLICY)
    )

    key = APIKey.objects.get()
    assert 200 == answer.status_code
    assert has_policy(key)
    assert config == key.default_config


def test_a_key_is_restricted_later(staff: Staff, shop: Workspace, key: APIKey) -> None:
    client = staff(shop, "manager")

    assert {} == errors_of(client.post(url("apikey_change", key.pk), form(**POLICY)))

    key.refresh_from_db()
    assert has_policy(key)
    event = AuditEvent.objects.get(action="changed")
    assert "manager-of-shop" == event.actor_name
    assert [[], ["models.list"]] == event.changes["scopes"]
    page = client.get(url("apikey_change", key.pk)).content.decode()
    assert ">\ngpt-4o*\no3</textarea>" in page
    # What is saved as it stands changes nothing.
    client.post(url("apikey_change", key.pk), form(**POLICY))
    assert 1 == AuditEvent.objects.filter(action="changed").count()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("allowed_addresses", "192.0.2.1\n\nlocalhost", "Line 3: give an address"),
        ("allowed_addresses", "192.0.2.1/24", "Line 1: give an address"),
        ("allowed_addresses", "192.0.2.0/24\n192.0.2.0/24", "A name stands there twice."),
        ("allowed_models", "gpt\na\x00", "Line 2: give printable"),
        ("allowed_models", "a" * 201, "1 to 200 characters"),
        ("allowed_providers", "openai\nopenai", "A name stands there twice."),
        ("scopes", ["logs.view"], "logs.view is not one of the available choices"),
        ("default_metadata", "[1]", "Give an object of texts"),
        ("default_metadata", '{"n": 1}', "n: names and values are texts"),
        ("default_metadata", '{"n": "' + "v" * 129 + '"}', "n: names and values are texts"),
        ("default_metadata", '{"n": "\\u0000"}', "all of them printable"),
        ("default_metadata", "{", "Enter a valid JSON."),
    ],
)
def test_a_wrong_policy_is_refused_with_its_place(
    root: Client, key: APIKey, field: str, value: Any, message: str
) -> None:
    errors = errors_of(root.post(url("apikey_change", key.pk), form(**{field: value})))

    assert [field] == list(errors)
    assert message in errors[field][0]


def test_metadata_may_be_left_empty(root: Client, key: APIKey) -> None:
    assert {} == errors_of(root.post(url("apikey_change", key.pk), form(default_metadata="")))
    key.refresh_from_db()
    assert {} == key.default_metadata


def test_a_scope_that_no_route_has_stays_with_the_key_that_has_it(
    root: Client, key: APIKey
) -> None:
    APIKey.objects.update(scopes=["logs.view"])

    assert {} == errors_of(root.post(url("apikey_change", key.pk), form(scopes=["logs.view"])))


def test_a_default_config_is_of_the_key_s_own_workspace(
    root: Client, shop: Workspace, other: Workspace, key: APIKey
) -> None:
    theirs = SavedConfig.objects.create(workspace=other, name="Theirs")

    changed = root.post(url("apikey_change", key.pk), form(default_config=theirs.pk))
    made = root.post(url("apikey_add"), form(workspace=shop.pk, default_config=theirs.pk))

    assert ["default_config"] == list(errors_of(changed)) == list(errors_of(made))
    assert "Theirs" not in changed.content.decode()


def test_who_makes_rotates_and_revokes_is_written_down(staff: Staff, shop: Workspace) -> None:
    client = staff(shop, "admin")
    client.post(url("apikey_add"), form(workspace=shop.pk, **POLICY))
    key = APIKey.objects.get()
    client.post(url("apikey_rotate", key.pk), {"hours": 1})
    client.post(url("apikey_revoke", key.pk))

    assert [
        ("revoked", "admin-of-shop"),
        ("rotated", "admin-of-shop"),
        (
            "created",
            "admin-of-shop",
        ),
    ] == list(AuditEvent.objects.values_list("action", "actor_name"))
