"""Mounting in front of the project's ASGI app: nothing of Django runs for the gateway's requests.

application = mount(get_asgi_application(), prefix="/llm")
"""

from __future__ import annotations

from django.core.handlers.asgi import ASGIHandler

from llmgateway.gateway import Gateway
from llmgateway_asgi import GatewayApp
from llmgateway_asgi import mount as mount_gateway
from llmgateway_asgi.app import Receive, Scope, Send
from llmgateway_asgi.front import ASGIApp
from llmgateway_django.late import process_gateway

__all__ = ["mount"]


def mount(app: ASGIApp, prefix: str = "/llm") -> ASGIApp:
    """Return an ASGI app that serves the gateway below `prefix` and `app` everywhere else.

    Bodies come as they are sent, within the gateway's own limits, and are not spooled. Django's
    own app takes no lifespan events, so they are the gateway's then: it stores its last records.
    """
    gateway = process_gateway()
    takes_lifespan = not isinstance(app, ASGIHandler)
    latest: tuple[Gateway, ASGIApp] | None = None

    def current() -> ASGIApp:
        nonlocal latest
        made = gateway.serving.gateway
        if latest is None or latest[0] is not made:
            latest = made, mount_gateway(app, made, prefix)
        return latest[1]

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and not takes_lifespan:
            await GatewayApp(gateway.serving.gateway)(scope, receive, send)
        else:
            await current()(scope, receive, send)

    current()  # a wrong prefix is told at once
    return front
