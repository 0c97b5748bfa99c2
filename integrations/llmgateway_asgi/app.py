"""The ASGI app: shapes are translated and disconnects heeded; all policy is the gateway's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import quote

from llmgateway.errors import ClientDisconnected, StreamAborted
from llmgateway.gateway import Gateway
from llmgateway.transport.perloop import PerLoop
from llmgateway.transport.wheel import TaskLimit
from llmgateway.types.http import ByteStream, Headers, HTTPRequest, HTTPResponse, RawHeaders
from llmgateway_asgi.client import Client, Lookout, Message, Receive

__all__ = ["GatewayApp", "Message", "Receive", "Scope", "Send", "path_of"]

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_PATH_CHARS = "/:@!$&'()*+,=~"
"""What RFC 3986, section 3.3, lets stand in a path as it is, but for the semicolon."""


class GatewayApp:
    """An ASGI 3 app. Honours `root_path`; works with and without lifespan events.

    A broken stream gets no end, for the server to cut; Daphne, Hypercorn's HTTP/2 leave it open.
    Source: https://asgi.readthedocs.io/en/latest/specs/www.html
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._lookouts = PerLoop(Lookout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            raise ValueError(f"llmgateway does not serve scopes of type {kind!r}")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        client = Client(receive, self._lookouts, bodiless=method in ("GET", "HEAD"))
        request = HTTPRequest(
            method=method,
            path=path_of(scope),
            query=scope.get("query_string", b"").decode("latin-1"),
            # The specification has the names in lower case.
            headers=Headers.lowered(tuple(map(tuple, scope["headers"]))),
            body=client,
            client=scope["client"][0] if scope.get("client") else None,
        )
        try:
            response = await self.gateway.handle(request)
            client.started = True
            if isinstance(response.body, bytes):
                await self._send(response, response.body, send, client, head_only=method == "HEAD")
            else:
                await self._stream(response, response.body, send, client)
        except (ClientDisconnected, OSError):
            pass  # whoever is gone needs no answer; from ASGI 2.4 on `send` says so by an OSError
        except asyncio.CancelledError:
            if not client.is_why():
                raise  # it is not ours, or not only, and goes on its way
        finally:
            client.close()
        if client.gone and not client.started:
            # Nobody reads it, but Starlette's BaseHTTPMiddleware takes no answer for a failure.
            with suppress(Exception):
                await send({"type": "http.response.start", "status": 499, "headers": []})
                await send({"type": "http.response.body", "body": b""})

    async def _send(
        self, response: HTTPResponse, body: bytes, send: Send, client: Client, *, head_only: bool
    ) -> None:
        headers = response.headers
        # A 204 may not state a length, and the length of no body is not the one of a GET's.
        if response.status != 204 and (body or not head_only):
            headers += ((b"content-length", b"%d" % len(body)),)
        await send(_start(response.status, headers))
        client.answered = True
        await send({"type": "http.response.body", "body": b"" if head_only else body})

    async def _stream(
        self, response: HTTPResponse, body: ByteStream, send: Send, client: Client
    ) -> None:
        stalled_s = self.gateway.settings.limits.stalled_reader_s
        limit = TaskLimit()
        try:
            async with aclosing(body):
                await send(_start(response.status, response.headers))
                with limit:
                    async for piece in body:
                        limit.start(stalled_s)
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                        limit.stop()
        except (StreamAborted, TimeoutError):
            # Servers cut what lacks a last message, but Starlette's BaseHTTPMiddleware adds one. It
            # fails at a message of no known type, which servers refuse without any effect.
            with suppress(Exception), limit.within(stalled_s):
                await send({"type": "http.response.cut"})
            return
        finally:
            limit.close()
        client.answered = True
        await send({"type": "http.response.body", "body": b""})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.gateway.aopen()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    raise
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.gateway.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _start(status: int, headers: RawHeaders) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def path_of(scope: Scope) -> str:
    """Return the percent-encoded path below the mount prefix.

    Servers put the prefix into `path` as well (ASGI spec 2.3 on); older mounts may not.
    """
    raw = scope.get("raw_path")
    path: str = raw.decode("latin-1") if raw else quote(scope["path"], safe=_PATH_CHARS)
    root: str = scope.get("root_path", "").rstrip("/")
    if root and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    return path or "/"
