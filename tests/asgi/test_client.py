"""The client's side of a request: a body that is here, comes in pieces, or never whole."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest

from llmgateway.errors import ClientDisconnected
from llmgateway.transport.perloop import PerLoop
from llmgateway_asgi.client import Client, Lookout


class Wire:
    """What a server would hand out: messages, each at once or once it is let through."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = deque(messages)
        self.let_through = asyncio.Event()
        self.closed = False
        self.asked = 0

    async def at_once(self) -> dict[str, Any]:
        self.asked += 1
        return self.messages.popleft()

    async def later(self) -> dict[str, Any]:
        self.asked += 1
        try:
            await asyncio.sleep(0)
            await self.let_through.wait()
        finally:
            self.closed = True
        return self.messages.popleft()


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def client_of(receive: Any, *, bodiless: bool = False) -> Client:
    return Client(receive, PerLoop(Lookout), bodiless=bodiless)


async def test_a_whole_body_is_taken_without_a_wait() -> None:
    wire = Wire(part(b"all"))
    client = client_of(wire.at_once)

    assert b"all" == client.take()
    assert [] == [piece async for piece in client]
    client.close()


async def test_a_request_without_body_asks_for_none() -> None:
    wire = Wire()

    assert b"" == client_of(wire.at_once, bodiless=True).take()
    assert 0 == wire.asked


async def test_a_body_of_which_a_part_is_here_is_iterated() -> None:
    wire = Wire(part(b"one", more=True), part(b"", more=True), part(b"two"))
    client = client_of(wire.at_once)

    assert client.take() is None
    assert [b"one", b"two"] == [piece async for piece in client]


async def test_a_body_that_is_to_come_is_waited_for_where_taking_it_left_off() -> None:
    wire = Wire(part(b"one", more=True), part(b"two"))
    client = client_of(wire.later)

    assert client.take() is None
    asyncio.get_running_loop().call_soon(wire.let_through.set)
    assert [b"one", b"two"] == [piece async for piece in client]
    assert 2 == wire.asked


async def test_a_wait_can_be_cancelled() -> None:
    wire = Wire(part(b"one"))
    begun = asyncio.Event()

    async def read() -> None:
        client = client_of(wire.later)
        client.take()
        begun.set()
        await anext(client)

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wire.closed


async def test_what_nobody_reads_is_closed() -> None:
    wire = Wire(part(b"one"))
    client = client_of(wire.later)

    assert client.take() is None
    client.close()
    assert wire.closed


async def test_a_client_that_left_before_its_body_is_told_of() -> None:
    client = client_of(Wire({"type": "http.disconnect"}).at_once)

    with pytest.raises(ClientDisconnected):
        client.take()
    assert client.gone
