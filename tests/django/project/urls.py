"""The project's addresses."""

from __future__ import annotations

import asyncio

from django.contrib import admin
from django.core.handlers.asgi import ASGIRequest
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path

from llmgateway.runtime import background_loop


@non_atomic_requests  # the suites of gateways have no database
def _own(request: HttpRequest) -> HttpResponse:
    return HttpResponse("the host's own", content_type="text/plain")


@non_atomic_requests
async def _tasks(request: HttpRequest) -> JsonResponse:
    """Tell how many tasks the loop has that serves the gateway."""
    counted = _count_tasks()
    awaited = isinstance(request, ASGIRequest)
    return JsonResponse({"tasks": await counted if awaited else background_loop().run(counted)})


async def _count_tasks() -> int:
    return len(asyncio.all_tasks())


urlpatterns = [
    path("admin/", admin.site.urls),
    path("own", _own),
    path("tasks", _tasks),
    path("llm/", include("llmgateway.urls")),
]
