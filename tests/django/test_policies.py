"""Keys with policies, virtual keys and saved configs, from the tables to the provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import RestrictedError
from django.test import Client

from llmgateway.testing import FakeProvider
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway_django import gateway
from llmgateway_django.configs import save_config
from llmgateway_django.keys import create_key
from llmgateway_django.models import (
    APIKey,
    Integration,
    Membership,
    RequestLog,
    SavedConfig,
    VirtualKey,
    Workspace,
)
from llmgateway_django.vault import set_secrets
from tests.django.conftest import BODY, CHAT
from tests.http.upstreams import FakeUpstream

pytestmark = pytest.mark.django_db


class Shop:
    """A workspace with a key, a virtual key and a saved config."""

    def __init__(self, upstream: FakeUpstream, slug: str) -> None:
        self.workspace = Workspace.objects.create(name=slug, slug=slug)
        made = create_key(self.workspace, "site")
        self.key: Any = made.api_key
        self.secret = made.secret
        integration = Integration.objects.create(
            workspace=self.workspace, name=slug, provider="openai", base_url=upstream.base
        )
        set_secrets(integration, {"api_key": f"sk-of-{slug}"})
        VirtualKey.objects.create(
            workspace=self.workspace, slug=f"{slug}-openai", integration=integration
        )
        self.config = SavedConfig.objects.create(
            workspace=self.workspace, name="main", slug=f"pc-{slug}"
        )
        save_config(self.config, {"virtual_key": f"{slug}-openai"})

    def limit(self, **policy: Any) -> None:
        """Change what the key may."""
        for name, value in policy.items():
            setattr(self.key, name, value)
        self.key.full_clean()
        self.key.save()

    def ask(self, client: Client, body: Any = None, **headers: str) -> Any:
        """Call with the workspace's key."""
        return client.post(
            CHAT,
            {**BODY, **(body or {})},
            content_type="application/json",
            headers={"authorization": f"Bearer {self.secret}", **headers},
        )


def key_sent(fake: FakeProvider) -> Any:
    """Return what the provider was called with at last."""
    return fake.requests[-1].headers.get("authorization")


@pytest.fixture
def shop(upstream: FakeUpstream, inline: Any) -> Shop:
    return Shop(upstream, "shop")


@pytest.mark.parametrize(
    "ways",
    [
        {"x-portkey-virtual-key": "shop-openai"},
        {"x-portkey-provider": "@shop-openai"},
        {"x-portkey-config": json.dumps({"virtual_key": "shop-openai"})},
        {"x-portkey-config": "pc-shop"},
    ],
)
def test_a_stored_credential_is_sent(
    client: Client, shop: Shop, fake: FakeProvider, ways: dict[str, str]
) -> None:
    answer = shop.ask(client, **ways)

    assert 200 == answer.status_code, answer.content
    assert "Bearer sk-of-shop" == key_sent(fake)


def test_it_is_named_in_the_model(client: Client, shop: Shop, fake: FakeProvider) -> None:
    answer = shop.ask(client, {"model": "@shop-openai/gpt-4o-mini"})

    assert 200 == answer.status_code
    assert "Bearer sk-of-shop" == key_sent(fake)


def test_another_workspace_s_is_not_there(
    client: Client, shop: Shop, upstream: FakeUpstream
) -> None:
    Shop(upstream, "other")

    assert 404 == shop.ask(client, **{"x-portkey-virtual-key": "other-openai"}).status_code
    assert 404 == shop.ask(client, **{"x-portkey-config": "pc-other"}).status_code


def test_an_integration_without_workspace_is_for_all(
    client: Client, shop: Shop, fake: FakeProvider
) -> None:
    integration = Integration.objects.get()
    integration.workspace = None
    integration.save()
    set_secrets(integration, {"api_key": "sk-shared"})

    assert 200 == shop.ask(client, **{"x-portkey-virtual-key": "shop-openai"}).status_code
    assert "Bearer sk-shared" == key_sent(fake)


def test_an_integration_of_another_workspace_is_not_used_whatever_a_row_says(
    client: Client, shop: Shop, upstream: FakeUpstream
) -> None:
    other = Shop(upstream, "other")
    theirs = Integration.objects.get(workspace=other.workspace)
    VirtualKey.objects.filter(slug="shop-openai").update(integration=theirs)

    answer = shop.ask(client, **{"x-portkey-virtual-key": "shop-openai"})

    assert 404 == answer.status_code


def test_what_a_key_may_is_read_from_its_row(client: Client, shop: Shop) -> None:
    shop.limit(allowed_models=["gpt-4o-mini"], default_metadata={"plan": "pro"})

    assert 200 == shop.ask(client).status_code
    assert {"plan": "pro"} == RequestLog.objects.latest("id").metadata
    assert 403 == shop.ask(client, {"model": "gpt-4o"}).status_code
    shop.limit(scopes=["models.list"])
    assert 403 == shop.ask(client).status_code
    shop.limit(scopes=[], allowed_addresses=["192.0.2.0/24"])
    assert 403 == shop.ask(client).status_code
    shop.limit(allowed_addresses=["127.0.0.1"], allowed_providers=["groq"])
    assert 403 == shop.ask(client).status_code
    shop.limit(allowed_providers=[])
    assert 200 == shop.ask(client).status_code


def test_an_address_that_cannot_be_read_lets_nobody_in(client: Client, shop: Shop) -> None:
    APIKey.objects.update(allowed_addresses=["anywhere"])

    assert 403 == shop.ask(client).status_code


def test_a_key_s_default_config(client: Client, shop: Shop, fake: FakeProvider) -> None:
    shop.limit(default_config=shop.config, allow_config_override=False)

    assert 200 == shop.ask(client).status_code
    assert "Bearer sk-of-shop" == key_sent(fake)
    assert 400 == shop.ask(client, **{"x-portkey-config": "{}"}).status_code
    with pytest.raises(RestrictedError):
        shop.config.delete()
    shop.workspace.delete()  # with all that is in it


def test_a_seal_that_does_not_open_is_a_502(client: Client, shop: Shop) -> None:
    Integration.objects.update(sealed="v1.0000.AAAA")

    answer = shop.ask(client, **{"x-portkey-virtual-key": "shop-openai"})

    assert 502 == answer.status_code
    assert "credential_unreadable" == answer.json()["error"]["code"]


def test_models_of_virtual_keys_are_listed(client: Client, shop: Shop) -> None:
    answer = client.get("/llm/v1/models", headers={"authorization": f"Bearer {shop.secret}"})

    ids = [model["id"] for model in answer.json()["data"]]
    assert any(name.startswith("@shop-openai/") for name in ids), ids
    assert any(name.startswith("@openai/") for name in ids), ids


def test_a_user_calls_in_a_workspace_of_theirs(shop: Shop, fake: FakeProvider) -> None:
    user = get_user_model().objects.create_user("ada")
    headers = Headers.of(content_type="application/json", x_portkey_virtual_key="shop-openai")
    request = HTTPRequest("POST", "/v1/chat/completions", "", headers, json.dumps(BODY).encode())
    with pytest.raises(PermissionDenied, match="not in this workspace"):
        gateway.principal_of(user, shop.workspace)
    Membership.objects.create(workspace=shop.workspace, user=user)

    answer = gateway.handle(request, gateway.principal_of(user, shop.workspace))

    assert 200 == answer.status
    assert "Bearer sk-of-shop" == key_sent(fake)
    row = RequestLog.objects.get()
    assert (f"user:{user.pk}", str(shop.workspace.pk)) == (row.principal, row.workspace)
