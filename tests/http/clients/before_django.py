"""The gateway mounted in front of Django's ASGI app."""

from __future__ import annotations

# Django brings no types, and its stubs are a plugin of their own.
import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

from llmgateway import Gateway
from llmgateway_asgi import mount
from llmgateway_asgi.front import ASGIApp
from tests.http.clients.asgi import ASGIHost


def _own(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the host's own")


urlpatterns = [path("own", _own)]


class BeforeDjango(ASGIHost):
    """`llmgateway_asgi.mount` and nothing of Django in between."""

    name = "django"

    def app(self, gateway: Gateway) -> ASGIApp:
        """Return Django's app behind the gateway."""
        if not settings.configured:
            settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="for tests")
            django.setup()
        return mount(get_asgi_application(), gateway, prefix=self.prefix)
