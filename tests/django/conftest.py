"""A fake provider, and the project's gateway pointed at it, in line with the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from llmgateway.testing import FakeProvider
from llmgateway_django.models import Workspace
from tests.django.pages import Staff, log_in
from tests.http.upstreams import FakeUpstream

KEY = "lgw_key-of-a-client-of-this-project"
BEARER = {"authorization": f"Bearer {KEY}"}
CHAT = "/llm/v1/chat/completions"
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="session")
def upstream() -> Iterator[FakeUpstream]:
    """The fake provider on a socket."""
    upstream = FakeUpstream()
    yield upstream
    upstream.close()


@pytest.fixture
def fake(upstream: FakeUpstream) -> FakeProvider:
    """What it has been asked, from now on."""
    upstream.begin_test()
    return upstream.fake


@pytest.fixture
def llmgateway(upstream: FakeUpstream, fake: FakeProvider) -> dict[str, Any]:
    """The setting of a project that calls it."""
    return {
        "RUNTIME": "inline",
        "CLIENT_KEYS": {"me": KEY},
        "ALLOW_LOOPBACK_UPSTREAMS": True,
        "DEFAULT_PROVIDER": "openai",
        "PROVIDERS": {"openai": {"BASE_URL": upstream.base, "API_KEY": "sk-of-the-operator"}},
    }


@pytest.fixture
def inline(settings: Any, llmgateway: dict[str, Any]) -> Any:
    """The project with that setting."""
    settings.LLMGATEWAY = llmgateway
    return settings


# ---- the admin


@pytest.fixture
def shop(db: None) -> Workspace:
    """A workspace."""
    made: Workspace = Workspace.objects.create(name="Shop", slug="shop")
    return made


@pytest.fixture
def other(db: None) -> Workspace:
    """Somebody else's workspace."""
    made: Workspace = Workspace.objects.create(name="Other", slug="other")
    return made


@pytest.fixture
def root(client: Client, db: None) -> Client:
    """A superuser's browser."""
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


@pytest.fixture
def staff(db: None) -> Staff:
    """Log in staff of a workspace."""
    return log_in
