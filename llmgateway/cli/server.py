"""The server process itself: uvicorn, the gateway's app, and a quiet end. Imports uvicorn."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from llmgateway.cli.serve import ServePlan
from llmgateway.cli.welcome import Examples, welcome
from llmgateway.gateway import Gateway
from llmgateway.redaction import RedactingFilter
from llmgateway_asgi import GatewayApp
from llmgateway_asgi.cuts import expect_cuts

__all__ = ["serve"]

logger = logging.getLogger("llmgateway")

_LOOK_S = 0.2
"""How often the end of the grace looks for a second signal."""
_CANCEL_WITHIN_S = 0.5
_YOUNG_OBJECTS = 10_000
"""So many containers more than before are looked through for garbage; Python's own: 700."""
_ACCEPTORS = 8
"""How many connections are taken in one turn of the loop, for each address."""
_TALKATIVE = ("httpx", "httpcore", "hpack")
"""Their lines hold URLs and headers, and so keys: never below a warning."""


def serve(plan: ServePlan) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    _log_at(plan.log_level)
    server, beside = _with_fake_provider(plan) if plan.demo else _alone(plan)
    try:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(_serve(server, beside))
    except SystemExit:
        # uvicorn's way of saying that it could not start; its own line says why.
        print("The server could not start; the reason stands above.", file=sys.stderr)
        return 1
    return 0


_Served = tuple["StandaloneServer", AbstractAsyncContextManager[None]]
"""The server, and what runs beside it."""


def _alone(plan: ServePlan) -> _Served:
    return StandaloneServer(Gateway(plan.settings), plan), nullcontext()


def _with_fake_provider(plan: ServePlan) -> _Served:
    # What is for trying and testing is loaded for those alone.
    from llmgateway.cli.demo import demo_gateway, examples

    gateway, beside = demo_gateway(plan.settings)
    return StandaloneServer(gateway, plan, examples), beside


async def _serve(server: StandaloneServer, beside: AbstractAsyncContextManager[None]) -> None:
    async with beside:
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
    for handler in logging.getLogger().handlers:
        handler.addFilter(RedactingFilter())  # here, so that lines of libraries have no secret too
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # uvicorn's own news are of no use beside the greeting.
    news = logging.DEBUG if level == "debug" else logging.WARNING
    logging.getLogger("uvicorn.error").setLevel(news)
    logging.getLogger("uvicorn.access").addFilter(without_query)
    expect_cuts()


class StandaloneServer(uvicorn.Server):
    """uvicorn that greets, and that lets open answers end before it does."""

    def __init__(self, gateway: Gateway, plan: ServePlan, examples: Examples | None = None) -> None:
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
        self._examples = examples

    async def startup(self, sockets: Any = None) -> None:
        """Start to listen, and say where."""
        await super().startup(sockets)
        if self.started:
            await self._accept_more()
            port = self.servers[0].sockets[0].getsockname()[1]
            plan = self._plan
            settings, registry = self._gateway.settings, self._gateway.registry
            for line in welcome(settings, registry, plan.host, port, demo=self._examples):
                print(line)
            sys.stdout.flush()
            _collect_from_now_on()

    async def _accept_more(self) -> None:
        """Listen at each address several times over.

        libuv takes one connection from each listener in a turn of the loop, so that a crowd which
        comes to a busy server would wait for as many turns.
        """
        loop = asyncio.get_running_loop()
        new_protocol: Any = self.config.http_protocol_class
        protocol = partial(
            new_protocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        listening = [sock for server in self.servers for sock in server.sockets]
        for sock in listening * (_ACCEPTORS - 1):
            self.servers.append(
                await loop.create_server(protocol, sock=sock.dup(), backlog=self.config.backlog)
            )

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


def _collect_from_now_on() -> None:
    """Start to collect garbage, but never look at what the start has made.

    That lives as long as the process, and the collector would walk through all 45,000 objects of
    it again and again. A request leaves next to no cycles, so to look seldom costs little memory.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])
    gc.enable()


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    """End what is left and let it write its records, before the gateway is closed."""
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    if waiting:
        logger.warning("%d answers were cut, because the time to end them was over", len(waiting))
        await asyncio.wait(waiting, timeout=_CANCEL_WITHIN_S)
