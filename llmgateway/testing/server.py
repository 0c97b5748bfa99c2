"""Runs an ASGI app on a real socket in a thread of its own; needs the extra `standalone`.

with serve_in_thread(FakeProvider()) as server:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="any")
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn

from llmgateway_asgi.cuts import expect_cuts

__all__ = ["EmbeddedServer", "RunningServer", "serve_in_loop", "serve_in_thread"]

_START_WITHIN_S = 30.0
_TCP = 6
"""IPPROTO_TCP; importing `socket` is the transport's alone."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where a server listens."""

    port: int

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http://127.0.0.1:{self.port}"


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
        self.on_ready: Callable[[], object] = lambda: None
        """Called once the server accepts requests."""
        self._stopping = asyncio.Event()
        self._socket: Any = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def bind(self) -> RunningServer:
        """Take the port now, so that it is known before the server runs."""
        bound = self.config.bind_socket()
        # uvicorn leaves the protocol at 0, for which asyncio does not turn off Nagle's algorithm:
        # every second write of a kept connection would wait 40 ms for the other side.
        self._socket = type(bound)(bound.family, bound.type, _TCP, fileno=bound.detach())
        return RunningServer(self._socket.getsockname()[1])

    async def run_bound(self) -> None:
        """Serve at the port that `bind` took, until `stop`."""
        try:
            await self.serve([self._socket])
        finally:
            self._socket.close()

    async def startup(self, sockets: Any = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.on_ready()

    async def main_loop(self) -> None:
        """Wait to be stopped, without uvicorn's polling."""
        await self.on_tick(0)  # sets the default headers
        await self._stopping.wait()

    def stop(self) -> None:
        """End the server. Call it on its own loop."""
        self.should_exit = True
        self._stopping.set()


@contextlib.asynccontextmanager
async def serve_in_loop(server: EmbeddedServer) -> AsyncIterator[None]:
    """Run a bound server beside others on this loop while the context lasts."""
    ready = asyncio.Event()
    server.on_ready = ready.set
    task = asyncio.create_task(server.run_bound())
    try:
        await ready.wait()
        yield
    finally:
        server.stop()
        await task


@contextlib.contextmanager
def serve_in_thread(app: Any, *, grace_s: int = 1) -> Iterator[RunningServer]:
    """Serve `app` on a free loopback port while the context lasts.

    At the end open answers have `grace_s` seconds; then they are cancelled. Raises `RuntimeError`
    if the app's start-up fails.
    """
    server = EmbeddedServer(app, grace_s=grace_s)
    running = server.bind()
    settled = threading.Event()
    server.on_ready = settled.set
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop, server, settled), name="llmgateway-server")
    thread.start()
    try:
        if not settled.wait(_START_WITHIN_S) or not server.started:
            raise RuntimeError("the server did not start; its app's lifespan failed, see the log")
        yield running
    finally:
        with contextlib.suppress(RuntimeError):  # the loop is closed if the start failed
            loop.call_soon_threadsafe(server.stop)
        thread.join()


def _run(loop: asyncio.AbstractEventLoop, server: EmbeddedServer, settled: threading.Event) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            runner.run(server.run_bound())
        except SystemExit:
            pass  # how uvicorn tells that the lifespan failed; it has logged why
        finally:
            settled.set()
