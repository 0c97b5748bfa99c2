"""The one view, for every method and path below the place where the project includes it.

Under ASGI it awaits the gateway; under WSGI the background loop answers while it blocks.
"""

from __future__ import annotations

from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from llmgateway.runtime import InlineLoop, SyncResponse
from llmgateway_django.answers import PassedOn, response_of
from llmgateway_django.callers import asked_with
from llmgateway_django.gateway import Serving, gateway
from llmgateway_django.requests import environ_below, request_of
from llmgateway_wsgi import request_of as request_of_environ

__all__ = ["serve", "serve_blocking"]


@csrf_exempt  # callers prove who they are by a key, which no browser sends by itself
async def serve(request: HttpRequest, path: str = "", **_: Any) -> HttpResponseBase:
    """Answer one request. What else the project's own route captures is the project's."""
    serving = gateway.serving
    head_only = request.method == "HEAD"
    with asked_with(request):
        if not isinstance(request, ASGIRequest):
            answer = await _answer_wsgi(serving, request, path)
            return response_of(
                answer.status, answer.headers, answer.body, head_only=head_only, awaited=False
            )
        serving.flush_at_end()
        made = await serving.answer(request_of(request, path))
    body: bytes | PassedOn = (
        made.body
        if isinstance(made.body, bytes)
        else PassedOn(made.body, serving.gateway.settings.limits.stalled_reader_s)
    )
    return response_of(made.status, made.headers, body, head_only=head_only, awaited=True)


@csrf_exempt
def serve_blocking(request: HttpRequest, path: str = "", **_: Any) -> HttpResponseBase:
    """Do as `serve` where Django is not on a loop: it would make one for each request."""
    with asked_with(request):
        answer = gateway.serving.wsgi.answer(environ_below(request, path))
    head_only = request.method == "HEAD"
    return response_of(
        answer.status, answer.headers, answer.body, head_only=head_only, awaited=False
    )


async def _answer_wsgi(serving: Serving, request: HttpRequest, path: str) -> SyncResponse:
    environ = environ_below(request, path)
    if isinstance(serving.runtime, InlineLoop):
        # Django has made this loop for this call: what `InlineLoop` would do otherwise.
        limit_s = serving.gateway.settings.limits.body_s
        return await serving.runtime.ahandle(serving.gateway, request_of_environ(environ, limit_s))
    # It blocks, and nothing else is on this loop.
    return serving.wsgi.answer(environ)
