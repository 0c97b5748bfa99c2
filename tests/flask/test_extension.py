"""The extension: one for many apps, in-app use, commands."""

from __future__ import annotations

import threading
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from flask import Flask, Request

from llmgateway import Gateway, Principal
from llmgateway.providers import Provider
from llmgateway.providers.dialect import openai_compatible
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.upstream import UpstreamRequest
from llmgateway_flask import LLMGateway, by_request_loader, current_gateway
from tests.flask.conftest import BEARER, BODY, CHAT, SETTINGS, make_app
from tests.scripted import ScriptedTransport, chat, delta, events, stream

JSON = Headers.of(content_type="application/json")
ALICE = Principal("user:alice")


def ask(**changes: Any) -> HTTPRequest:
    """Return a chat request."""
    body = orjson.dumps({**BODY, **changes})
    return HTTPRequest("POST", "/v1/chat/completions", "", JSON, body)


def text(body: object) -> str:
    """Return the text of a chat answer."""
    assert isinstance(body, bytes)
    answer: str = orjson.loads(body)["choices"][0]["message"]["content"]
    return answer


def test_each_app_has_a_gateway_of_its_own(llm: LLMGateway, transport: ScriptedTransport) -> None:
    one, two = make_app(), make_app({"default_provider": "groq", "access": "open"})
    llm.init_app(one)
    llm.init_app(two)
    transport.steps += [chat("one"), chat("two")]

    own = {"authorization": "Bearer gsk-of-the-caller"}
    first = one.test_client().post(CHAT, json=BODY, headers=BEARER)
    second = two.test_client().post(CHAT, json=BODY, headers=own)

    assert ["openai", "groq"] == [a.headers["x-llmgateway-provider"] for a in (first, second)]
    assert app_free(llm)


def app_free(llm: LLMGateway) -> bool:
    """Tell whether an extension holds no app."""
    return not any(isinstance(value, Flask) for value in vars(llm).values())


def test_an_app_is_given_one_only(llm: LLMGateway, app: Flask) -> None:
    with pytest.raises(RuntimeError, match="once for each app"):
        llm.init_app(app)


def test_rows_of_ones_own_are_handed_on() -> None:
    row = Provider(
        name="house",
        base_url="https://llm.house.example/v1",
        endpoints=openai_compatible("chat"),
        docs="https://llm.house.example/docs",
    )
    app = make_app({"default_provider": "house", "providers": {"house": {"api_key": "k"}}})
    LLMGateway(app, providers=iter([row]))

    assert "openai" in app.extensions["llmgateway"].gateway.registry
    assert "house" in app.extensions["llmgateway"].gateway.registry


def test_a_ready_gateway_may_be_given(parts: dict[str, Any], transport: ScriptedTransport) -> None:
    gateway = Gateway({"access": "open"}, transport=parts["transport"])
    app = make_app({"nonsense": "is not read then"})
    LLMGateway(runtime=parts["runtime"]).init_app(app, gateway=gateway)

    with app.app_context():
        assert gateway is current_gateway.gateway


def test_a_ready_gateway_knows_its_callers_itself() -> None:
    llm = LLMGateway(authenticate=lambda request: None)

    with pytest.raises(ValueError, match="authenticate"):
        llm.init_app(Flask(__name__), gateway=Gateway())


# ---- current_gateway


def test_outside_of_an_app_it_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="app_context"):
        current_gateway.handle(ask())


def test_without_the_extension_it_says_what_to_do() -> None:
    with Flask("shop").app_context(), pytest.raises(RuntimeError, match="'shop' has no gateway"):
        current_gateway.handle(ask())


