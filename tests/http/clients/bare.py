"""The gateway alone under uvicorn, as `llmgateway serve` runs it."""

from __future__ import annotations

import pytest

from llmgateway import Gateway
from llmgateway_asgi import GatewayApp
from llmgateway_asgi.front import ASGIApp
from tests.http.clients.asgi import ASGIHost, NewLoop


class Bare(ASGIHost):
    """No app around the gateway, and so no prefix."""

    name = "bare"
    prefix = ""

    def app(self, gateway: Gateway) -> ASGIApp:
        """Return the gateway's own app."""
        return GatewayApp(gateway)


class BareH11(Bare):
    """The same under uvicorn's other HTTP implementation, which lets more through."""

    name = "bare-h11"
    http = "h11"


class BareUvloop(Bare):
    """The same on the loop that `llmgateway serve` takes where it can."""

    name = "bare-uvloop"

    @classmethod
    def new_loop(cls) -> NewLoop:
        """Return uvloop's."""
        make: NewLoop = pytest.importorskip("uvloop").new_event_loop
        return make
