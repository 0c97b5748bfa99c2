"""The ASGI app, message by message: what no real server can be made to do on order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from llmgateway import Gateway
from llmgateway.stores import MemoryRecords
from llmgateway.types.upstream import UpstreamRequest
from llmgateway_asgi import GatewayApp
from llmgateway_asgi.app import Message, path_of
from tests.asgi.conftest import BODY, STREAMED, Server, chat_scope
from tests.http.loops import SOON_S
from tests.scripted import Scripted, ScriptedTransport, chat, delta, events, stream

GOOD_STREAM = events(delta(), delta("Hello"), delta(finish="stop"))


async def statuses(gateway: Gateway, records: MemoryRecords) -> list[int]:
    """Return the statuses that were recorded."""
    await gateway.aclose()
    return [record.status for record in records.all()]


# ---- paths


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        pytest.param({"path": "/v1/x", "raw_path": b"/v1/x"}, "/v1/x", id="plain"),
        pytest.param({"path": "/v1/x"}, "/v1/x", id="no-raw-path"),
        pytest.param({"path": "/v1/x", "raw_path": None}, "/v1/x", id="raw-path-none"),
        pytest.param({"path": "/v1/a b", "raw_path": b"/v1/a%20b"}, "/v1/a%20b", id="encoded"),
        pytest.param({"path": "/v1/a b\u20ac"}, "/v1/a%20b%E2%82%AC", id="encoded-again"),
        pytest.param({"path": "/v1/a%b;c?d#e"}, "/v1/a%25b%3Bc%3Fd%23e", id="nothing-left-open"),
        pytest.param(
            {"path": "/llm/v1/x", "raw_path": b"/llm/v1/x", "root_path": "/llm"},
            "/v1/x",
            id="mount",
        ),
        pytest.param({"path": "/v1/x", "root_path": "/llm"}, "/v1/x", id="older-mount"),
        pytest.param({"path": "/llm/v1/x", "root_path": "/llm/"}, "/v1/x", id="mount-with-slash"),
        pytest.param({"path": "/llm", "root_path": "/llm"}, "/", id="mount-itself"),
        pytest.param({"path": "/llmx/v1", "root_path": "/llm"}, "/llmx/v1", id="longer-name"),
        pytest.param({"path": "/a/llm/x", "root_path": "/a/llm"}, "/x", id="nested-mounts"),
        pytest.param({"path": "/llm/../v1/x", "root_path": "/llm"}, "/../v1/x", id="dots"),
        pytest.param({"path": ""}, "/", id="empty"),
    ],
)
def test_the_path_below_the_mount(scope: dict[str, Any], path: str) -> None:
    assert path == path_of(scope)


# ---- other scopes


async def test_lifespan_opens_and_closes(
    gateway: Gateway, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    async def aclose() -> None:
        closed.append("transport")

    monkeypatch.setattr(transport, "aclose", aclose)
    server = Server(GatewayApp(gateway))
    for kind in ("startup", "shutdown"):
        server.inbox.put_nowait({"type": f"lifespan.{kind}"})
    await server.serve({"type": "lifespan"})

    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == [
        message["type"] for message in server.sent
    ]
    assert ["transport"] == closed


async def test_no_lifespan_is_needed(gateway: Gateway, transport: ScriptedTransport) -> None:
    transport.steps = [chat()]

    assert 200 == (await Server(GatewayApp(gateway)).gives(BODY).serve(chat_scope())).status


async def test_a_websocket_is_closed(gateway: Gateway) -> None:
    server = Server(GatewayApp(gateway))
    server.inbox.put_nowait({"type": "websocket.connect"})
    await server.serve({"type": "websocket", "path": "/v1/realtime"})

    assert [{"type": "websocket.close", "code": 1008}] == server.sent


async def test_an_unknown_scope_is_refused(gateway: Gateway) -> None:
    with pytest.raises(ValueError, match="'raw'"):
        await Server(GatewayApp(gateway)).serve({"type": "raw"})


# ---- bodies


@pytest.mark.parametrize(
    "pieces", [[BODY], [BODY[:9], BODY[9:]], [b"", BODY, b""], [bytes([b]) for b in BODY]]
)
async def test_a_body_is_put_together(
    gateway: Gateway, transport: ScriptedTransport, pieces: list[bytes]
) -> None:
    transport.steps = [chat()]
    await Server(GatewayApp(gateway)).gives(*pieces).serve(chat_scope())

    assert [BODY] == transport.bodies


async def test_messages_may_lack_their_optional_members(
    gateway: Gateway, transport: ScriptedTransport
) -> None:
    transport.steps = [chat()]
    server = Server(GatewayApp(gateway))
    server.inbox.put_nowait({"type": "http.request", "body": BODY})
    scope = chat_scope()
    for name in ("raw_path", "root_path", "client", "http_version", "query_string"):
        del scope[name]

    assert 200 == (await server.serve(scope)).status


async def test_a_client_that_leaves_in_its_body_gets_no_answer(
    gateway: Gateway, records: MemoryRecords
) -> None:
    server = await Server(GatewayApp(gateway)).gives(b"{", more=True).leaves().serve(chat_scope())

    assert [499] == await statuses(gateway, records)
    assert not server.sent or server.status == 499


async def test_a_refusal_does_not_wait_for_the_body(gateway: Gateway) -> None:
    scope = chat_scope(headers=[(b"host", b"evil.example")])

    assert 403 == (await Server(GatewayApp(gateway)).serve(scope)).status


# ---- leaving


async def test_a_client_that_leaves_while_the_provider_thinks(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    script = stream(asyncio.Event())
    transport.steps = [script]
    server = await Server(GatewayApp(gateway)).gives(STREAMED).leaves().serve(chat_scope())

    assert (499, b"") == (server.status, server.body)
    assert server.ended
    assert script.closed
    assert [499] == await statuses(gateway, records)


async def test_a_client_that_leaves_in_mid_stream(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    script = stream(*GOOD_STREAM[:2], asyncio.Event())
    transport.steps = [script]
    server = Server(GatewayApp(gateway)).gives(STREAMED)

    def leave(message: Message) -> None:
        if message.get("body"):
            server.leaves()

    server.on_send = leave
    await server.serve(chat_scope())

    assert b"".join(GOOD_STREAM[:2]) == server.body
    assert not server.ended
    assert script.closed
    assert [499] == await statuses(gateway, records)


async def test_a_server_that_says_so_by_an_error(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    """From ASGI 2.4 on, `send` raises an OSError once the client is gone."""
    script = stream(*GOOD_STREAM[:2], asyncio.Event())
    transport.steps = [script]
    server = Server(GatewayApp(gateway)).gives(STREAMED)

    def broken(message: Message) -> None:
        if message.get("body"):
            server.leaves()
            raise OSError("gone")

    server.on_send = broken
    await server.serve(chat_scope())

    assert script.closed
    assert [499] == await statuses(gateway, records)


async def test_a_disconnect_after_the_answer_is_none(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    """Servers report one when the last message has gone out."""
    transport.steps = [chat(), stream(*GOOD_STREAM)]
    for body in (BODY, STREAMED):
        server = Server(GatewayApp(gateway)).gives(body)

        def last(message: Message, server: Server = server) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                server.leaves()

        server.on_send = last
        await server.serve(chat_scope())
        assert server.ended

    assert [200, 200] == await statuses(gateway, records)


async def test_a_cancellation_that_is_not_ours_goes_on(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    """A server that stops cancels its requests; whoever waits for them must hear of it."""
    script, started = stream(asyncio.Event()), asyncio.Event()

    def begin(request: UpstreamRequest) -> Scripted:
        started.set()
        return script

    transport.steps = [begin]
    server = Server(GatewayApp(gateway)).gives(STREAMED)
    task = asyncio.create_task(server.serve(chat_scope()))
    await asyncio.wait_for(started.wait(), SOON_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert script.closed
    assert [499] == await statuses(gateway, records)


async def test_nor_is_one_swallowed_that_came_with_ours(
    gateway: Gateway, transport: ScriptedTransport
) -> None:
    """The client leaves and the server stops, in the same step of the loop."""
    transport.steps = [stream(asyncio.Event())]
    server = Server(GatewayApp(gateway)).gives(STREAMED).leaves()

    async def receive() -> Message:
        message = await server.inbox.get()
        if message["type"] == "http.disconnect":
            task.cancel()
        return message

    task = asyncio.ensure_future(server.app(chat_scope(), receive, server.keep))
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [] == server.sent


async def test_a_middlewares_task_outlives_our_cancellation(
    gateway: Gateway, transport: ScriptedTransport
) -> None:
    """What runs around the app in the same task goes on undisturbed after the client has left."""
    transport.steps = [stream(asyncio.Event())]
    server = Server(GatewayApp(gateway)).gives(STREAMED).leaves()

    async def around() -> str:
        await server.serve(chat_scope())
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return f"cancelling: {task.cancelling()}"

    assert "cancelling: 0" == await asyncio.create_task(around())


async def test_nothing_is_left_running(gateway: Gateway, transport: ScriptedTransport) -> None:
    transport.steps = [chat(), stream(*GOOD_STREAM), stream(asyncio.Event())]
    await Server(GatewayApp(gateway)).gives(BODY).serve(chat_scope())
    await Server(GatewayApp(gateway)).gives(STREAMED).serve(chat_scope())
    await Server(GatewayApp(gateway)).gives(STREAMED).leaves().serve(chat_scope())
    await gateway.recorder.flush()
    await asyncio.sleep(0)

    assert {asyncio.current_task()} == asyncio.all_tasks()


# ---- stalling


async def test_a_reader_that_stalls_is_cut_off(
    impatient: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    script = stream(*GOOD_STREAM)
    transport.steps = [script]
    server = Server(GatewayApp(impatient)).gives(STREAMED)
    server.on_send = lambda message: asyncio.Event().wait() if message.get("body") else None
    await server.serve(chat_scope())

    assert ["http.response.start"] == [message["type"] for message in server.sent]
    assert script.closed
    assert [499] == await statuses(impatient, records)


async def test_a_provider_that_pauses_longer_than_that_is_not(
    impatient: Gateway, transport: ScriptedTransport
) -> None:
    gate = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, gate.set)
    transport.steps = [stream(*GOOD_STREAM[:2], gate, *GOOD_STREAM[2:])]
    server = await Server(GatewayApp(impatient)).gives(STREAMED).serve(chat_scope())

    assert server.ended
    assert b"".join(GOOD_STREAM) == server.body


# ---- below Starlette's BaseHTTPMiddleware, which ends what is left without an end


async def _passed_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


def wrapped(gateway: Gateway) -> Server:
    """Return a server whose app is the gateway below a middleware that does nothing."""
    return Server(BaseHTTPMiddleware(GatewayApp(gateway), _passed_on)).gives(STREAMED)


async def test_a_whole_stream_passes_the_middleware(
    gateway: Gateway, transport: ScriptedTransport
) -> None:
    transport.steps = [stream(*GOOD_STREAM)]
    server = await wrapped(gateway).serve(chat_scope())

    assert server.ended
    assert b"".join(GOOD_STREAM) == server.body


async def test_a_cut_stream_does_not_look_whole_behind_the_middleware(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    transport.steps = [stream(*GOOD_STREAM[:2])]
    server = wrapped(gateway)
    with pytest.raises(AssertionError, match=r"http\.response\.cut"):
        await server.serve(chat_scope())

    assert server.body.startswith(b"".join(GOOD_STREAM[:2]))
    assert b'"error"' in server.body
    assert not server.ended
    assert [200] == await statuses(gateway, records)


async def test_a_client_that_leaves_is_no_failure_of_the_middleware(
    gateway: Gateway, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    script = stream(asyncio.Event())
    transport.steps = [script]
    server = await wrapped(gateway).leaves().serve(chat_scope())

    assert 499 == server.status
    assert script.closed
    assert [499] == await statuses(gateway, records)
