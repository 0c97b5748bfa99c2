"""A crowd that comes to a busy server is let in by the dozen."""

from __future__ import annotations

import asyncio
import socket

import pytest

from llmgateway import Gateway, Settings
from llmgateway.cli import server
from llmgateway.cli.serve import ServePlan
from llmgateway.cli.server import StandaloneServer

uvloop = pytest.importorskip("uvloop", reason="uvloop comes with the standalone extra")

CLIENTS = 40


async def connected_within(turns: int) -> int:
    plan = ServePlan(
        Settings(), host="127.0.0.1", port=0, grace_s=0, demo=False, log_level="warning"
    )
    server = StandaloneServer(Gateway(plan.settings), plan)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.lifespan.startup()
    await server.startup()
    address = server.servers[0].sockets[0].getsockname()
    clients = [socket.create_connection(address) for _ in range(CLIENTS)]
    try:
        for _ in range(turns):
            await asyncio.sleep(0)
        return len(server.server_state.connections)
    finally:
        for client in clients:
            client.close()
        await server.shutdown()


def test_many_connections_are_taken_in_one_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The process is not the server's own: what the test run has frozen must stay so.
    monkeypatch.setattr(server, "_collect_from_now_on", lambda: None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        accepted = runner.run(connected_within(turns=10))

    assert CLIENTS == accepted
