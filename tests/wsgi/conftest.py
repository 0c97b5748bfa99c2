"""A WSGI server that does exactly as a test says, and a gateway with a scripted transport."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.stores import MemoryRecords
from llmgateway_wsgi import Environ, WSGIApp
from tests.scripted import ScriptedTransport
from tests.shared_fixtures import loop, records, transport

__all__ = ["loop", "records", "transport"]

BODY = orjson.dumps({"model": "m", "messages": []})
STREAMED = orjson.dumps({"model": "m", "messages": [], "stream": True})


def environ_of(body: bytes = BODY, path: str = "/v1/chat/completions", **changes: Any) -> Environ:
    """Return the environment of a chat request; None takes a variable out."""
    given = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_SOFTWARE": "test",
        "HTTP_HOST": "localhost",
        "HTTP_X_PORTKEY_PROVIDER": "openai",
        "HTTP_AUTHORIZATION": "Bearer sk-own",
        "wsgi.input": io.BytesIO(body),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


@dataclass
class Served:
    """One answer of an app."""

    status: str
    headers: list[tuple[str, str]]
    body: Any

    def rest(self) -> bytes:
        """Read the body as a server does."""
        try:
            return b"".join(self.body)
        finally:
            if hasattr(self.body, "close"):
                self.body.close()

    def header(self, name: str) -> str | None:
        """Return a field's value."""
        return dict(self.headers).get(name)


def call(app: WSGIApp, environ: Environ) -> Served:
    """Call an app up to its body."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> Callable[[bytes], object]:
        started.extend((status, headers))
        return started.append

    body = app(environ, start_response)
    return Served(started[0], started[1], body)


@pytest.fixture
def gateway(transport: ScriptedTransport, records: MemoryRecords) -> Gateway:
    """A gateway in local mode."""
    return Gateway({"access": "local"}, transport=lambda: transport, records=records)
