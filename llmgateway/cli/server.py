"""The server process itself: uvicorn, the gateway's app, and a quiet end. Imports uvicorn."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import FrameType
from typing import Any

import uvicorn

from llmgateway.cli.demo import with_fake_provider
from llmgateway.cli.serve import ServePlan
from llmgateway.cli.welcome import welcome
from llmgateway.gateway import Gateway
from llmgateway.testing import FakeProvider
from llmgateway.testing.fake_row import FAKE
from llmgateway.testing.server import EmbeddedServer, expect_cuts, serve_in_loop
from llmgateway_asgi import GatewayApp

__all__ = ["serve"]

logger = logging.getLogger("llmgateway")

_LOOK_S = 0.2
"""How often the end of the grace looks for a second signal."""
_CANCEL_WITHIN_S = 0.5
_TALKATIVE = ("httpx", "httpcore", "hpack")
"""Their lines hold URLs and headers, and so keys: never below a warning."""


def serve(plan: ServePlan) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    _log_at(plan.log_level)
    upstream = EmbeddedServer(FakeProvider()) if plan.demo else None
    settings = plan.settings
    if upstream is not None:
        settings = with_fake_provider(settings, upstream.bind().url)
    gateway = Gateway(settings, providers=(FAKE,) if plan.demo else ())
    server = StandaloneServer(gateway, plan)
    try:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(_serve(server, upstream))
    except SystemExit:
        # uvicorn's way of saying that it could not start; its own line says why.
        print("The server could not start; the reason stands above.", file=sys.stderr)
        return 1
    return 0


async def _serve(server: StandaloneServer, upstream: EmbeddedServer | None) -> None:
    async with AsyncExitStack() as stack:
        if upstream is not None:
            await stack.enter_async_context(serve_in_loop(upstream))
        await server.serve()


def without_query(record: logging.LogRecord) -> bool:
    """Cut the query off a line of the access log: some clients put their keys there."""
    if isinstance(record.args, tuple) and len(record.args) > 2:
        path = str(record.args[2]).partition("?")[0]
        record.args = (*record.args[:2], path, *record.args[3:])
    return True


def _log_at(level: str) -> None:
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # uvicorn's own news are of no use beside the greeting.
    news = logging.DEBUG if level == "debug" else logging.WARNING
    logging.getLogger("uvicorn.error").setLevel(news)
    logging.getLogger("uvicorn.access").addFilter(without_query)
    expect_cuts()


class StandaloneServer(uvicorn.Server):
    """uvicorn that greets, and that lets open answers end before it does."""

    def __init__(self, gateway: Gateway, plan: ServePlan) -> None:
        debug = plan.log_level == "debug"
        super().__init__(
            uvicorn.Config(
                GatewayApp(gateway),
                host=plan.host,
                port=plan.port,
                loop="auto",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="debug" if debug else "warning",
                access_log=debug,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=math.ceil(plan.grace_s),
            )
        )
        self._gateway = gateway
        self._plan = plan

    async def startup(self, sockets: Any = None) -> None:
        """Start to listen, and say where."""
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            plan = self._plan
            settings, registry = self._gateway.settings, self._gateway.registry
            for line in welcome(settings, registry, plan.host, port, demo=plan.demo):
                print(line)
            sys.stdout.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal for an order to end well.

        uvicorn would raise it anew at the end, and the process would not exit with 0.
        """
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: Any = None) -> None:
        """Let open answers end, while newcomers are told to come back; then stop listening."""
        self._gateway.drain()
        open_ = self.server_state.tasks
        if open_:
            logger.info("draining: %d open, at most %g s", len(open_), self._plan.grace_s)
        end = time.monotonic() + self._plan.grace_s
        while open_ and not self.force_exit and (left_s := end - time.monotonic()) > 0:
            await asyncio.wait(list(open_), timeout=min(left_s, _LOOK_S))
        await _cancel(list(open_))
        self.config.timeout_graceful_shutdown = 1
        await super().shutdown(sockets)


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """End what is left and let it write its records, before the gateway is closed."""
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    if waiting:
        logger.warning("%d answers were cut, because the time to end them was over", len(waiting))
        await asyncio.wait(waiting, timeout=_CANCEL_WITHIN_S)
