"""The gateway's answers as Django's responses."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from wsgiref.util import is_hop_by_hop

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from llmgateway.errors import StreamAborted
from llmgateway.transport.wheel import TaskLimit
from llmgateway.types.http import ByteStream, RawHeaders

__all__ = ["PassedOn", "response_of"]


def response_of(
    status: int, headers: RawHeaders, body: Any, *, head_only: bool, awaited: bool
) -> HttpResponseBase:
    """Return a response with the gateway's fields and no others.

    `body` is bytes, or an iterator of them: an asynchronous one where it is `awaited`.
    """
    response: HttpResponseBase
    if not isinstance(body, bytes):
        response = StreamingHttpResponse(body, status=status)
    elif status == 204 or (head_only and not body):
        # A 204 may not state a length, and the length of no body is not the one of a GET's. Django
        # states one for whatever does not stream.
        response = StreamingHttpResponse(_Nothing() if awaited else (), status=status)
    else:
        response = HttpResponse(b"" if head_only else body, status=status)
        response["content-length"] = str(len(body))
    del response["content-type"]
    if response.streaming:
        # GZipMiddleware would hold events back, and cuts streams in silence. What states a coding
        # is left alone. Seen 2026-11 in Django 5.2: each piece a gzip file of its own.
        response["content-encoding"] = "identity"
    for name, value in headers:
        _add(response, name.decode("latin-1"), value.decode("latin-1"))
    # Django would log each 4xx and mail the admins about a provider's 502; the gateway has a log.
    response._has_been_logged = True
    return response


def _add(response: HttpResponseBase, name: str, value: str) -> None:
    if is_hop_by_hop(name):  # the connection is the server's
        return
    if name == "content-encoding" or not response.has_header(name):
        response[name] = value
    else:
        response[name] = f"{response[name]}, {value}"


class _Nothing:
    """A stream that ends at once, for those who await."""

    def __aiter__(self) -> _Nothing:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


class PassedOn:
    """A stream on its way through Django's ASGI handler, which neither closes nor limits it."""

    def __init__(self, body: ByteStream, stalled_s: float) -> None:
        self._body = body
        self._pieces = body.__aiter__()
        self._stalled_s = stalled_s
        self._loop = asyncio.get_running_loop()
        self._limit: TaskLimit | None = None
        self._closed = False

    def __aiter__(self) -> PassedOn:
        return self

    async def __anext__(self) -> bytes:
        if self._limit is None:
            self._limit = TaskLimit()
        self._limit.stop()
        try:
            piece = await self._pieces.__anext__()
        except StreamAborted as error:
            # Django ends an answer without its last message only if its task is cancelled.
            raise asyncio.CancelledError from error
        # Django sends the piece before it asks for another: a client that does not read is cut.
        self._limit.start(self._stalled_s)
        return piece

    def close(self) -> None:
        """Let the provider go; Django calls it in any thread, and not always."""
        if not self._closed:
            self._closed = True
            with suppress(RuntimeError):  # the loop is over, and all that was on it
                self._loop.call_soon_threadsafe(self._begin_end)

    __del__ = close

    def _begin_end(self) -> None:
        if self._limit is not None:
            self._limit.close()
        task = self._loop.create_task(self._body.aclose())
        _ending.add(task)
        task.add_done_callback(_ending.discard)


_ending: set[asyncio.Task[None]] = set()
"""Held, since a loop holds its tasks weakly."""
