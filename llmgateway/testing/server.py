"""Runs an ASGI app on a real socket in a thread of its own; needs the extra `standalone`.

with serve_in_thread(FakeProvider()) as server:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="any")
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn

__all__ = ["EmbeddedServer", "RunningServer", "expect_cuts", "serve_in_thread"]

_CUT = "ASGI callable returned without completing response."
_START_WITHIN_S = 30.0


def expect_cuts() -> None:
    """Keep uvicorn from logging an error for each connection that we cut on purpose.

    An ASGI app has no other way to break off an answer than to return without an end.
    """
    logger = logging.getLogger("uvicorn.error")
    if _is_news not in logger.filters:
        logger.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != _CUT


class EmbeddedServer(uvicorn.Server):
    """A server inside somebody else's process: signals are not its business."""

    def __init__(self, app: Any, *, port: int = 0, grace_s: int = 1) -> None:
        expect_cuts()
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            http="httptools",
            ws="none",
            lifespan="auto",
            # Logging belongs to the host, and these two would change loggers of the whole process.
            log_config=None,
            log_level=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=grace_s,
        )
        super().__init__(config)
        self._stopping = asyncio.Event()
        self.ready = threading.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def bind(self) -> Any:
        """Bind the port now and return its socket: the port is known before the server runs."""
        return self.config.bind_socket()

    async def startup(self, sockets: Any = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """Wait to be stopped, without uvicorn's polling."""
        await self.on_tick(0)  # sets the default headers
        await self._stopping.wait()

    def stop(self) -> None:
        """End the server. Call it on its own loop."""
        self.should_exit = True
        self._stopping.set()


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where a server listens."""

    port: int

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serve_in_thread(app: Any, *, grace_s: int = 1) -> Iterator[RunningServer]:
    """Serve `app` on a free loopback port while the context lasts.

    At the end open answers have `grace_s` seconds; then they are cancelled. Raises `RuntimeError`
    if the app's start-up fails.
    """
    server = EmbeddedServer(app, grace_s=grace_s)
    sock = server.bind()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop, server, sock), name="llmgateway-server")
    thread.start()
    try:
        if not server.ready.wait(_START_WITHIN_S) or not server.started:
            raise RuntimeError("the server did not start; its app's lifespan failed, see the log")
        yield RunningServer(sock.getsockname()[1])
    finally:
        with contextlib.suppress(RuntimeError):  # the loop is closed if the start failed
            loop.call_soon_threadsafe(server.stop)
        thread.join()
        sock.close()


def _run(loop: asyncio.AbstractEventLoop, server: EmbeddedServer, sock: Any) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            runner.run(server.serve([sock]))
        except SystemExit:
            pass  # how uvicorn tells that the lifespan failed; it has logged why
        finally:
            server.ready.set()