def test_a_view_asks_for_the_user_it_knows(
    app: Flask, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    transport.steps.append(chat("Good day"))

    @app.get("/")
    def home() -> str:
        return text(current_gateway.handle(ask(), ALICE).body)

    assert "Good day" == app.test_client().get("/").text
    app.extensions["llmgateway"].run(app.extensions["llmgateway"].gateway.recorder.flush())
    assert ["user:alice"] == [record.principal for record in records.all()]


def test_a_stream_within_the_app_is_an_iterator(app: Flask, transport: ScriptedTransport) -> None:
    transport.steps.append(stream(*events(delta("a"), delta("b"), delta(finish="stop"))))

    with app.app_context():
        body = current_gateway.handle(ask(stream=True), ALICE).body

    assert not isinstance(body, bytes)
    assert b"".join(body).endswith(b"data: [DONE]\n\n")
    body.close()


def test_the_same_policies_count_within_the_app(app: Flask) -> None:
    with app.app_context():
        assert 401 == current_gateway.handle(ask()).status
        assert 404 == current_gateway.handle(HTTPRequest("GET", "/x", "", JSON, b""), ALICE).status


def test_a_command_asks_too(app: Flask, transport: ScriptedTransport) -> None:
    transport.steps.append(chat("Good day"))

    @app.cli.command("ask")
    def command() -> None:
        print(text(current_gateway.handle(ask(), Principal("command:ask")).body))

    assert "Good day\n" == app.test_cli_runner().invoke(args=["ask"]).output


def test_an_inline_loop_may_be_chosen(transport: ScriptedTransport, records: MemoryRecords) -> None:
    app = make_app(LLMGATEWAY_RUNTIME="inline")
    LLMGateway(app, transport=lambda: transport, records=records)
    client = app.test_client()
    transport.steps += [chat("one"), stream(*events(delta("two"), delta(finish="stop")))]

    whole = client.post(CHAT, json=BODY, headers=BEARER)
    streamed = client.post(CHAT, json={**BODY, "stream": True}, headers=BEARER)

    assert b"one" in whole.data and b"two" in streamed.data
    assert 2 == len(records.all())


def test_an_inline_loop_knows_the_apps_users(transport: ScriptedTransport) -> None:
    app = make_app(LLMGATEWAY_RUNTIME="inline")
    LLMGateway(app, authenticate=lambda request: ALICE, transport=lambda: transport)
    transport.steps.append(chat())

    assert 200 == app.test_client().post(CHAT, json=BODY).status_code


# ---- Flask-Login's way


@dataclass
class User:
    """A user as Flask-Login has them."""

    name: str
    is_active: bool = True

    def get_id(self) -> str:
        """Return the name."""
        return self.name


USERS = {"token-of-alice": User("alice"), "token-of-bob": User("bob", is_active=False)}


def load_user_from_request(request: Request) -> User | None:
    """Look a user up, as the example of Flask-Login's docs does."""
    token = request.args.get("api_key") or ""
    if request.authorization is not None and request.authorization.type == "bearer":
        token = request.authorization.token or ""
    assert not request.cookies
    return USERS.get(token)


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"authorization": "Bearer token-of-alice"}, "", 200),
        ({"authorization": "Bearer token-of-bob"}, "", 401),
        ({}, "", 401),
        ({}, "?api_key=token-of-alice", 200),
    ],
)
def test_a_request_loader_says_who_calls(
    parts: dict[str, Any],
    transport: ScriptedTransport,
    headers: dict[str, str],
    query: str,
    status: int,
) -> None:
    app = make_app()
    LLMGateway(app, authenticate=by_request_loader(load_user_from_request), **parts)
    transport.steps.append(chat())
    client = app.test_client()
    client.set_cookie("session", "whatever")

    assert status == client.post(CHAT + query, json=BODY, headers=headers).status_code


def test_a_request_loader_sees_what_is_sent(
    parts: dict[str, Any], transport: ScriptedTransport
) -> None:
    seen: list[Request] = []
    app = make_app()
    LLMGateway(app, authenticate=by_request_loader(seen.append), **parts)

    app.test_client().post(CHAT, json=BODY)

    assert seen[0].is_json


