"""What an app has of the gateway, and the proxy that finds it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from flask import current_app, has_app_context
from werkzeug.local import LocalProxy

from llmgateway.gateway import Gateway
from llmgateway.runtime import Runtime, SyncResponse
from llmgateway.types.call import Principal
from llmgateway.types.http import HTTPRequest
from llmgateway_wsgi import GatewayWSGI

__all__ = ["EXTENSION", "FlaskGateway", "current_gateway", "state"]

T = TypeVar("T")

EXTENSION = "llmgateway"
"""The key in `app.extensions`."""


class FlaskGateway:
    """The gateway of one app, for callers that block."""

    def __init__(self, gateway: Gateway, runtime: Runtime) -> None:
        self.gateway = gateway
        self.runtime = runtime
        self.wsgi = GatewayWSGI(gateway, runtime)
        self.front_prefix: str | None = None
        """Where it is mounted in front of the app, if it is."""

    def handle(self, request: HTTPRequest, principal: Principal | None = None) -> SyncResponse:
        """Answer a request without HTTP, by the same policies and with the same record.

        `principal` is a caller that the app vouches for; without one the request's headers decide.
        A streamed body is an iterator of bytes; whoever takes it closes it.
        """
        return self.runtime.handle(self.gateway, request, principal)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the gateway runs, such as `gateway.recorder.flush()`."""
        return self.runtime.run(coroutine)


def state() -> FlaskGateway:
    """Return the current app's. Raises `RuntimeError` where there is none."""
    if not has_app_context():
        raise RuntimeError(
            "current_gateway needs an app: use it in a view or a command, or within "
            "`with app.app_context():`."
        )
    found: FlaskGateway | None = current_app.extensions.get(EXTENSION)
    if found is None:
        raise RuntimeError(
            f"The app {current_app.name!r} has no gateway: call `LLMGateway().init_app(app)` "
            "where the app is made."
        )
    return found


# Whoever reads it sees the gateway, so that is its type; flask's own proxies do the same.
current_gateway: FlaskGateway = LocalProxy(state)  # type: ignore[assignment]
