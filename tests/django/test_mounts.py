"""The mounts in front of Django's apps; the HTTP suite has all else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.test import override_settings

from llmgateway_asgi.app import Message, Receive, Scope, Send
from llmgateway_django import asgi, wsgi
from llmgateway_wsgi import Environ, StartResponse


def own_wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer as the project would."""
    start_response("200 OK", [])
    return [b"own"]


async def lifespan(app: Any) -> list[str]:
    """Start and stop an app; returns what it says."""
    asked = iter(["lifespan.startup", "lifespan.shutdown"])
    said: list[str] = []

    async def receive() -> Message:
        return {"type": next(asked)}

    async def send(message: Message) -> None:
        said.append(message["type"])

    await app({"type": "lifespan"}, receive, send)
    return said


async def test_django_s_app_takes_no_lifespan_so_the_gateway_does() -> None:
    app = asgi.mount(get_asgi_application())

    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == await lifespan(app)


async def test_an_app_around_django_s_has_its_own_lifespan() -> None:
    asked: list[str] = []

    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["type"])

    await lifespan(asgi.mount(own))

    assert ["lifespan"] == asked


@pytest.mark.parametrize("mount", [asgi.mount, wsgi.mount])
@pytest.mark.parametrize("prefix", ["llm", "/llm/"])
def test_a_wrong_prefix_is_told_at_once(mount: Any, prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        mount(own_wsgi, prefix=prefix)


def test_overridden_settings_reach_the_mount() -> None:
    app = wsgi.mount(own_wsgi)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/llm/v1/models", "wsgi.input": None}
    statuses: list[str] = []

    def start_response(status: str, headers: Any) -> Any:
        statuses.append(status)

    for access in ("keys", "open"):
        with override_settings(LLMGATEWAY={"RUNTIME": "inline", "ACCESS": access}):
            b"".join(app(dict(environ), start_response))

    assert "401 Unauthorized" == statuses[0]
    assert "401 Unauthorized" != statuses[1]
