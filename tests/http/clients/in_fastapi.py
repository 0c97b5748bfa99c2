"""The gateway mounted in a FastAPI app."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from llmgateway import Gateway
from llmgateway_asgi import GatewayApp
from llmgateway_asgi.front import ASGIApp
from tests.http.clients.asgi import ASGIHost


class InFastAPI(ASGIHost):
    """FastAPI's `mount`."""

    name = "fastapi"

    def app(self, gateway: Gateway) -> ASGIApp:
        """Return a FastAPI app with a route of its own."""
        app = FastAPI()
        app.mount("/llm", GatewayApp(gateway))

        @app.get("/own", response_class=PlainTextResponse)
        def own() -> str:
            return "the host's own"

        return app
