"""The WSGI app, call by call: what no real server can be made to do on order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any
from wsgiref.validate import validator

import pytest

from llmgateway import Gateway, Principal
from llmgateway.errors import StreamAborted, TransportError
from llmgateway.runtime import BackgroundLoop, SyncResponse
from llmgateway.stores import MemoryRecords
from llmgateway.types.record import Record
from llmgateway_wsgi import GatewayWSGI, respond
from tests.runtime.test_streams import GOOD, START, endless
from tests.scripted import ScriptedTransport, chat, failure, stream
from tests.wsgi.conftest import STREAMED, call, environ_of


@pytest.fixture
def app(gateway: Gateway, loop: BackgroundLoop) -> GatewayWSGI:
    """The gateway's own app."""
    return GatewayWSGI(gateway, loop)


def statuses(app: GatewayWSGI, records: MemoryRecords) -> list[int]:
    """Return the statuses that were recorded."""
    app.runtime.run(app.gateway.recorder.flush())
    return [record.status for record in records.all()]


def test_an_answer_states_its_length(
    app: GatewayWSGI, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    transport.steps = [chat()]
    served = call(app, environ_of())
    body = served.rest()

    assert ("200 OK", str(len(body))) == (served.status, served.header("content-length"))
    assert [200] == statuses(app, records)


def test_a_stream_states_none(app: GatewayWSGI, transport: ScriptedTransport) -> None:
    transport.steps = [stream(*GOOD)]
    served = call(app, environ_of(STREAMED))

    assert served.header("content-length") is None
    assert "no" == served.header("x-accel-buffering")
    assert b"".join(GOOD) == served.rest()


def test_a_head_gets_a_head(app: GatewayWSGI) -> None:
    served = call(app, environ_of(b"", "/healthz", REQUEST_METHOD="HEAD"))

    assert ("200 OK", "15") == (served.status, served.header("content-length"))
    assert b"" == served.rest()


def test_a_stream_that_is_closed_ends_the_call(
    app: GatewayWSGI, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    """A server does so when it could not write: the client has vanished."""
    _, script = endless("x")
    transport.steps = [script]
    served = call(app, environ_of(STREAMED))
    next(iter(served.body))
    served.body.close()

    assert script.closed
    assert [499] == statuses(app, records)


def test_a_stream_that_breaks_is_not_ended(app: GatewayWSGI, transport: ScriptedTransport) -> None:
    """The exception is what has the server cut the connection."""
    transport.steps = [stream(*START, TransportError("gone"))]
    served = call(app, environ_of(STREAMED))

    with pytest.raises(StreamAborted):
        served.rest()


@pytest.mark.parametrize(
    ("status", "line"), [(446, "446 Hooks Failed"), (529, "529 Overloaded"), (599, "599 Status")]
)
def test_odd_statuses_go_out_as_they_are(
    app: GatewayWSGI, transport: ScriptedTransport, status: int, line: str
) -> None:
    transport.steps = [failure(status)]

    assert line == call(app, environ_of()).status


def test_fields_about_the_connection_are_left_to_the_server(app: GatewayWSGI) -> None:
    served = call(app, environ_of(CONTENT_LENGTH=str(2**40)))

    assert "413" == served.status[:3]
    assert served.header("connection") is None


def test_an_empty_answer_states_no_length_with_a_204() -> None:
    given: list[Any] = []

    def start_response(*head: object) -> Callable[[bytes], object]:
        given.extend(head)
        return given.append

    assert () == respond(SyncResponse(204, (), b""), start_response, head_only=False)
    assert ["204 No Content", []] == given


def test_a_host_vouches_for_a_caller(
    app: GatewayWSGI, transport: ScriptedTransport, records: MemoryRecords
) -> None:
    transport.steps = [chat()]

    assert 200 == app.answer(environ_of(), Principal("user:1", brings_provider_key=True)).status
    statuses(app, records)
    assert ["user:1"] == [record.principal for record in records.all()]


def test_a_loop_that_is_stopped_is_a_503(gateway: Gateway) -> None:
    loop = BackgroundLoop()
    loop.end()
    served = call(GatewayWSGI(gateway, loop), environ_of())

    assert ("503 Service Unavailable", "1") == (served.status, served.header("retry-after"))
    assert b'"code":"draining"' in served.rest()


@pytest.mark.parametrize(
    ("says", "warnings"),
    [
        ({}, []),
        ({"wsgi.multithread": False}, ["one request at a time"]),
        ({"wsgi.multiprocess": True}, ["several processes"]),
        (
            {"wsgi.multithread": False, "wsgi.multiprocess": True},
            ["one request at a time", "several processes"],
        ),
    ],
)
def test_the_first_request_tells_what_the_server_is(
    app: GatewayWSGI, caplog: pytest.LogCaptureFixture, says: dict[str, bool], warnings: list[str]
) -> None:
    caplog.set_level(logging.INFO, "llmgateway_wsgi")
    for _ in range(2):
        call(app, environ_of(b"", "/healthz", REQUEST_METHOD="GET", **says)).rest()
    first, *rest = caplog.records

    assert "Served by test" in first.getMessage()
    assert [logging.WARNING] * len(warnings) == [record.levelno for record in rest]
    assert all(words in record.getMessage() for words, record in zip(warnings, rest, strict=True))


def test_several_processes_with_a_store_that_they_share_are_fine(
    loop: BackgroundLoop, caplog: pytest.LogCaptureFixture
) -> None:
    class Shared:
        async def append(self, batch: Sequence[Record]) -> None:
            pass

    app = GatewayWSGI(Gateway({}, records=Shared()), loop)
    environ = environ_of(b"", "/healthz", REQUEST_METHOD="GET", **{"wsgi.multiprocess": True})
    call(app, environ).rest()

    assert [] == [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("body", [STREAMED, None])
def test_it_keeps_to_the_protocol(
    app: GatewayWSGI, transport: ScriptedTransport, body: bytes | None
) -> None:
    transport.steps = [stream(*GOOD) if body else chat()]
    environ = {
        **(environ_of() if body is None else environ_of(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": _Errors(),
        "wsgi.run_once": False,
    }

    validated: Any = validator(app)

    assert call(validated, environ).rest()


class _Errors:
    def write(self, text: str) -> None:
        """Take it."""

    def writelines(self, lines: list[str]) -> None:
        """Take them."""

    def flush(self) -> None:
        """Do nothing."""


def test_a_test_client_is_told_nothing_of_servers(
    app: GatewayWSGI, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "llmgateway_wsgi")
    environ = environ_of()
    environ["wsgi.multithread"] = False
    environ.pop("SERVER_SOFTWARE", None)

    call(app, environ)
    assert [] == [found for found in caplog.records if found.name.startswith("llmgateway_wsgi")]
