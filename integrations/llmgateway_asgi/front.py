"""Mounting in front of another ASGI app, by path prefix: the fastest place there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from llmgateway.gateway import Gateway
from llmgateway_asgi.app import GatewayApp, Receive, Scope, Send

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def mount(app: ASGIApp, gateway: Gateway, prefix: str = "/llm") -> ASGIApp:
    """Return an ASGI app that serves the gateway below `prefix` and `app` everywhere else.

    Lifespan events go to `app`; the gateway starts at its first request and needs none.
    """
    if not prefix.startswith("/") or prefix.endswith("/"):
        raise ValueError("prefix must begin with a slash and must not end with one")
    inner = GatewayApp(gateway)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        root: str = scope.get("root_path", "")
        below = path.removeprefix(root) if root else path
        if scope["type"] == "http" and (below == prefix or below.startswith(prefix + "/")):
            # Servers before ASGI 2.3 leave the root out of the path.
            mounted_at = prefix if below == path else root + prefix
            await inner({**scope, "root_path": mounted_at}, receive, send)
        else:
            await app(scope, receive, send)

    return front
