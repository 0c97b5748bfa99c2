"""The blueprint and the front mount, by Flask's own test client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, g, request, session
from werkzeug.exceptions import HTTPException

from llmgateway import Principal
from llmgateway.runtime import BackgroundLoop
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import HTTPRequest
from llmgateway_flask import LLMGateway, blueprint, current_gateway
from tests.flask.conftest import BEARER, BODY, CHAT, make_app
from tests.scripted import ScriptedTransport, chat, delta, events, failure, stream

STREAMED = {**BODY, "stream": True}
END = delta(finish="stop")


def flushed(app: Flask, records: MemoryRecords) -> list[int]:
    """Return the statuses in the log, once all is stored."""
    with app.app_context():
        current_gateway.run(current_gateway.gateway.recorder.flush())
    return [record.status for record in records.all()]


@pytest.fixture(params=["blueprint", "front"])
def served(request: pytest.FixtureRequest, parts: dict[str, Any]) -> Flask:
    """An app with the gateway at /llm, in both ways."""
    app = make_app()
    LLMGateway(app, front=request.param == "front", **parts)
    return app


def test_an_answer(served: Flask, transport: ScriptedTransport) -> None:
    transport.steps.append(chat("Good day"))

    answer = served.test_client().post(CHAT, json=BODY, headers=BEARER)

    assert (200, "application/json") == (answer.status_code, answer.content_type)
    assert "Good day" == answer.json["choices"][0]["message"]["content"]  # type: ignore[index]
    assert "openai" == answer.headers["x-llmgateway-provider"]


def test_a_stream_comes_piece_by_piece(
    served: Flask, transport: ScriptedTransport, loop: BackgroundLoop
) -> None:
    more = loop.run(_event())
    transport.steps.append(stream(*events(delta("a"), done=False), more, *events(delta("b"), END)))

    answer = served.test_client().post(CHAT, json=STREAMED, headers=BEARER)
    pieces = answer.iter_encoded()
    first = next(pieces)
    loop.run(_set(more))
    rest = b"".join(pieces)
    answer.close()

    assert b'"a"' in first and b'"b"' not in first
    assert rest.endswith(b"data: [DONE]\n\n")


async def _event() -> asyncio.Event:
    return asyncio.Event()


async def _set(event: asyncio.Event) -> None:
    event.set()


def test_a_stream_that_nobody_reads_on_is_closed(
    served: Flask, transport: ScriptedTransport, loop: BackgroundLoop, records: MemoryRecords
) -> None:
    script = stream(*events(delta("a"), done=False), loop.run(_event()))
    transport.steps.append(script)

    answer = served.test_client().post(CHAT, json=STREAMED, headers=BEARER)
    next(answer.iter_encoded())
    answer.close()

    assert script.closed
    assert [499] == flushed(served, records)


def test_five_hundred_requests_without_a_server(
    served: Flask, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    client = served.test_client()
    for number in range(500):
        streamed = number % 2 == 0
        transport.steps.append(stream(*events(delta("a"), END)) if streamed else chat("a"))
        with client.post(CHAT, json=STREAMED if streamed else BODY, headers=BEARER) as answer:
            assert b'"a"' in answer.data

    assert [200] * 500 == flushed(served, records)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/llm/v1/nothing/here", 401, "invalid_api_key"),
        ("GET", "/llm/nothing", 404, "not_found"),
        ("GET", "/llm//v1/models", 404, "not_found"),
        ("GET", "/llm%2Fv1/models", 404, "not_found"),
        ("GET", "/%6Clm/v1/models", 401, "invalid_api_key"),
        ("GET", "/llm/a%0Ab", 404, "not_found"),
        ("GET", "/llm/%ff%2f/x", 404, "not_found"),
        ("POST", "/llm/", 405, "method_not_allowed"),
        ("OPTIONS", "/llm/v1/chat/completions", 405, "method_not_allowed"),
        ("PROPFIND", "/llm/v1/models", 405, "method_not_allowed"),
        ("POST", "/llm/v1/chat/completions", 401, "invalid_api_key"),
    ],
)
def test_every_method_and_path_below_the_prefix_is_the_gateways(
    served: Flask, method: str, path: str, status: int, code: str
) -> None:
    @served.errorhandler(HTTPException)
    @served.errorhandler(Exception)
    def own(error: Exception) -> tuple[str, int]:
        return "the app's own page", 418

    answer = served.test_client().open(path, method=method)

    assert (status, code) == (answer.status_code, answer.json["error"]["code"])  # type: ignore[index]


def test_head_has_no_body_and_no_length_made_up(served: Flask) -> None:
    answer = served.test_client().head("/llm/healthz")

    assert (200, b"") == (answer.status_code, answer.data)
    assert "0" != answer.headers.get("content-length")


@pytest.mark.parametrize("path", ["/", "/llmx", "/own/llm", "/llm2/v1/models"])
def test_what_is_beside_the_prefix_is_the_apps(served: Flask, path: str) -> None:
    served.add_url_rule("/<path:rest>", view_func=lambda rest: "the app's own")
    served.add_url_rule("/", "home", view_func=lambda: "the app's own")

    assert "the app's own" == served.test_client().get(path).text


def test_a_catch_all_of_the_apps_does_not_hide_the_gateway(served: Flask) -> None:
    served.add_url_rule("/<path:rest>", view_func=lambda rest: "the app's own")

    assert {"status": "ok"} == served.test_client().get("/llm/healthz").json


def test_a_route_of_the_apps_below_the_prefix_comes_first(app: Flask) -> None:
    app.add_url_rule("/llm/help", view_func=lambda: "how to use it")

    assert "how to use it" == app.test_client().get("/llm/help").text
    assert 200 == app.test_client().get("/llm/healthz").status_code


def test_the_path_goes_on_as_it_came(served: Flask, transport: ScriptedTransport) -> None:
    transport.steps.append(chat())

    served.test_client().get("/llm/v1/models/ft%3Aa", headers=BEARER)

    assert transport.requests[0].url.endswith("/models/ft%3Aa")


@pytest.mark.parametrize("line", ["446 Hooks Failed", "529 Overloaded"])
def test_an_odd_status_keeps_its_line(
    served: Flask, transport: ScriptedTransport, line: str
) -> None:
    transport.steps.append(failure(int(line[:3])))

    answer = served.test_client().post(CHAT, json=BODY, headers=BEARER)

    assert line == answer.status


def test_the_apps_limit_of_bodies_is_not_the_gateways(
    served: Flask, transport: ScriptedTransport
) -> None:
    served.config["MAX_CONTENT_LENGTH"] = 10
    transport.steps.append(chat())

    assert 200 == served.test_client().post(CHAT, json=BODY, headers=BEARER).status_code


def test_the_apps_hooks_run_around_the_blueprint_alone(
    served: Flask, transport: ScriptedTransport
) -> None:
    seen: list[str | None] = []
    served.before_request(lambda: seen.append(request.endpoint))

    @served.after_request
    def stamp(response: Response) -> Response:
        response.headers["x-of-the-app"] = "1"
        return response

    answer = served.test_client().get("/llm/healthz")

    in_front = not seen
    assert ("llmgateway.gateway" in seen) != in_front
    assert ("x-of-the-app" in answer.headers) != in_front


def test_a_hook_of_the_apps_may_refuse(app: Flask) -> None:
    app.before_request(lambda: ("closed on Sundays", 503))

    assert "closed on Sundays" == app.test_client().get("/llm/healthz").text


@pytest.mark.parametrize("read", [lambda: request.get_data(), lambda: request.get_json()])
def test_a_hook_of_the_apps_may_read_the_body_first(
    app: Flask, transport: ScriptedTransport, read: Callable[[], object]
) -> None:
    def look() -> None:
        read()

    app.before_request(look)
    transport.steps.append(chat("Good day"))

    answer = app.test_client().post(CHAT, json=BODY, headers=BEARER)

    assert 200 == answer.status_code


def test_a_hook_of_the_apps_may_read_whole_answers(
    app: Flask, transport: ScriptedTransport
) -> None:
    lengths: list[int] = []

    @app.after_request
    def measure(response: Response) -> Response:
        lengths.append(len(response.get_data()))
        return response

    transport.steps.append(chat("Good day"))
    answer = app.test_client().post(CHAT, json=BODY, headers=BEARER)

    assert [len(answer.data)] == lengths


@pytest.mark.parametrize("keep", [True, False])
def test_contexts_last_as_long_as_a_stream_where_asked(
    parts: dict[str, Any], transport: ScriptedTransport, keep: bool
) -> None:
    app = make_app()
    LLMGateway(app, None, **parts)
    app.register_blueprint(blueprint(keep_context=keep), url_prefix="/llm")
    steps: list[str] = []
    app.teardown_request(lambda error: steps.append("torn down"))
    transport.steps.append(stream(*events(delta("a"), END)))

    answer = app.test_client().post(CHAT, json=STREAMED, headers=BEARER)
    for _ in answer.iter_encoded():
        steps.append("piece")
    answer.close()

    assert keep == (steps[-1] == "torn down")


def test_blueprints_nest_and_prefixes_have_variables(
    parts: dict[str, Any], transport: ScriptedTransport
) -> None:
    app = make_app()
    LLMGateway(app, None, **parts)
    api = Blueprint("api", __name__, url_prefix="/api")
    api.register_blueprint(blueprint(), url_prefix="/<tenant>/llm")
    app.register_blueprint(api)
    endpoints: list[object] = []
    app.before_request(lambda: endpoints.append((request.endpoint, request.view_args)))
    transport.steps.append(chat())

    answer = app.test_client().post("/api/north/llm/v1/chat/completions", json=BODY, headers=BEARER)

    assert 200 == answer.status_code
    args = {"tenant": "north", "path": "/v1/chat/completions"}
    assert [("api.llmgateway.gateway", args)] == endpoints


def test_a_blueprint_wants_a_prefix(app: Flask) -> None:
    with pytest.raises(ValueError, match="url_prefix"):
        app.register_blueprint(blueprint("second"))


def test_below_a_mount_of_the_whole_app(served: Flask) -> None:
    environ = {"SCRIPT_NAME": "/shop"}

    answer = served.test_client().get("/llm/healthz", environ_overrides=environ)

    assert {"status": "ok"} == answer.json


# ---- who calls


def test_nobody_unknown_is_let_in(served: Flask, transport: ScriptedTransport) -> None:
    own = {"authorization": "Bearer sk-a-provider-key-of-the-callers"}

    answer = served.test_client().post(CHAT, json=BODY, headers=own)

    assert 401 == answer.status_code
    assert [] == transport.requests


def users(request: HTTPRequest) -> Principal | None:
    """Look a token up, as an app does."""
    tokens = {"Bearer token-of-alice": "alice"}
    name = tokens.get(request.headers.get("authorization") or "")
    return Principal(f"user:{name}") if name else None


@pytest.mark.parametrize("front", [True, False], ids=["front", "blueprint"])
@pytest.mark.parametrize(
    ("token", "status", "principal"),
    [
        ("Bearer token-of-alice", 200, "user:alice"),
        ("Bearer token-of-nobody", 401, None),
        (BEARER["authorization"], 200, "key:me"),
    ],
)
def test_the_app_says_who_calls(
    parts: dict[str, Any],
    transport: ScriptedTransport,
    records: MemoryRecords,
    front: bool,
    token: str,
    status: int,
    principal: str | None,
) -> None:
    app = make_app()
    LLMGateway(app, front=front, authenticate=users, **parts)
    transport.steps.append(chat())

    answer = app.test_client().post(CHAT, json=BODY, headers={"authorization": token})

    assert status == answer.status_code
    assert [status] == flushed(app, records)
    assert principal == records.all()[0].principal


def test_a_token_of_the_apps_never_reaches_the_provider(
    parts: dict[str, Any], transport: ScriptedTransport
) -> None:
    app = make_app()
    LLMGateway(app, authenticate=users, **parts)
    transport.steps.append(chat())

    headers = {"authorization": "Bearer token-of-alice"}
    app.test_client().post(CHAT, json=BODY, headers=headers)

    assert b"token-of-alice" not in b"".join(value for _, value in transport.requests[0].headers)


@pytest.mark.parametrize("front", [True, False], ids=["front", "blueprint"])
def test_a_session_cookie_lets_nobody_in(
    parts: dict[str, Any], transport: ScriptedTransport, front: bool
) -> None:
    seen: list[object] = []

    def by_session(request: HTTPRequest) -> Principal | None:
        seen.append(request.headers.get("cookie"))
        return Principal(str(session["user"]))

    app = make_app(SECRET_KEY="of this test")
    LLMGateway(app, front=front, authenticate=by_session, **parts)

    @app.post("/login")
    def login() -> str:
        session["user"] = "alice"
        return "welcome"

    client = app.test_client()
    client.post("/login")
    answer = client.post(CHAT, json=BODY)

    assert client.get_cookie("session") is not None
    assert [None] == seen
    assert (500, []) == (answer.status_code, transport.requests)


def test_the_app_is_asked_in_the_requests_thread_and_an_app_context(
    parts: dict[str, Any], transport: ScriptedTransport
) -> None:
    torn_down: list[object] = []

    def by_database(request: HTTPRequest) -> Principal | None:
        asyncio_runs = asyncio._get_running_loop() is not None
        g.connection = "of this look-up"
        return None if asyncio_runs else Principal("user:1")

    app = make_app()
    app.teardown_appcontext(lambda error: torn_down.append(g.get("connection")))
    LLMGateway(app, authenticate=by_database, **parts)
    transport.steps.append(chat())

    assert 200 == app.test_client().post(CHAT, json=BODY).status_code
    assert ["of this look-up", None] == torn_down


def test_an_async_function_may_say_who_calls(
    parts: dict[str, Any], transport: ScriptedTransport
) -> None:
    async def later(request: HTTPRequest) -> Principal | None:
        return users(request)

    app = make_app()
    LLMGateway(app, authenticate=later, **parts)
    transport.steps.append(chat())

    headers = {"authorization": "Bearer token-of-alice"}
    assert 200 == app.test_client().post(CHAT, json=BODY, headers=headers).status_code


def test_a_failure_to_say_who_calls_is_an_error_of_our_shape(
    parts: dict[str, Any], records: MemoryRecords, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: HTTPRequest) -> Principal | None:
        raise LookupError("the users are gone")

    app = make_app()
    LLMGateway(app, authenticate=broken, **parts)
    app.register_error_handler(Exception, lambda error: "the app's own page")

    answer = app.test_client().post(CHAT, json=BODY)

    assert (500, "internal_error") == (answer.status_code, answer.json["error"]["code"])  # type: ignore[index]
    assert "the users are gone" in caplog.text
    assert [500] == flushed(app, records)
