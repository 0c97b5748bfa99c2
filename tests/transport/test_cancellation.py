"""Calls that end at any point leave no socket, slot, task or file behind."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llmgateway.errors import TransportError
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.pool import PoolBounds
from tests.transport.conftest import AnyTransport, Kind, Serve
from tests.transport.provider import (
    CHUNKED,
    OK,
    Peer,
    answer_each,
    ask,
    fetch,
    pieces,
    read,
    turns,
)

ANYWHERE = AddressPolicy(allow_loopback=True)
DESCRIPTORS = Path("/proc/self/fd")


async def chunks_for_ever(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED)
    while True:
        await peer.send(b"4\r\ntick\r\n")
        await asyncio.sleep(0.01)


async def some_of_each(peer: Peer) -> None:
    """Answers whole, in chunks, late, or not at all, by turns."""
    for turn in range(peer.number, 10**9):
        await peer.request()
        match turn % 5:
            case 0:
                await peer.send(OK)
            case 1:
                await peer.send(CHUNKED, b"2\r\nok\r\n", b"0\r\n\r\n")
            case 2:
                for _ in range(5):
                    await asyncio.sleep(0)
                await peer.send(OK[:20], OK[20:])
            case 3:
                await peer.send(CHUNKED, b"2\r\nok\r\n")
                await peer.gone()
            case _:
                await peer.gone()


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("with_body", [False, True], ids=["bytes", "iterator"])
async def test_a_call_cancelled_at_any_point_leaves_nothing(
    kind: Kind, serve: Serve, twice: bool, with_body: bool
) -> None:
    """At each step of a call in turn; a second cancellation hits the cleaning up."""
    provider = await serve(answer_each(CHUNKED + b"2\r\nok\r\n0\r\n\r\n"))
    transport = kind(ANYWHERE, bounds=PoolBounds(per_origin=2))
    for steps in range(120):
        body: bytes | AsyncIterator[bytes] = pieces(b"a", b"b") if with_body else b"ab"
        task = asyncio.create_task(fetch(transport, ask(provider.url, body=body)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        if twice:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert 0 == transport.in_use

    await transport.aclose()
    await provider.until(lambda it: it.open == 0)


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts open files as Linux tells them")
async def test_a_thousand_random_cancellations_leave_nothing(kind: Kind, serve: Serve) -> None:
    rng = random.Random(20261124)
    provider = await serve(some_of_each)
    transport = kind(ANYWHERE, bounds=PoolBounds(per_origin=8, idle=4))
    tasks_before = len(asyncio.all_tasks())
    files_before = len(os.listdir(DESCRIPTORS))

    async def call() -> None:
        try:
            await fetch(transport, ask(provider.url, body=b"x", idle_s=0.05, first_byte_s=0.05))
        except TransportError:
            pass

    for _ in range(100):
        tasks = [asyncio.create_task(call()) for _ in range(10)]
        for task in tasks:
            for _ in range(rng.randrange(12)):
                await asyncio.sleep(0)
            task.cancel()
            if rng.random() < 0.3:
                await asyncio.sleep(0)
                task.cancel()
        await asyncio.wait(tasks)

    assert 0 == transport.in_use
    assert transport.idle <= 4
    await transport.aclose()
    await provider.until(lambda it: it.open == 0)
    await settled(tasks_before)
    assert len(os.listdir(DESCRIPTORS)) <= files_before


class Turned:
    """A provider's side of calls that stop where their path says, and who waits for that."""

    def __init__(self) -> None:
        self.begun: dict[bytes, asyncio.Event] = {}

    async def script(self, peer: Peer) -> None:
        """Tell how far the call has come, then wait for its end."""
        while True:
            head = await peer.head()
            number, _, phase = head.split(b" ")[1].strip(b"/").partition(b"/")
            match phase:
                case b"upload":
                    await peer.take(100_000)
                case b"part":
                    await peer.send(OK[:20])
                case b"body":
                    await peer.send(CHUNKED, b"2\r\nok\r\n")
                case b"whole":
                    await peer.send(OK)
            self.begun[number].set()
            if phase != b"whole":
                await peer.gone()


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(50_000)
        await asyncio.sleep(0)


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts open files as Linux tells them")
async def test_a_thousand_calls_cancelled_in_every_phase_leave_nothing(
    kind: Kind, serve: Serve
) -> None:
    """Each is known to have come so far: before connecting, in the head, body or upload."""
    rng = random.Random(20261130)
    turned = Turned()
    provider = await serve(turned.script)
    transport = kind(ANYWHERE, bounds=PoolBounds(per_origin=12, idle=4))
    tasks_before = len(asyncio.all_tasks())
    files_before = len(os.listdir(DESCRIPTORS))
    read_first: dict[int, asyncio.Event] = {}

    async def call(number: int, phase: str) -> None:
        body: bytes | AsyncIterator[bytes] = endless() if phase == "upload" else b""
        response = await transport.send(ask(f"{provider.url}/{number}/{phase}", body=body))
        try:
            async for _ in response.chunks():
                read_first[number].set()
        finally:
            await response.aclose()

    async def cancel(number: int) -> None:
        phase = rng.choice(("start", "head", "part", "body", "upload", "whole"))
        begun = turned.begun[b"%d" % number] = asyncio.Event()
        read_first[number] = asyncio.Event()
        task = asyncio.create_task(call(number, phase))
        if phase == "body":
            await read_first[number].wait()
        elif phase != "start":
            await begun.wait()
        for _ in range(rng.randrange(6)):
            await asyncio.sleep(0)
        task.cancel()
        if rng.random() < 0.3:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or phase == "whole"

    for start in range(0, 1000, 10):
        async with asyncio.timeout(10):
            await asyncio.gather(*map(cancel, range(start, start + 10)))

    assert 0 == transport.in_use
    assert (200, b"ok") == await ok(transport, turned, provider.url)
    await transport.aclose()
    await provider.until(lambda it: it.open == 0)
    await settled(tasks_before)
    assert len(os.listdir(DESCRIPTORS)) <= files_before


