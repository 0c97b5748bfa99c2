"""Who calls, as the app knows it: asked in the thread and with the database of the request."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, ContextVar
from dataclasses import replace
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

from flask import Flask, Request, current_app

from llmgateway.engine.authorize import Authenticate
from llmgateway.gateway import Gateway
from llmgateway.runtime import Runtime, SyncResponse
from llmgateway.types.call import Principal
from llmgateway.types.http import Headers, HTTPRequest

__all__ = ["FlaskRuntime", "User", "answered", "by_request_loader"]

T = TypeVar("T")

Answer = Principal | Awaitable[Principal | None] | None

_answer: ContextVar[Answer | Exception] = ContextVar("llmgateway_caller", default=None)


def answered(request: HTTPRequest) -> Answer:
    """Return what the app has said of the caller; it is the gateway's `authenticate`."""
    answer = _answer.get()
    if isinstance(answer, Exception):
        raise answer
    return answer


class FlaskRuntime:
    """A runtime that nothing of Flask's contexts goes along with, and that asks who calls.

    What crosses to the loop takes the thread's context with it, and a connection that is opened
    there keeps it while it lives: request, user and all. So each request has an empty one. In it
    a session is out of reach, too: a cookie is sent by browsers, whoever's page has them do it.
    """

    def __init__(
        self, runtime: Runtime, app: Flask, authenticate: Authenticate | None = None
    ) -> None:
        self._runtime = runtime
        self._app = app
        self._authenticate = authenticate

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine; see `Runtime`."""
        return self._runtime.run(coroutine)

    def handle(
        self, gateway: Gateway, request: HTTPRequest, principal: Principal | None = None
    ) -> SyncResponse:
        """Answer one request, whose caller the app tells if nobody vouches for one."""
        return Context().run(self._handle, gateway, _without_cookies(request), principal)

    def _handle(
        self, gateway: Gateway, request: HTTPRequest, principal: Principal | None
    ) -> SyncResponse:
        if principal is not None or self._authenticate is None:
            return self._runtime.handle(gateway, request, principal)
        # In this thread: on the loop, a look into a database would hold up all other requests.
        # The loop finds the answer by `answered`, in its copy of this context.
        answer = self._ask(request, self._authenticate)
        _answer.set(answer)
        response = self._runtime.handle(gateway, request, principal)
        if isinstance(answer, Coroutine):
            answer.close()  # it has ended, or nobody asked for it
        return response

    def _ask(self, request: HTTPRequest, authenticate: Authenticate) -> Answer | Exception:
        try:
            with self._app.app_context():
                return authenticate(request)
        except Exception as error:
            return error  # for the gateway to tell, in its own shape


def _without_cookies(request: HTTPRequest) -> HTTPRequest:
    if "cookie" not in request.headers:
        return request
    fields = tuple(field for field in request.headers if field[0] != b"cookie")
    return replace(request, headers=Headers.lowered(fields))


class User(Protocol):
    """A user as Flask-Login has them."""

    @property
    def is_active(self) -> bool:
        """Whether the user may do anything."""
        ...

    def get_id(self) -> str:
        """Return what tells the user from all others."""
        ...


def by_request_loader(load: Callable[[Request], User | None]) -> Authenticate:
    """Return an `authenticate` that asks a Flask-Login `request_loader`.

    The request that it gets has neither cookies nor a body. A user who is not active is nobody.
    Source: https://flask-login.readthedocs.io/en/latest/#custom-login-using-request-loader
    """

    def authenticate(request: HTTPRequest) -> Principal | None:
        user = load(_flask_request(request))
        if user is None or not user.is_active:
            return None
        return Principal(f"user:{user.get_id()}")

    return authenticate


def _flask_request(request: HTTPRequest) -> Request:
    """Return the head of a request as Flask has it."""
    fields = {
        "HTTP_" + name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
        for name, value in request.headers
    }
    return current_app.request_class(
        {
            **fields,
            # WSGI has it under this name only.
            "CONTENT_TYPE": request.headers.get("content-type") or "",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": unquote(request.path, "latin-1"),
            "QUERY_STRING": request.query,
            "REMOTE_ADDR": request.client,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
        }
    )
