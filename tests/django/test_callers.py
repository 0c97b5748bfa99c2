"""`AUTHENTICATE`: who is asked, in which order, and what of the request they see."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.test import AsyncClient, Client

from llmgateway.errors import StoreUnavailable
from llmgateway.types.call import Principal
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway_django.callers import asking, of_django, principal_of
from llmgateway_django.database import DatabaseBusy

T = TypeVar("T")

REQUEST = HTTPRequest("POST", "/v1/models", "", Headers.of(cookie="sessionid=1", x_token="t"), b"")


class Database:
    """Runs work at once, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.units = 0

    async def run(self, work: Callable[[], T], timeout_s: float) -> T:
        """Count it."""
        self.units += 1
        if self.failure is not None:
            raise self.failure
        return work()


async def ask(database: Database, *callables: Any) -> Principal | None:
    """Ask them all."""
    authenticate = asking(callables, database)
    assert authenticate is not None
    answer: Any = authenticate(REQUEST)
    principal: Principal | None = await answer
    return principal


def nobody(request: HTTPRequest) -> Principal | None:
    """Know no one."""
    return None


async def awaited(request: HTTPRequest) -> Principal | None:
    """Know anyone, on the loop."""
    return Principal("user:awaited")


async def test_the_first_that_knows_the_caller_counts() -> None:
    database = Database()

    found = await ask(database, nobody, lambda request: Principal("user:1"), awaited)

    assert Principal("user:1") == found
    assert 2 == database.units


async def test_what_can_be_awaited_needs_no_thread() -> None:
    database = Database()

    assert Principal("user:awaited") == await ask(database, awaited)
    assert 0 == database.units


async def test_nobody_sees_a_cookie() -> None:
    seen: list[str] = []

    def look(request: HTTPRequest) -> None:
        seen.extend(name.decode() for name, _ in request.headers)

    assert await ask(Database(), look) is None
    assert ["x-token"] == seen


@pytest.mark.parametrize("failure", [TimeoutError(), DatabaseBusy()])
async def test_one_that_does_not_answer_is_a_503(failure: Exception) -> None:
    with pytest.raises(StoreUnavailable):
        await ask(Database(failure), nobody)


def test_without_callables_there_is_nobody_to_ask() -> None:
    assert asking((), Database()) is None


@pytest.mark.parametrize(
    ("is_authenticated", "is_active"), [(False, True), (True, False), (False, False)]
)
def test_who_is_not_active_is_no_caller(is_authenticated: bool, is_active: bool) -> None:
    user = SimpleNamespace(pk=1, is_authenticated=is_authenticated, is_active=is_active)

    with pytest.raises(PermissionDenied):
        principal_of(user)


def test_a_user_is_told_in_the_log() -> None:
    user = SimpleNamespace(pk=17, is_authenticated=True, is_active=True)

    assert Principal("user:17", user="17") == principal_of(user)


# ---- callables that take Django's request


seen: list[Any] = []


@of_django
def by_token(request: Any) -> Principal | None:
    """Know a token in a header field, as DRF would."""
    seen.append(request)
    return Principal("user:9") if request.headers.get("X-Token") == "t" else None


@pytest.mark.django_db
@pytest.mark.parametrize("awaits", [False, True])
def test_a_callable_gets_the_request_that_middleware_has_seen(
    inline: Any, llmgateway: dict[str, Any], client: Client, awaits: bool
) -> None:
    seen.clear()
    inline.LLMGATEWAY = {**llmgateway, "AUTHENTICATE": [by_token]}
    inline.MIDDLEWARE = [*inline.MIDDLEWARE, f"{__name__}.tenant"]
    client.force_login(get_user_model().objects.create_user("ada"))
    if awaits:
        asking_client = AsyncClient()
        asking_client.cookies = client.cookies
        answer = async_to_sync(asking_client.get)("/llm/v1/models", headers={"x-token": "t"})
    else:
        answer = client.get("/llm/v1/models", headers={"x-token": "t"})

    assert 200 == answer.status_code
    (request,) = seen
    assert "acme" == request.tenant
    assert not hasattr(request, "user")
    assert not hasattr(request, "session")
    assert {} == request.COOKIES
    assert "cookie" not in request.headers


def tenant(get_response: Any) -> Any:
    """Say whose site it is, as a middleware of the project's."""

    def middleware(request: Any) -> Any:
        request.tenant = "acme"
        return get_response(request)

    return middleware


async def test_in_front_of_django_the_request_is_made_of_its_fields() -> None:
    seen.clear()

    found = await ask(Database(), by_token)

    assert Principal("user:9") == found
    (request,) = seen
    assert ("POST", "/v1/models", {}) == (request.method, request.path, request.COOKIES)
