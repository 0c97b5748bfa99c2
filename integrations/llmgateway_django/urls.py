"""The gateway's address, below wherever the project includes it: `path("llm/", include(…))`."""

from __future__ import annotations

import asyncio

from django.db import connections
from django.db.transaction import non_atomic_requests
from django.urls import ResolverMatch, URLPattern
from django.urls.resolvers import RegexPattern

from llmgateway_django.views import serve, serve_blocking

__all__ = ["app_name", "urlpatterns"]

for _alias in connections:
    # With ATOMIC_REQUESTS Django refuses coroutine functions, and a transaction would last as long
    # as a provider's answer.
    non_atomic_requests(_alias)(serve)
    non_atomic_requests(_alias)(serve_blocking)


class _Pattern(URLPattern):
    """Leads to a coroutine function where Django awaits it, else to one that blocks.

    Under WSGI Django would start a thread and a loop for each call of a coroutine function, which
    costs half a millisecond of CPU (measured 2026-11 with Django 5.2).
    """

    def resolve(self, path: str) -> ResolverMatch | None:
        match = super().resolve(path)
        if match is not None and asyncio._get_running_loop() is None:
            match.func = serve_blocking
        return match


app_name = "llmgateway"
urlpatterns = [
    _Pattern(
        RegexPattern(r"^(?P<path>(?s:.*))\Z", name="gateway", is_endpoint=True),
        serve,
        name="gateway",
    )
]
