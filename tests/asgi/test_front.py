"""Mounting in front of another app, by prefix."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway import Gateway
from llmgateway_asgi import mount
from llmgateway_asgi.app import Receive, Scope, Send
from tests.asgi.conftest import BODY, Server, chat_scope
from tests.scripted import ScriptedTransport, chat

CHAT = "/v1/chat/completions"


class Other:
    """The app behind; notes what it gets."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)


@pytest.mark.parametrize(
    ("scope", "ours"),
    [
        pytest.param(chat_scope("/llm" + CHAT), True, id="below"),
        pytest.param(chat_scope("/llm"), True, id="itself"),
        pytest.param(chat_scope("/llm/"), True, id="with-slash"),
        pytest.param(chat_scope("/llmx" + CHAT), False, id="longer-name"),
        pytest.param(chat_scope("/x/llm" + CHAT), False, id="elsewhere"),
        pytest.param(chat_scope(CHAT), False, id="without-prefix"),
        pytest.param(chat_scope("/"), False, id="root"),
        pytest.param(chat_scope("/app/llm" + CHAT, root_path="/app"), True, id="below-a-root"),
        pytest.param(chat_scope("/llm" + CHAT, root_path="/app"), True, id="older-root"),
        pytest.param({"type": "lifespan"}, False, id="lifespan"),
        pytest.param({"type": "websocket", "path": "/llm/x"}, False, id="websocket"),
    ],
)
async def test_each_request_goes_where_it_belongs(
    gateway: Gateway, transport: ScriptedTransport, scope: dict[str, Any], ours: bool
) -> None:
    other = Other()
    transport.steps = [chat()]
    server = await Server(mount(other, gateway, prefix="/llm")).gives(BODY).serve(dict(scope))

    assert ours is (other.scopes == [])
    assert ours is bool(server.sent)
    if scope.get("path", "").endswith(CHAT) and ours:
        assert 200 == server.status


async def test_the_other_apps_scope_is_untouched(gateway: Gateway) -> None:
    other = Other()
    scope = chat_scope("/own", root_path="/app")
    await Server(mount(other, gateway, prefix="/llm")).serve(scope)

    assert scope is other.scopes[0]
    assert "/app" == scope["root_path"]


@pytest.mark.parametrize("prefix", ["", "llm", "/llm/", "/"])
def test_an_odd_prefix_is_refused(gateway: Gateway, prefix: str) -> None:
    with pytest.raises(ValueError, match="slash"):
        mount(Other(), gateway, prefix=prefix)
