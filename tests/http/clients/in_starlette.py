"""The gateway mounted in a Starlette app."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from llmgateway import Gateway
from llmgateway_asgi import GatewayApp
from llmgateway_asgi.front import ASGIApp
from tests.http.clients.asgi import ASGIHost


async def _own(request: Request) -> PlainTextResponse:
    return PlainTextResponse("the host's own")


class InStarlette(ASGIHost):
    """Starlette's `Mount`."""

    name = "starlette"

    def app(self, gateway: Gateway) -> ASGIApp:
        """Return a Starlette app with a route of its own."""
        return Starlette(routes=[Mount("/llm", GatewayApp(gateway)), Route("/own", _own)])
