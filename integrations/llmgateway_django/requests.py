"""Django's requests as the gateway has them: the path as it came, the body unread."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from django.core.handlers.asgi import ASGIRequest

from llmgateway.errors import ClientDisconnected
from llmgateway.types.http import ArrivingBody, Headers, HTTPRequest
from llmgateway_asgi.app import path_of
from llmgateway_wsgi import Environ

__all__ = ["environ_below", "request_of"]

PIECE_BYTES = 64 * 1024


def environ_below(request: Any, path: str) -> Environ:
    """Return a WSGI request's environment, with the gateway's prefix in `SCRIPT_NAME`."""
    environ = request.environ
    root, below = _split(request.path_info, path)
    source = environ["wsgi.input"]
    if request._read_started:  # a middleware has looked at it; Django may have kept it
        source = request
    # Whoever asks for it later is told by Django, instead of waiting for more of it to come.
    request._read_started = True
    return {
        **environ,
        # Django has put its own, decoded form into both.
        "SCRIPT_NAME": _encoded(environ.get("SCRIPT_NAME", "").rstrip("/") + root),
        "PATH_INFO": _encoded(below),
        "wsgi.input": source,
    }


def request_of(request: ASGIRequest, path: str) -> HTTPRequest:
    """Return an ASGI request, whose body Django has spooled already."""
    scope = request.scope
    query: str | bytes = scope.get("query_string", b"")  # text, in Django's test client
    return HTTPRequest(
        method=request.method,
        path=_raw_path(request, path),
        query=query if isinstance(query, str) else query.decode("latin-1"),
        headers=Headers(tuple(map(tuple, scope.get("headers", ())))),
        body=b"" if request.method in ("GET", "HEAD") else _SpooledBody(request),
        client=request.META.get("REMOTE_ADDR") or None,  # as under WSGI: a middleware may know more
    )


def _split(path_info: str, path: str) -> tuple[str, str]:
    """Cut a path in front of the slash before what the route has captured."""
    root = path_info[: len(path_info) - len(path)].rstrip("/")
    return root, path_info[len(root) :]


def _encoded(text: str) -> str:
    return text.encode().decode("latin-1")


def _raw_path(request: ASGIRequest, path: str) -> str:
    _, below = _split(request.path_info, path)
    root = request.path.removesuffix(below)
    scope: dict[str, Any] = {"path": request.path, "root_path": root}
    raw = request.scope.get("raw_path")
    # Only if it is still about the same path: what has been rewritten counts as it is now.
    if raw and unquote(raw.decode("latin-1")) == request.path:
        scope["raw_path"] = raw
    return path_of(scope)


class _SpooledBody(ArrivingBody):
    """A body that is here, in memory or in a file."""

    __slots__ = ("_first", "_request")

    def __init__(self, request: ASGIRequest) -> None:
        self._request = request
        self._first = b""

    def take(self) -> bytes | None:
        """Return the body if it is short; see `ArrivingBody`."""
        piece = self._read()
        if len(piece) < PIECE_BYTES:
            return piece
        self._first = piece
        return None

    async def __anext__(self) -> bytes:
        piece, self._first = self._first or self._read(), b""
        if not piece:
            raise StopAsyncIteration
        return piece

    def _read(self) -> bytes:
        try:
            return bytes(self._request.read(PIECE_BYTES))
        except OSError as error:
            raise ClientDisconnected("The request body broke off.") from error
