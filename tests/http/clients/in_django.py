"""The gateway in a Django project with the usual middleware: its view and its front mounts."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

from llmgateway import Gateway
from llmgateway_asgi.app import Receive, Scope, Send
from llmgateway_asgi.front import ASGIApp
from llmgateway_django import asgi, wsgi
from llmgateway_django.gateway import Serving, gateway
from llmgateway_wsgi import Environ, StartResponse, WSGIApp
from tests.http.clients.asgi import ASGIHost
from tests.http.clients.under_gunicorn import UnderGunicorn
from tests.http.clients.wsgi import DIFFERENCES, serving_loop

_OWN_CHECK = "Django judges the Host field by itself, and logs what it refuses"
_WHOLE = "Django's ASGI handler takes a body whole before it calls the view"


class InDjango(ASGIHost):
    """The view, under ASGI."""

    name = "django"
    in_database = True
    compresses = True
    says_close = False
    differences = {
        "test_local_mode_keeps_web_pages_away": _OWN_CHECK,
        "test_an_oversized_body_is_413_before_it_is_taken": _WHOLE,
        "test_a_length_of_too_many_digits_is_413": _WHOLE,
        "test_a_body_that_does_not_come_is_408": _WHOLE,
        "test_a_client_that_leaves_in_the_middle_is_499": _WHOLE,
        "test_a_form_of_a_wrong_length_is_not_relayed": _WHOLE,
    }

    def app(self, gateway: Gateway) -> ASGIApp:
        """Return the project's app, with this gateway as the process's."""
        return _with_asgi(self.django(), Serving.around(gateway, serving_loop()))

    def django(self) -> ASGIApp:
        """Return the project's app."""
        made: ASGIApp = get_asgi_application()
        return made


class BeforeDjango(InDjango):
    """The mount in front of it."""

    name = "before-django"
    compresses = False
    says_close = True
    differences = {}

    def django(self) -> ASGIApp:
        """Return the mount."""
        return asgi.mount(super().django(), prefix=self.prefix)


class InDjangoWSGI(UnderGunicorn):
    """The view, under WSGI."""

    name = "django-wsgi"
    in_database = True
    compresses = True
    differences = {**DIFFERENCES, "test_local_mode_keeps_web_pages_away": _OWN_CHECK}

    def app(self, gateway: Gateway) -> WSGIApp:
        """Return the project's app, with this gateway as the process's."""
        return _with_wsgi(self.django(), Serving.around(gateway, self.loop))

    def django(self) -> WSGIApp:
        """Return the project's app."""
        made: WSGIApp = get_wsgi_application()
        return made


class BeforeDjangoWSGI(InDjangoWSGI):
    """The mount in front of it."""

    name = "before-django-wsgi"
    compresses = False
    differences = DIFFERENCES

    def django(self) -> WSGIApp:
        """Return the mount."""
        return wsgi.mount(super().django(), prefix=self.prefix)


def _with_asgi(app: ASGIApp, serving: Serving) -> ASGIApp:
    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        with gateway.using(serving):
            await app(scope, receive, send)

    return served


def _with_wsgi(app: WSGIApp, serving: Serving) -> WSGIApp:
    def served(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with gateway.using(serving):
            return app(environ, start_response)

    return served
