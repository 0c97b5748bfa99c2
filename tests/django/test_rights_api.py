"""Who may call: every route of the API by every kind of caller.

`CALLERS` is the one table. Whoever is refused reaches no provider; whoever is let in reaches
one with their own workspace's credential, or is told that there is none for such a request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from llmgateway.engine.client_keys import new_client_key
from llmgateway.http.routes import LIST, MODEL_ROUTES, PROXY_ROUTE, ROUTES, WRITE, Access, Route
from llmgateway.testing import FakeProvider
from llmgateway_django.configs import save_config
from llmgateway_django.keys import create_key, revoke_key, rotate_key
from llmgateway_django.models import Integration, SavedConfig, VirtualKey, Workspace
from llmgateway_django.vault import set_secrets
from tests.http.upstreams import FakeUpstream

pytestmark = pytest.mark.django_db

ALL_ROUTES = (*ROUTES, *MODEL_ROUTES.values(), PROXY_ROUTE)
CASES = [(route, method) for route in ALL_ROUTES for method in route.methods]
BODY = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Hello"}],
    "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
    "max_tokens": 5,
}
IN, UNKNOWN, REFUSED, NOT_THERE = "let in", "401", "403", "404"
NO_PROVIDER = "400"
"""As of any other name that no provider has."""
CALLERS = {
    "nobody": UNKNOWN,
    "a session's cookie alone": UNKNOWN,
    "an empty key": UNKNOWN,
    "a provider's key": UNKNOWN,
    "a key that nobody made": UNKNOWN,
    "a misspelt key": UNKNOWN,
    "a revoked key": UNKNOWN,
    "an expired key": UNKNOWN,
    "the old secret of a rotated key": UNKNOWN,
    "the key of a user who is not active": UNKNOWN,
    "a key without the scope": REFUSED,
    "a key for other addresses": REFUSED,
    "a key, naming another's virtual key": NOT_THERE,
    "a key, naming another's provider": NO_PROVIDER,
    "a key, naming another's config": NOT_THERE,
    "a key": IN,
    "a key, naming its virtual key": IN,
    "a key, naming its config": IN,
    "a key with the scope": IN,
}
"""What each gets of a route that is not for anyone."""

_OPERATOR = "Bearer sk-of-the-operator"
_SERVED = ("/v1/chat/completions", "/v1/messages")
"""Some of what the provider of the test answers with what is asked here."""


@dataclass
class World:
    """The callers: the headers that each sends."""

    client: Client
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    scoped: dict[str, str] = field(default_factory=dict)
    """Secrets of keys by the one scope that they have."""


def _workspace(slug: str, upstream: FakeUpstream) -> Workspace:
    workspace = Workspace.objects.create(name=slug, slug=slug)
    integration = Integration.objects.create(
        workspace=workspace, name=slug, provider="openai", base_url=upstream.base
    )
    set_secrets(integration, {"api_key": f"sk-of-{slug}"})
    VirtualKey.objects.create(workspace=workspace, slug=f"vk-{slug}", integration=integration)
    config = SavedConfig.objects.create(workspace=workspace, name=slug, slug=f"pc-{slug}")
    save_config(config, {"virtual_key": f"vk-{slug}"})
    made: Workspace = workspace
    return made


@pytest.fixture
def world(upstream: FakeUpstream, inline: Any) -> World:
    inline.LLMGATEWAY = {
        **inline.LLMGATEWAY,
        "CLIENT_KEYS": {},
        "LIMITS": {"FAILED_AUTH_PER_MINUTE": 1000},
    }
    shop, _ = _workspace("ours", upstream), _workspace("theirs", upstream)
    left = get_user_model().objects.create_user("left", is_active=False)
    revoked, key = create_key(shop, "revoked"), create_key(shop, "plain").secret
    revoke_key(revoked.api_key)
    rotated = create_key(shop, "rotated")
    rotate_key(rotated.api_key)
    elsewhere = create_key(shop, "elsewhere", policy={"allowed_addresses": ["192.0.2.0/24"]})
    secrets = {
        "an empty key": "",
        "a provider's key": "sk-of-ours",
        "a key that nobody made": new_client_key(),
        "a misspelt key": f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}",
        "a revoked key": revoked.secret,
        "an expired key": create_key(
            shop, "expired", expires_at=timezone.now() - timedelta(seconds=1)
        ).secret,
        "the old secret of a rotated key": rotated.secret,
        "the key of a user who is not active": create_key(shop, "left", owner=left).secret,
        "a key for other addresses": elsewhere.secret,
    }
    own = {"authorization": f"Bearer {key}"}
    cookie = Client()
    cookie.force_login(get_user_model().objects.create_superuser("root"))
    session = cookie.cookies[project.SESSION_COOKIE_NAME].value
    world = World(Client())
    world.headers = {
        "nobody": {},
        "a session's cookie alone": {"cookie": f"{project.SESSION_COOKIE_NAME}={session}"},
        **{who: {"authorization": f"Bearer {secret}"} for who, secret in secrets.items()},
        "a key, naming another's virtual key": {**own, "x-portkey-virtual-key": "vk-theirs"},
        "a key, naming another's provider": {**own, "x-portkey-provider": "@vk-theirs"},
        "a key, naming another's config": {**own, "x-portkey-config": "pc-theirs"},
        "a key": own,
        "a key, naming its virtual key": {**own, "x-portkey-virtual-key": "vk-ours"},
        "a key, naming its config": {**own, "x-portkey-config": "pc-ours"},
    }
    world.scoped = {
        scope: create_key(shop, scope, policy={"scopes": [scope]}).secret for scope in (WRITE, LIST)
    }
    return world


def headers_of(world: World, who: str, route: Route) -> dict[str, str]:
    """Return what a caller sends to a route."""
    if who not in ("a key with the scope", "a key without the scope"):
        return world.headers[who]
    other = {WRITE: LIST, LIST: WRITE}[route.scope]
    scope = route.scope if who == "a key with the scope" else other
    return {"authorization": f"Bearer {world.scoped[scope]}"}


def path_of(route: Route) -> str:
    path = route.path.replace("{path}", "one-2").replace("{model}", "gpt-4o-mini")
    return f"/llm{path}"


def asked(world: World, who: str, route: Route, method: str) -> Any:
    """Return the answer."""
    body = json.dumps(BODY) if method in ("POST", "PUT", "PATCH") else ""
    return world.client.generic(
        method,
        path_of(route),
        body,
        content_type="application/json" if body else "",
        headers=headers_of(world, who, route),
    )


def faults(world: World, fake: FakeProvider, route: Route, method: str) -> Iterator[str]:
    """Yield what is not as the table says."""
    for who, expected in CALLERS.items():
        fake.requests.clear()
        answer = asked(world, who, route, method)
        status = str(answer.status_code)
        sent = [request.headers.get("authorization") for request in fake.requests]
        said = f"{who}: {method} {route.path} is {status}"
        if route.access is Access.ANYONE:
            if status != "200":
                yield said
        elif expected is IN:
            # The list of models is of all that the caller may use.
            may = {"Bearer sk-of-ours"} | ({_OPERATOR} if "its" not in who.split() else set())
            if status in (UNKNOWN, REFUSED) or set(sent) - may:
                yield f"{said}, and {sent} went out"
            if route.path in _SERVED and (status, len(sent)) != ("200", 1):
                yield f"{said}, and {sent} went out"
        elif status != expected or sent:
            yield f"{said} instead of {expected}, and {sent} went out"


@pytest.mark.parametrize("scope", [WRITE, LIST])
def test_each_caller_gets_what_the_table_says(world: World, fake: FakeProvider, scope: str) -> None:
    wrong = [
        fault
        for route, method in CASES
        if route.scope == scope
        for fault in faults(world, fake, route, method)
    ]

    assert [] == wrong


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("x-portkey-virtual-key", "vk-theirs"),
        ("x-portkey-provider", "@vk-theirs"),
        ("x-portkey-config", "pc-theirs"),
        ("x-portkey-config", '{"virtual_key": "vk-theirs"}'),
    ],
)
def test_what_is_another_s_is_as_if_it_were_not_there(world: World, header: str, name: str) -> None:
    def answer(name: str) -> tuple[int, str]:
        headers = {**world.headers["a key"], header: name}
        found = world.client.post(
            "/llm/v1/chat/completions", BODY, "application/json", headers=headers
        )
        text = found.content.decode()
        return found.status_code, text.replace(found.json()["error"]["request_id"], "")

    status, text = answer(name)
    nowhere = name.replace("theirs", "nobody")

    assert status in (400, 404)
    assert (status, text.replace(name, nowhere).replace("theirs", "nobody")) == answer(nowhere)


def test_no_route_is_left_out() -> None:
    assert {WRITE, LIST} == {route.scope for route in ALL_ROUTES}
    assert len(CASES) * len(CALLERS) > 800
