"""Hosts that are WSGI apps, on one background loop."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Coroutine, Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

from llmgateway import Gateway
from llmgateway.runtime import BackgroundLoop
from llmgateway_wsgi import Environ, StartResponse, WSGIApp, mount
from tests.http.clients.base import Host
from tests.http.loops import SOON_S

T = TypeVar("T")

THREADS = 32
"""How many requests a server takes at once."""

_NEXT_WRITE = "a vanished client is noticed at the next write only"

DIFFERENCES = {
    "test_a_client_that_leaves_a_stream_ends_it": _NEXT_WRITE,
    "test_a_client_that_leaves_before_the_answer_ends_the_call": _NEXT_WRITE,
    "test_a_client_that_leaves_any_other_request_ends_it": _NEXT_WRITE,
    "test_a_client_that_leaves_a_wait_between_tries_ends_it": _NEXT_WRITE,
    "test_a_call_that_falls_back_is_given_up_whole": _NEXT_WRITE,
}
"""What WSGI itself takes away; `tests/wsgi` has what holds instead."""


@cache
def serving_loop() -> BackgroundLoop:
    """Return the loop that all hosts of this kind share."""
    return BackgroundLoop()


class WSGIHost(Host):
    """A gateway in some WSGI app."""

    differences = DIFFERENCES
    says_close = False

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.loop = serving_loop()
        self.active = 0
        self.changed = threading.Condition()
        self.served = _Counted(self, self.app(gateway))
        self.port = self.listen()

    def app(self, gateway: Gateway) -> WSGIApp:
        """Return the app that has the gateway at `prefix`."""
        return mount(_own, gateway, prefix=self.prefix, runtime=self.loop)

    @abstractmethod
    def listen(self) -> int:
        """Start the server and return its port."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the background loop."""
        return self.loop.run(coroutine)

    def wait_idle(self) -> bool:
        """Wait until every answer has been closed."""
        with self.changed:
            return self.changed.wait_for(lambda: self.active == 0, SOON_S)

    def count(self, step: int) -> None:
        """Note that a request has begun or ended."""
        with self.changed:
            self.active += step
            self.changed.notify_all()


def _own(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    found = environ["PATH_INFO"] == "/own"
    start_response("200 OK" if found else "404 Not Found", [("content-type", "text/plain")])
    return [b"the host's own"] if found else []


class _Counted:
    """Counts what of request bodies an app reads, and which answers are open."""

    def __init__(self, host: WSGIHost, app: WSGIApp) -> None:
        self._host = host
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._host.count(1)
        try:
            given = {**environ, "wsgi.input": _Input(self._host, environ["wsgi.input"])}
            return _Body(self._host, self._app(given, start_response))
        except BaseException:
            self._host.count(-1)
            raise


class _Input:
    def __init__(self, host: WSGIHost, stream: Any) -> None:
        self._host = host
        self._stream = stream

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self._host.taken += len(data)
        return data

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._stream.readline(size)
        self._host.taken += len(line)
        return line


class _Body:
    def __init__(self, host: WSGIHost, body: Iterable[bytes]) -> None:
        self._host = host
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._host.count(-1)
