"""uvicorn on a loop that it shares with others."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Literal

from llmgateway.testing.server import EmbeddedServer
from tests.http.loops import SOON_S, LoopThread


class AppServer:
    """An ASGI app on a free port, from its making until `stop`."""

    def __init__(
        self, app: Any, thread: LoopThread, http: Literal["httptools", "h11"] = "httptools"
    ) -> None:
        self._thread = thread
        self._server = EmbeddedServer(app)
        self._server.config.http = http
        self.port = self._server.bind().port
        ready = threading.Event()
        self._server.on_ready = ready.set
        self._served = asyncio.run_coroutine_threadsafe(self._server.run_bound(), thread.loop)
        assert ready.wait(SOON_S)

    @property
    def alive(self) -> bool:
        """Whether uvicorn and its loop run."""
        return not self._served.done() and self._thread.alive

    def begin_stop(self) -> None:
        """Tell uvicorn to stop; does not wait."""
        self._thread.call(self._server.stop)

    def stop(self) -> None:
        """Wait until uvicorn has stopped."""
        self.begin_stop()
        self._served.result(SOON_S)