async def ok(transport: AnyTransport, turned: Turned, url: str) -> tuple[int, bytes]:
    """Make one more call, which must go through."""
    turned.begun[b"last"] = asyncio.Event()
    return await fetch(transport, ask(f"{url}/last/whole"))


async def settled(tasks: int) -> None:
    """Wait for what ends by itself: closed transports, and generators that were dropped."""
    gc.collect()
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > tasks:  # noqa: ASYNC110 - nobody tells of the last one
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.01)


async def test_two_hundred_streams_cancelled_close_within_a_second(
    serve: Serve, transport: AnyTransport
) -> None:
    provider = await serve(chunks_for_ever)
    responses = [await transport.send(ask(provider.url)) for _ in range(200)]
    tasks = [asyncio.create_task(read(response)) for response in responses]
    await turns()
    assert 200 == provider.open

    for task in tasks:
        task.cancel()

    async with asyncio.timeout(1):
        await provider.until(lambda it: it.open == 0)
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    assert 0 == transport.in_use


async def test_a_call_cancelled_before_the_head_closes_its_connection(
    serve: Serve, transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    provider = await serve(script)
    task = asyncio.create_task(transport.send(ask(provider.url)))
    await provider.until(lambda it: len(it.requests) == 1)

    task.cancel()

    await provider.until(lambda it: it.open == 0)
    assert 0 == transport.in_use


async def test_a_call_cancelled_while_its_body_is_awaited_closes_its_connection(
    serve: Serve, transport: AnyTransport
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"some"
        await asyncio.Event().wait()

    async def script(peer: Peer) -> None:
        await peer.head()
        begun.set()
        await peer.gone()

    begun = asyncio.Event()
    provider = await serve(script)
    task = asyncio.create_task(transport.send(ask(provider.url, body=body())))
    await begun.wait()

    task.cancel()

    await provider.until(lambda it: it.open == 0)
    assert 0 == transport.in_use


async def test_five_hundred_streams_at_once_come_whole(
    serve: Serve, transport: AnyTransport
) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(CHUNKED)
            for number in range(20):
                await peer.send(b"8\r\nevent %02d\r\n" % number)
                await asyncio.sleep(0)
            await peer.send(b"0\r\n\r\n")

    provider = await serve(script)
    whole = b"".join(b"event %02d" % number for number in range(20))

    answers = await asyncio.gather(*(fetch(transport, ask(provider.url)) for _ in range(500)))

    assert [(200, whole)] * 500 == answers
    assert 0 == transport.in_use
    assert transport.idle <= 256
