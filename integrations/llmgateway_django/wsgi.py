"""Mounting in front of the project's WSGI app: nothing of Django runs for the gateway's requests.

application = mount(get_wsgi_application(), prefix="/llm")
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llmgateway_django.late import process_gateway
from llmgateway_wsgi import Environ, StartResponse, WSGIApp
from llmgateway_wsgi import mount as mount_gateway

if TYPE_CHECKING:
    from llmgateway_django.gateway import Serving

__all__ = ["mount"]


def mount(app: WSGIApp, prefix: str = "/llm") -> WSGIApp:
    """Return a WSGI app that serves the gateway below `prefix` and `app` everywhere else."""
    gateway = process_gateway()
    latest: tuple[Serving, WSGIApp] | None = None

    def current() -> WSGIApp:
        nonlocal latest
        serving = gateway.serving
        if latest is None or latest[0] is not serving:
            latest = serving, mount_gateway(app, serving.gateway, prefix, serving.runtime)
        return latest[1]

    def front(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return current()(environ, start_response)

    current()  # a wrong prefix is told at once
    return front
