"""Who calls, as the project knows it: the callables of `AUTHENTICATE`, and its users.

No cookie reaches them. A browser sends those along for any page that asks it to.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from copy import copy
from dataclasses import replace
from functools import partial, wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from llmgateway.engine.authorize import Authenticate
from llmgateway.errors import StoreUnavailable
from llmgateway.types.call import Principal
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway_django.database import Database, DatabaseBusy
from llmgateway_django.members import workspaces_of
from llmgateway_django.models import Workspace

__all__ = ["asked_with", "asking", "of_django", "principal_of"]


ASK_S = 5.0
"""How long a callable may take that is no coroutine function."""


def asking(callables: Sequence[Authenticate], database: Database) -> Authenticate | None:
    """Return one `authenticate` that asks each in turn; the first that knows the caller is right.

    Those that are no coroutine functions may look into the database, so they run where its other
    work does. Raises `StoreUnavailable` where one of them does not come to an end.
    """
    if not callables:
        return None

    async def authenticate(request: HTTPRequest) -> Principal | None:
        request = _without_cookies(request)
        for ask in callables:
            answer: Any
            if iscoroutinefunction(ask):
                answer = ask(request)
            else:
                answer = await _asked(partial(ask, request), database)
            principal: Principal | None = await answer if inspect.isawaitable(answer) else answer
            if principal is not None:
                return principal
        return None

    return authenticate


async def _asked(ask: Callable[[], Any], database: Database) -> Any:
    try:
        return await database.run(partial(copy_context().run, ask), ASK_S)
    except (TimeoutError, DatabaseBusy) as error:
        raise StoreUnavailable(
            "The caller cannot be checked at the moment; send the request again.", retry_after_s=5
        ) from error


@contextmanager
def asked_with(request: HttpRequest) -> Iterator[None]:
    """Have `of_django` know the Django request meanwhile."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def of_django(ask: Callable[[Any], Principal | None]) -> Authenticate:
    """Make a callable that takes a Django request one for `AUTHENTICATE`.

    It gets a copy of the request that Django's middleware has seen, with what they have put there;
    the mounts in front of Django have none, so there it is made of the header fields. Either way
    it is without cookies, session and user: whom a browser is logged in as does not count here.
    """

    @wraps(ask)
    def authenticate(request: HTTPRequest) -> Principal | None:
        return ask(_without_session(_request.get()) or _made_of(request))

    return authenticate


_request: ContextVar[HttpRequest | None] = ContextVar("llmgateway_django_request", default=None)
_OF_A_SESSION = ("session", "user", "auser", "_cached_user", "_acached_user")


def _without_session(request: HttpRequest | None) -> HttpRequest | None:
    if request is None:
        return None
    bare = copy(request)
    for name in _OF_A_SESSION:
        bare.__dict__.pop(name, None)
    bare.META = {name: value for name, value in request.META.items() if name != "HTTP_COOKIE"}
    bare.__dict__.pop("headers", None)
    bare.__dict__["COOKIES"] = {}
    return bare


def _made_of(request: HTTPRequest) -> HttpRequest:
    made = HttpRequest()
    made.method, made.path = request.method, request.path
    made.META = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": request.client or "",
    }
    for name, value in request.headers:
        key = name.decode("latin-1").upper().replace("-", "_")
        plain = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
        made.META.setdefault(key if plain else f"HTTP_{key}", value.decode("latin-1"))
    return made


def principal_of(user: Any, workspace: Workspace | None = None) -> Principal:
    """Return a user of the project as a caller, in a workspace of theirs if one is given.

    Its virtual keys and configs are those that the caller can name. To look whether the user is in
    it takes the database, so in a coroutine it goes by `sync_to_async`.
    Raises `PermissionDenied` for somebody who is no user, or not in the workspace.
    """
    if not user.is_authenticated or not user.is_active:
        raise PermissionDenied("The gateway takes users who are logged in and active.")
    if workspace is None:
        return Principal(f"user:{user.pk}", user=str(user.pk))
    if not workspaces_of(user).filter(pk=workspace.pk).exists():
        raise PermissionDenied("The user is not in this workspace.")
    return Principal(f"user:{user.pk}", workspace=str(workspace.pk), user=str(user.pk))


def _without_cookies(request: HTTPRequest) -> HTTPRequest:
    if "cookie" not in request.headers:
        return request
    fields = tuple(field for field in request.headers if field[0] != b"cookie")
    return replace(request, headers=Headers.lowered(fields))
