"""A few crossings over real sockets on both sides, through each kind of shell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx2
import pytest
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from werkzeug.serving import make_server

from llmgateway import Gateway
from llmgateway.testing.server import serve_in_thread
from llmgateway_asgi import GatewayApp
from llmgateway_flask import LLMGateway
from tests.crossings import answers
from tests.crossings.asks import request as request_of
from tests.crossings.doors import DOORS, streaming
from tests.crossings.gateway import MODELS
from tests.crossings.told import told

_PROVIDERS = {
    "/v1/messages": "anthropic",
    "/chat/completions": "openai",
    f"/v1beta/models/{MODELS['google']}:generateContent": "google",
    f"/v1beta/models/{MODELS['google']}:streamGenerateContent": "google",
}


async def _provide(request: Request) -> Response:
    """Answer as the provider whose path it is: an agent's answer, streamed if asked."""
    provider = _PROVIDERS[request.url.path]
    body = await request.json()
    if body.get("stream") or request.url.path.endswith(":streamGenerateContent"):
        raw = b"".join(answers.streamed(provider, "tools"))
        return Response(raw, media_type="text/event-stream")
    return Response(answers.whole(provider, "tools"), media_type="application/json")


@contextmanager
def _in_asgi(gateway: Gateway) -> Iterator[str]:
    with serve_in_thread(GatewayApp(gateway)) as server:
        yield server.url


@contextmanager
def _in_flask(gateway: Gateway, *, front: bool = False) -> Iterator[str]:
    app = Flask(__name__)
    LLMGateway(front=front).init_app(app, gateway=gateway)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/llm"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _before_flask(gateway: Gateway) -> AbstractContextManager[str]:
    return _in_flask(gateway, front=True)


_SHELLS = {"asgi": _in_asgi, "flask": _in_flask, "before-flask": _before_flask}


@pytest.fixture(scope="module", params=_SHELLS)
def gateway_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a gateway in front of the three providers."""
    routes = [Route("/{path:path}", _provide, methods=["POST"])]
    with serve_in_thread(Starlette(routes=routes)) as upstream:
        bases = {"anthropic": f"{upstream.url}/v1", "google": upstream.url, "openai": upstream.url}
        settings = {
            "providers": {
                name: {"base_url": base, "api_key": "key"} for name, base in bases.items()
            },
            "access": "local",
            "allow_loopback_upstreams": True,
        }
        with _SHELLS[request.param](Gateway(settings)) as url:
            yield url


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("door", "provider"),
    [
        ("messages", "google"),
        ("messages", "openai"),
        ("responses", "anthropic"),
        ("generate_content", "anthropic"),
        ("chat", "google"),
    ],
)
def test_tools_cross_over_sockets(gateway_url: str, door: str, provider: str, stream: bool) -> None:
    model = MODELS[provider]
    asked = request_of(door, "tools", model)
    path, query = DOORS[door].path(model, stream)

    answer = httpx2.post(
        f"{gateway_url}{path}?{query}",
        json=streaming(door, asked) if stream else asked,
        headers={"x-llmgateway-provider": provider},
    )

    body = DOORS[door].gathered(answer.content) if stream else answer.json()
    assert 200 == answer.status_code
    assert told("tools", door, provider) == DOORS[door].view(body)
