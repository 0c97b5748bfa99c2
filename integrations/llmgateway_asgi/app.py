"""The ASGI app: shapes are translated and disconnects heeded; all policy is the gateway's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import quote

from llmgateway.errors import ClientDisconnected, StreamAborted
from llmgateway.gateway import Gateway
from llmgateway.types.http import Headers, HTTPRequest, HTTPResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            case other:
                raise ValueError(f"llmgateway does not serve scopes of type {other!r}")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = _Client(receive, bodiless=scope["method"] in ("GET", "HEAD"))
        request = HTTPRequest(
            method=scope["method"],
            path=path_of(scope),
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=Headers(scope["headers"]),
            body=client.body(),
            client=scope["client"][0] if scope.get("client") else None,
        )
        task = _current_task()
        watcher = asyncio.create_task(client.cancel_when_gone(task))
        try:
            response = await self.gateway.handle(request)
            await self._send(response, send, client, head_only=request.method == "HEAD")
        except (ClientDisconnected, OSError):
            pass  # whoever is gone needs no answer; from ASGI 2.4 on `send` says so by an OSError
        except asyncio.CancelledError:
            if not client.cancelled_us or task.cancelling() > 1:
                raise  # it is not ours, or not only, and goes on its way
        finally:
            watcher.cancel()
            if client.cancelled_us:
                task.uncancel()
        if client.gone and not client.started:
            # Nobody reads it, but Starlette's BaseHTTPMiddleware takes no answer for a failure.
            with suppress(Exception):
                await send({"type": "http.response.start", "status": 499, "headers": []})
                await send({"type": "http.response.body", "body": b""})

    async def _send(
        self, response: HTTPResponse, send: Send, client: _Client, *, head_only: bool
    ) -> None:
        client.started = True
        start = {"type": "http.response.start", "status": response.status}
        body = response.body
        if isinstance(body, bytes):
            headers = list(response.headers)
            # A 204 may not state a length, and the length of no body is not the one of a GET's.
            if response.status != 204 and (body or not head_only):
                headers.append((b"content-length", str(len(body)).encode("ascii")))
            await send({**start, "headers": headers})
            client.answered = True
            await send({"type": "http.response.body", "body": b"" if head_only else body})
            return
        stalled_s = self.gateway.settings.limits.stalled_reader_s
        try:
            async with aclosing(body):
                await send({**start, "headers": list(response.headers)})
                async for piece in body:
                    async with asyncio.timeout(stalled_s):
                        message = {"type": "http.response.body", "body": piece, "more_body": True}
                        await send(message)
        except (StreamAborted, TimeoutError):
            # Servers cut what lacks a last message, but Starlette's BaseHTTPMiddleware adds one. It
            # fails at a message of no known type, which servers refuse without any effect.
            with suppress(Exception):
                async with asyncio.timeout(stalled_s):
                    await send({"type": "http.response.cut"})
            return
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


class _Client:
    """The client's side of one request: its body, and the news of its leaving."""

    def __init__(self, receive: Receive, *, bodiless: bool) -> None:
        self._receive = receive
        self._body_read = asyncio.Event()
        if bodiless:
            self._body_read.set()
        self.gone = False
        self.cancelled_us = False
        self.started = False
        self.answered = False
        """Set before the last message: servers report a disconnect after it as well."""

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body; raises `ClientDisconnected` if the client leaves before its end."""
        more = not self._body_read.is_set()
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                raise ClientDisconnected("The client left before its request was whole.")
            more = message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece
        self._body_read.set()

    async def cancel_when_gone(self, task: asyncio.Task[Any]) -> None:
        """Cancel the task when the client leaves; two readers of `receive` would not do before."""
        await self._body_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self.answered:
            return
        self.gone = self.cancelled_us = True
        task.cancel()


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "an ASGI app runs in a task"
    return task


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
