"""Secrets of integrations: sealed for their row and their origin, and dropped with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from llmgateway.stores.sealing import BrokenSeal
from llmgateway_django import audit
from llmgateway_django.models import AuditEvent, Integration, Workspace
from llmgateway_django.seals import is_readable, secrets_of
from llmgateway_django.vault import save_integration, set_secrets

pytestmark = pytest.mark.django_db

SECRET = "sk-of-an-account"


def made(provider: str = "openai", **fields: Any) -> Integration:
    """Return a saved integration with a secret."""
    integration: Integration = Integration.objects.create(
        name="An account", provider=provider, **fields
    )
    set_secrets(integration, {"api_key": SECRET})
    return integration


def again(integration: Integration) -> Integration:
    """Return the row as the database has it."""
    found: Integration = Integration.objects.get(pk=integration.pk)
    return found


# ---- set and read


def test_secrets_are_sealed_and_open_again() -> None:
    integration = made()

    assert {"api_key": SECRET} == secrets_of(integration) == secrets_of(again(integration))
    assert SECRET not in integration.sealed
    assert integration.sealed == again(integration).sealed


def test_an_integration_without_secrets_has_none() -> None:
    assert {} == secrets_of(Integration.objects.create(name="Local", provider="ollama"))


def test_what_is_not_named_stays_and_what_is_empty_goes() -> None:
    integration = made("azure-openai", options={"resource_name": "shop"})
    set_secrets(integration, {"azure_ad_token": " t \n"})
    assert {"api_key": SECRET, "azure_ad_token": "t"} == secrets_of(integration)

    set_secrets(integration, {"api_key": None})
    assert {"azure_ad_token": "t"} == secrets_of(again(integration))
    set_secrets(integration, {"azure_ad_token": ""})
    assert "" == again(integration).sealed


def test_what_cannot_be_opened_is_replaced() -> None:
    integration = made()
    Integration.objects.update(sealed="v1.gone.AAAA")

    set_secrets(integration, {"api_key": "sk-new"})
    assert {"api_key": "sk-new"} == secrets_of(again(integration))


@pytest.mark.parametrize(
    "secrets",
    [
        {"azure_ad_token": "t"},
        {"api_kee": "t"},
        {"api_key": "two\nlines"},
        {"api_key": "x" * 20_001},
        {"api_key": "nul\x00"},
        {"api_key": "half \ud800"},
        {"api_key": "lgw_a-key-of-the-gateway"},
    ],
    ids=["another-provider's", "misspelt", "two-lines", "long", "nul", "surrogate", "ours"],
)
def test_what_is_no_secret_of_the_provider_is_refused(secrets: dict[str, str]) -> None:
    integration = made()
    (name,) = secrets

    with pytest.raises(ValidationError) as caught:
        set_secrets(integration, secrets)
    assert name in str(caught.value)
    assert secrets[name] not in str(caught.value).replace(name, "") or secrets[name] == "t"
    assert {"api_key": SECRET} == secrets_of(again(integration))


# ---- bound to the row and to the origin


def test_a_sealed_text_of_another_row_does_not_open() -> None:
    one, other = made(), made()
    sealed = {one.pk: other.sealed, other.pk: one.sealed}
    for pk, text in sealed.items():
        Integration.objects.filter(pk=pk).update(sealed=text)

    for integration in (one, other):
        with pytest.raises(BrokenSeal):
            secrets_of(again(integration))


@pytest.mark.parametrize(
    "change",
    [{"base_url": "https://evil.example/v1"}, {"provider": "groq"}],
    ids=["base-url", "provider"],
)
def test_a_change_beside_the_model_leaves_nothing_that_opens(change: dict[str, str]) -> None:
    integration = made()
    Integration.objects.filter(pk=integration.pk).update(**change)

    with pytest.raises(BrokenSeal):
        secrets_of(again(integration))
    assert not is_readable(again(integration))


AZURE = {"provider": "azure-openai", "options": {"resource_name": "shop"}}
FOUNDRY = {"azure_foundry_url": "https://shop.services.ai.azure.com/models"}
ELSEWHERE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"base_url": "https://llm.example/v1"}),
    ({}, {"provider": "groq"}),
    ({"base_url": "https://a.example"}, {"base_url": ""}),
    ({"base_url": "https://a.example"}, {"base_url": "https://b.example"}),
    ({"base_url": "https://a.example"}, {"base_url": "https://a.example:8443"}),
    ({"base_url": "https://a.example"}, {"base_url": "http://a.example:443"}),
    ({"base_url": "https://a.example"}, {"base_url": "https://a.example.b"}),
    (AZURE, {"options": {"resource_name": "other"}}),
    (AZURE, {"options": {}}),
    ({"provider": "azure-ai", "options": FOUNDRY}, {"options": {"azure_foundry_url": "https://x.example"}}),
    ({"provider": "huggingface"}, {"options": {"huggingface_base_url": "https://x.example"}}),
]  # fmt: skip
HERE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"name": "Another name", "is_active": False}),
    ({}, {"options": {"openai_project": "p"}}),
    ({"base_url": "https://a.example"}, {"base_url": "HTTPS://A.example:443/v1/"}),
    (AZURE, {"options": {"resource_name": "SHOP", "api_version": "v1"}}),
    (
        {**AZURE, "base_url": "https://a.example"},
        {"options": {"resource_name": "only the base URL counts"}},
    ),
]


def changed(integration: Integration, change: dict[str, Any]) -> None:
    """Set some fields."""
    for name, value in change.items():
        setattr(integration, name, value)


@pytest.mark.parametrize("named", [True, False], ids=["update_fields", "save"])
@pytest.mark.parametrize(("fields", "change"), ELSEWHERE)
def test_another_origin_drops_the_secrets(
    fields: dict[str, Any], change: dict[str, Any], named: bool
) -> None:
    integration = made(**fields)
    changed(integration, change)
    integration.save(**({"update_fields": list(change)} if named else {}))

    assert "" == integration.sealed == again(integration).sealed
    assert integration.options == again(integration).options


@pytest.mark.parametrize(("fields", "change"), HERE)
def test_the_same_origin_keeps_them(fields: dict[str, Any], change: dict[str, Any]) -> None:
    integration = made(**fields)
    changed(integration, change)
    integration.save()

    assert {"api_key": SECRET} == secrets_of(integration) == secrets_of(again(integration))
    for name, value in change.items():
        assert value == getattr(again(integration), name)


def test_only_what_is_saved_counts() -> None:
    integration = made()
    changed(integration, {"base_url": "https://evil.example", "name": "Other"})
    integration.save(update_fields=["name"])

    assert {"api_key": SECRET} == secrets_of(again(integration))


def test_a_row_read_in_part_drops_them_as_well() -> None:
    integration = Integration.objects.only("name").get(pk=made().pk)
    integration.base_url = "https://evil.example"
    integration.save()

    assert "" == again(integration).sealed


def test_an_old_copy_brings_back_no_secret() -> None:
    integration = made()
    copy = again(integration)
    set_secrets(integration, {"api_key": "sk-new"})
    copy.name = "Renamed"
    copy.save()
    assert {"api_key": "sk-new"} == secrets_of(again(integration)) == secrets_of(copy)

    integration.base_url = "https://llm.example"
    integration.save()
    copy.save()
    assert ("", "") == (again(integration).sealed, copy.sealed)


def test_a_copy_under_another_id_does_not_open() -> None:
    integration = made()
    integration.pk = Integration._meta.pk.get_default()
    integration._state.adding = True
    integration.save()

    with pytest.raises(BrokenSeal):
        secrets_of(again(integration))


# ---- what is valid


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"provider": "opnai"}, "provider", "Did you mean openai"),
        ({"provider": "@openai"}, "provider", "as it is: openai"),
        ({"base_url": "llm.example"}, "base_url", "https://"),
        ({"base_url": "ftp://llm.example"}, "base_url", "https://"),
        ({"base_url": "https://me:pass@llm.example"}, "base_url", "https://"),
        ({"base_url": "https://llm.example/?key=1"}, "base_url", "https://"),
        ({"provider": "ollama"}, "base_url", "no address of its own"),
        ({"options": {"api_key": "s3cret"}}, "options", "`api_key` is a secret"),
        ({"provider": "azure-openai", "options": {"azure_ad_token": "s3cret"}},
         "options", "`azure_ad_token` is a secret"),
        ({"options": {"openai_projct": "p"}}, "options", "did you mean openai_project"),
        ({"options": {"openai_project": 7}}, "options", "must be a text"),
        ({"options": {"openai_project": "a\r\nb: c"}}, "options", "control characters"),
        ({"options": {"openai_project": ""}}, "options", "must be a text"),
        ({"options": ["openai_project"]}, "options", "an object"),
        ({"provider": "azure-openai"}, "options", "needs `resource_name`"),
        ({"provider": "azure-openai", "options": {"resource_name": "a/b"}},
         "options", "letters, digits"),
        ({"provider": "azure-ai", "options": {**FOUNDRY, "azure_extra_parameters": "maybe"}},
         "options", "must be one of: drop"),
        ({"provider": "azure-ai", "options": {"azure_foundry_url": "https://u:p@x.example"}},
         "options", "`azure_foundry_url`"),
        ({"provider": "azure-ai", "options": {**FOUNDRY, "azure_auth_mode": "entra"}},
         "options", "not available yet"),
    ],
)  # fmt: skip
def test_what_could_not_be_called_is_refused(
    fields: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Integration(**{"name": "An account", "provider": "openai", **fields}).full_clean()
    assert {field} == caught.value.message_dict.keys()
    assert words in caught.value.message_dict[field][0]
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"base_url": "http://llm.internal:8000/v1", "options": {"openai_organization": "o"}},
        {"provider": "ollama", "base_url": "http://127.0.0.1:11434/v1"},
        AZURE,
        {"provider": "azure-openai", "base_url": "https://proxy.example"},
        {"provider": "azure-ai", "options": FOUNDRY},
    ],
)
def test_what_can_be_called_is_taken(fields: dict[str, Any]) -> None:
    Integration(**{"name": "An account", "provider": "openai", **fields}).full_clean()


# ---- the audit


def test_the_audit_names_secrets_and_tells_none() -> None:
    ann = get_user_model().objects.create_user("ann")
    workspace = Workspace.objects.create(name="Research", slug="research")
    integration = Integration(workspace=workspace, name="An account", provider="openai")
    save_integration(integration, {"api_key": SECRET}, by=ann)
    integration.base_url = "https://llm.example"
    save_integration(integration, by=ann)
    save_integration(integration, by=ann)
    pk = integration.pk
    audit.delete(ann, integration)

    events = list(AuditEvent.objects.order_by("pk"))
    assert ["created", "secrets_set", "changed", "secrets_dropped", "deleted"] == [
        event.action for event in events
    ]
    assert [["api_key"], ["api_key"]] == [events[n].changes["secrets"] for n in (1, 3)]
    assert {"base_url": ["", "https://llm.example"]} == events[2].changes
    told = {(event.actor_name, event.object_id, event.workspace) for event in events}
    assert {("ann", str(pk), str(workspace.pk))} == told
    assert SECRET not in json.dumps([event.changes for event in events])


def test_a_refused_secret_leaves_nothing_saved() -> None:
    with pytest.raises(ValidationError):
        save_integration(Integration(name="An account", provider="openai"), {"nope": "x"})
    assert (0, 0) == (Integration.objects.count(), AuditEvent.objects.count())