# ---- commands


def test_check_tells_what_the_settings_come_to(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["llmgateway", "check"])

    assert 0 == done.exit_code
    assert [
        "The settings can be used.",
        "served at: /llm",
        "access: keys",
        "provider openai: key stored",
        "requests without a config go to the default provider:",
        "config: openai, key stored, no retry, no request timeout",
    ] == done.output.splitlines()


def test_check_draws_the_targets(parts: dict[str, Any]) -> None:
    targets = [{"provider": "openai"}, {"provider": "groq"}]
    config = {"strategy": {"mode": "fallback"}, "targets": targets}
    app = make_app({**SETTINGS, "config": config})
    LLMGateway(app, None, **parts)

    done = app.test_cli_runner().invoke(args=["llmgateway", "check"])

    assert "served at: no address, in-app only" in done.output
    assert "config.targets[1]: groq" in done.output


@pytest.mark.parametrize("front", [True, False])
def test_routes_lists_them_below_the_prefix(parts: dict[str, Any], front: bool) -> None:
    app = make_app()
    LLMGateway(app, "/ai", front=front, **parts)

    lines = app.test_cli_runner().invoke(args=["llmgateway", "routes"]).output.splitlines()

    (line,) = [line for line in lines if " /ai/v1/chat/completions " in line]
    assert line.startswith("POST") and line.endswith("Chat completions, streamed or not.")


def test_routes_of_a_gateway_that_is_served_nowhere_are_none(parts: dict[str, Any]) -> None:
    app = make_app()
    LLMGateway(app, None, **parts)

    assert "" == app.test_cli_runner().invoke(args=["llmgateway", "routes"]).output


def test_the_process_has_one_loop_by_default() -> None:
    seen: list[str] = []

    class Threads(ScriptedTransport):
        async def send(self, request: UpstreamRequest) -> Any:
            seen.append(threading.current_thread().name)
            return await super().send(request)

    llm = LLMGateway(transport=lambda: Threads(chat()))
    for app in (make_app(), make_app()):
        llm.init_app(app)
        app.test_client().post(CHAT, json=BODY, headers=BEARER)

    assert 2 == len(seen)
    assert {"llmgateway"} == set(seen)


def test_nothing_of_flasks_contexts_goes_to_the_loop(parts: dict[str, Any]) -> None:
    """A connection that is opened there would keep the request of its first user for ever."""
    seen: list[object] = []

    class Contexts(ScriptedTransport):
        async def send(self, request: UpstreamRequest) -> Any:
            seen.append(list(copy_context()))
            return await super().send(request)

    app = make_app()
    LLMGateway(app, **{**parts, "transport": lambda: Contexts(chat(), chat())})
    client = app.test_client()
    client.post(CHAT, json=BODY, headers=BEARER)
    with app.test_request_context():
        current_gateway.handle(ask(), ALICE)

    assert [[], []] == seen


def test_a_ready_gateways_own_judgement_sees_no_cookie(
    parts: dict[str, Any], transport: ScriptedTransport
) -> None:
    seen: list[HTTPRequest] = []

    def judge(request: HTTPRequest) -> Principal | None:
        seen.append(request)
        return None

    app = make_app()
    gateway = Gateway(SETTINGS, authenticate=judge, transport=parts["transport"])
    LLMGateway(runtime=parts["runtime"]).init_app(app, gateway=gateway)
    client = app.test_client()
    client.set_cookie("session", "whatever")

    assert 401 == client.post(CHAT, json=BODY).status_code
    assert [None] == [request.headers.get("cookie") for request in seen]


def test_an_async_view_asks_as_any_other(app: Flask, transport: ScriptedTransport) -> None:
    transport.steps.append(chat("Good day"))

    @app.get("/")
    async def home() -> str:
        return text(current_gateway.handle(ask(), ALICE).body)

    assert "Good day" == app.test_client().get("/").text
