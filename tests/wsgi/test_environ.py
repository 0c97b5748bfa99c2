"""Requests as WSGI servers describe them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from llmgateway import Gateway
from llmgateway.runtime import BackgroundLoop, BlockingBody
from llmgateway_wsgi import request_of
from tests.scripted import ScriptedTransport, chat
from tests.wsgi.conftest import BODY, environ_of


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        pytest.param({"PATH_INFO": "/v1/x"}, "/v1/x", id="plain"),
        pytest.param({"PATH_INFO": "/v1/a b"}, "/v1/a%20b", id="encoded-again"),
        pytest.param({"PATH_INFO": "/v1/\xe2\x82\xac"}, "/v1/%E2%82%AC", id="latin-1-of-utf-8"),
        pytest.param(
            {"PATH_INFO": "/v1/a%b;c?d#e"}, "/v1/a%25b%3Bc%3Fd%23e", id="nothing-left-open"
        ),
        pytest.param({"PATH_INFO": "/v1/a/b", "RAW_URI": "/v1/a%2Fb?q=1"}, "/v1/a%2Fb", id="raw"),
        pytest.param(
            {"PATH_INFO": "/v1/a/b", "REQUEST_URI": "/v1/a%2fb"}, "/v1/a%2fb", id="request-uri"
        ),
        pytest.param(
            {"PATH_INFO": "/v1/a/b", "RAW_URI": "http://host:1/v1/a%2Fb"},
            "/v1/a%2Fb",
            id="absolute",
        ),
        pytest.param({"PATH_INFO": "/", "RAW_URI": "http://host"}, "/", id="absolute-without-path"),
        pytest.param({"PATH_INFO": "/v1/x", "RAW_URI": "*"}, "/v1/x", id="no-path"),
        pytest.param({"PATH_INFO": "/v1/x", "RAW_URI": "/v1/x#part"}, "/v1/x", id="fragment"),
        pytest.param(
            {"PATH_INFO": "/v1/x", "RAW_URI": "/other"}, "/v1/x", id="rewritten-by-a-middleware"
        ),
        pytest.param({"PATH_INFO": "/v1/x", "RAW_URI": "//v1/x"}, "//v1/x", id="doubled-slash"),
        pytest.param(
            {"SCRIPT_NAME": "/llm", "PATH_INFO": "/v1/a/b", "RAW_URI": "/llm/v1/a%2Fb"},
            "/v1/a%2Fb",
            id="mount",
        ),
        pytest.param(
            {"SCRIPT_NAME": "/llm", "PATH_INFO": "/v1/x"}, "/v1/x", id="mount-without-raw"
        ),
        pytest.param(
            {"SCRIPT_NAME": "/llm", "PATH_INFO": "", "RAW_URI": "/llm"}, "/", id="mount-itself"
        ),
        pytest.param(
            {"SCRIPT_NAME": "/llm", "PATH_INFO": "/v1/x", "RAW_URI": "/llm%2Fv1/x"},
            "/llm%2Fv1/x",
            id="mount-that-is-none",
        ),
        pytest.param(
            {"SCRIPT_NAME": "/caf\xc3\xa9", "PATH_INFO": "/v1/x", "RAW_URI": "/caf%C3%A9/v1/x"},
            "/v1/x",
            id="mount-that-needs-escapes",
        ),
        pytest.param(
            {"SCRIPT_NAME": "/llm", "PATH_INFO": "/v1/a/b", "RAW_URI": "/%6Clm/v1/a%2Fb"},
            "/v1/a%2Fb",
            id="mount-with-an-escape",
        ),
        pytest.param(
            {"SCRIPT_NAME": "/llm", "PATH_INFO": "", "RAW_URI": "/ll%6D"},
            "/",
            id="mount-itself-with-an-escape",
        ),
        pytest.param(
            {"PATH_INFO": "/v1/a%2Fb", "REQUEST_URI": "/v1/a%2Fb"}, "/v1/a%2Fb", id="apache"
        ),
        pytest.param({"PATH_INFO": ""}, "/", id="empty"),
    ],
)
def test_the_path_below_the_mount(environ: dict[str, Any], path: str) -> None:
    assert path == request_of(environ_of(b"", **environ), 1).path


def test_fields_come_as_they_were_sent() -> None:
    request = request_of(
        environ_of(HTTP_X_NAME="caf\xc3\xa9", HTTP_CONTENT_TYPE="text/x", HTTP_CONTENT_LENGTH="5"),
        1,
    )

    assert "caf\xc3\xa9" == request.headers.get("x-name")
    assert ["application/json"] == request.headers.get_all("content-type")
    assert [str(len(BODY))] == request.headers.get_all("content-length")


@pytest.mark.parametrize(
    ("address", "client"), [("10.0.0.1", "10.0.0.1"), ("", None), (None, None)]
)
def test_the_client_is_the_sockets(address: str | None, client: str | None) -> None:
    assert client == request_of(environ_of(REMOTE_ADDR=address), 1).client


def test_a_short_body_is_read_at_once() -> None:
    assert BODY == request_of(environ_of(), 1).body


def test_a_body_of_a_get_is_not_read() -> None:
    assert b"" == request_of(environ_of(REQUEST_METHOD="GET"), 1).body


@pytest.mark.parametrize("length", [None, "", "x"])
def test_a_body_without_a_length_is_none(length: str | None) -> None:
    assert b"" == request_of(environ_of(CONTENT_LENGTH=length), 1).body


class Dribble(io.BytesIO):
    """Gives less than it is asked for."""

    def read(self, size: int | None = -1) -> bytes:
        """Return a little."""
        return super().read(min(size or 0, 50_000))


LARGE = b'{"model":"m","messages":[],"user":"' + b"x" * 200_000 + b'"}'

BODIES: list[Any] = [
    pytest.param(LARGE, {}, id="long"),
    pytest.param(LARGE, {"wsgi.input": Dribble(LARGE)}, id="dribbling"),
    pytest.param(
        LARGE,
        {
            "CONTENT_LENGTH": None,
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
        },
        id="chunked",
    ),
    pytest.param(
        BODY, {"CONTENT_LENGTH": None, "wsgi.input_terminated": True}, id="ends-by-itself"
    ),
]


@pytest.mark.parametrize(("body", "changes"), BODIES)
def test_a_longer_body_comes_in_pieces(
    gateway: Gateway,
    loop: BackgroundLoop,
    transport: ScriptedTransport,
    body: bytes,
    changes: dict[str, Any],
) -> None:
    transport.steps = [chat()]
    request = request_of(environ_of(body, **changes), 1)

    assert isinstance(request.body, BlockingBody)
    assert 200 == loop.handle(gateway, request).status
    assert [body] == transport.bodies


class Broken(io.BytesIO):
    """Fails as servers' readers do, each with exceptions of its own."""

    def read(self, size: int | None = -1) -> bytes:
        """Raise."""
        raise LookupError("bad chunk")


