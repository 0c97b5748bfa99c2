"""Hosts that are ASGI apps under uvicorn, all on one event loop in a thread."""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, ClassVar, Literal, TypeVar

from llmgateway import Gateway
from llmgateway_asgi.app import Message, Receive, Scope, Send
from llmgateway_asgi.front import ASGIApp
from tests.http.clients.base import Host
from tests.http.loops import SOON_S, LoopThread
from tests.http.servers import AppServer

T = TypeVar("T")
NewLoop = Callable[[], asyncio.AbstractEventLoop]


@cache
def serving_thread(new_loop: NewLoop | None = None) -> LoopThread:
    """Return the thread that all hosts with this kind of loop share."""
    return LoopThread("served", new_loop)


class ASGIHost(Host):
    """A gateway in some ASGI app."""

    http: ClassVar[Literal["httptools", "h11"]] = "httptools"
    """The HTTP implementation that uvicorn uses."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.served = self.app(gateway)
        self.active = 0
        self.changed = threading.Condition()
        self.thread = serving_thread(self.new_loop())
        self._server = AppServer(_Counted(self), self.thread, self.http)
        self.port = self._server.port

    @classmethod
    def new_loop(cls) -> NewLoop | None:
        """Return what makes the event loop; None: asyncio's own."""
        return None

    @abstractmethod
    def app(self, gateway: Gateway) -> ASGIApp:
        """Return the app that has the gateway at `prefix`."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of the server."""
        return self.thread.run(coroutine)

    def wait_idle(self) -> bool:
        """Wait until every call of the app has ended."""
        with self.changed:
            return self.changed.wait_for(lambda: self.active == 0, SOON_S)

    def begin_stop(self) -> None:
        """Tell uvicorn to stop."""
        self._server.begin_stop()

    def stop(self) -> None:
        """Wait for uvicorn and close the gateway, in case the app has no lifespan."""
        self._server.stop()
        self.run(self.gateway.aclose())

    @property
    def alive(self) -> bool:
        """Whether uvicorn and its loop run."""
        return self._server.alive


class _Counted:
    """Counts what of request bodies an app asks for."""

    def __init__(self, host: ASGIHost) -> None:
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            message = await receive()
            self._host.taken += len(message.get("body", b""))
            return message

        if scope["type"] != "http":
            await self._host.served(scope, receive, send)
            return
        self._count(1)
        try:
            await self._host.served(scope, counted, send)
        finally:
            self._count(-1)

    def _count(self, step: int) -> None:
        with self._host.changed:
            self._host.active += step
            self._host.changed.notify_all()