BREAKS: list[Any] = [
    pytest.param({"CONTENT_LENGTH": str(len(BODY) + 1)}, 499, id="short"),
    pytest.param({"CONTENT_LENGTH": "100000"}, 499, id="long"),
    pytest.param({"wsgi.input": Broken()}, 499, id="raises"),
    pytest.param(
        {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked"}, 400, id="chunks-not-read"
    ),
]


@pytest.mark.parametrize(("changes", "status"), BREAKS)
def test_a_body_that_is_not_whole_goes_nowhere(
    gateway: Gateway,
    loop: BackgroundLoop,
    transport: ScriptedTransport,
    changes: dict[str, Any],
    status: int,
) -> None:
    request = request_of(environ_of(**changes), 1)

    assert status == loop.handle(gateway, request).status
    assert [] == transport.requests


class Socket:
    """A socket that a server shows."""

    def __init__(self) -> None:
        self.timeout: float | None = None
        self.timeouts: list[float | None] = []

    def gettimeout(self) -> float | None:
        """Return what was set."""
        return self.timeout

    def settimeout(self, timeout: float | None) -> None:
        """Keep it."""
        self.timeout = timeout
        self.timeouts.append(timeout)


class Slow(io.BytesIO):
    """Times out, as the socket was told."""

    def read(self, size: int | None = -1) -> bytes:
        """Raise."""
        raise TimeoutError


def test_a_client_that_sends_nothing_is_too_slow(gateway: Gateway, loop: BackgroundLoop) -> None:
    socket = Socket()
    environ = {**environ_of(), "wsgi.input": Slow(), "gunicorn.socket": socket}

    assert 408 == loop.handle(gateway, request_of(environ, 3.5)).status
    assert [3.5, None] == socket.timeouts


def test_a_request_can_be_told_otherwise(gateway: Gateway, loop: BackgroundLoop) -> None:
    """What a host wants to change, it changes on the value."""
    request = replace(request_of(environ_of(), 1), path="/healthz", method="GET")

    assert 200 == loop.handle(gateway, request).status
