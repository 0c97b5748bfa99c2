"""Resolving once, judging every address, connecting to a judged one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from llmgateway.errors import AddressRefused
from llmgateway.transport import dial
from llmgateway.transport.dial import Dialer, resolve_by_system
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.url import Origin
from tests.transport.conftest import Serve
from tests.transport.provider import PATIENCE_S, Peer, Provider

ANYWHERE = AddressPolicy(allow_loopback=True)


class Wire(asyncio.Protocol):
    """What is dialled: it only knows its transport."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    @property
    def peer(self) -> str:
        return str(self.transport.get_extra_info("peername")[0])


class Connects:
    """Stands in for the loop's `create_connection`: notes where to, then does as told."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []
        self.act: Callable[[str], Awaitable[None]] = self.refuse
        self._connect = asyncio.get_running_loop().create_connection

    async def __call__(self, factory: Callable[[], Wire], host: str, port: int) -> Any:
        self.made.append((host, port))
        await self.act(host)
        return await self._connect(factory, host, port)

    @staticmethod
    async def refuse(host: str) -> None:
        raise ConnectionRefusedError(host)


@pytest.fixture
async def connects(monkeypatch: pytest.MonkeyPatch) -> Connects:
    connects = Connects()
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connects, raising=False)
    return connects


class Names:
    """A resolver that gives one prepared answer after the other, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[tuple[str, int]] = []
        self._answers = list(answers)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
async def canary(serve: Serve) -> Provider:
    """A server of this machine that nobody may reach."""

    async def wait(peer: Peer) -> None:
        await peer.gone()

    return await serve(wait)


async def test_a_name_is_resolved_once_and_its_address_connected_to(canary: Provider) -> None:
    names = Names(["127.0.0.1"])

    wire = await Dialer(ANYWHERE, names).dial(Origin("http", "a.example", canary.port), Wire)

    assert "127.0.0.1" == wire.peer
    assert [("a.example", canary.port)] == names.asked
    wire.transport.abort()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_is_not_looked_up(host: str, connects: Connects) -> None:
    names = Names(["192.0.2.1"])

    with pytest.raises(ConnectionRefusedError):
        await Dialer(ANYWHERE, names).dial(Origin("http", host, 8080), Wire)

    assert [] == names.asked
    assert [(host, 8080)] == connects.made


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["1.1.1.1", "127.0.0.1"],
        ["127.0.0.1", "1.1.1.1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["::127.0.0.1"],
        ["0.0.0.0"],
    ],
    ids=" ".join,
)
async def test_a_refused_answer_connects_to_nothing(
    canary: Provider, connects: Connects, addresses: list[str]
) -> None:
    dialer = Dialer(AddressPolicy(), Names(addresses))

    with pytest.raises(AddressRefused):
        await dialer.dial(Origin("http", "a.example", canary.port), Wire)

    assert [] == connects.made
    assert 0 == canary.accepted


@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "localhost"],
)
async def test_what_the_system_makes_of_a_spelling_is_what_is_judged(
    canary: Provider, connects: Connects, host: str
) -> None:
    """`split_url` refuses these spellings; the guard does not rely on it."""
    with pytest.raises(AddressRefused):
        await Dialer(AddressPolicy()).dial(Origin("http", host, canary.port), Wire)

    assert [] == connects.made


async def test_a_name_that_changes_its_answer_gains_nothing(
    canary: Provider, connects: Connects
) -> None:
    """Rebinding: the first answer is public, the next one is this machine."""
    names = Names(["93.184.215.14"], ["127.0.0.1"])
    dialer = Dialer(AddressPolicy(), names)
    origin = Origin("http", "rebinding.example", canary.port)

    with pytest.raises(ConnectionRefusedError):
        await dialer.dial(origin, Wire)
    with pytest.raises(AddressRefused):
        await dialer.dial(origin, Wire)

    assert [("93.184.215.14", canary.port)] == connects.made, "the judged address, not the name"
    assert 2 == len(names.asked)
    assert 0 == canary.accepted


async def test_an_allowed_origin_is_resolved_and_reached(canary: Provider) -> None:
    policy = AddressPolicy(frozenset({("http", "ollama.lan", canary.port)}))

    wire = await Dialer(policy, Names(["127.0.0.1"])).dial(
        Origin("http", "ollama.lan", canary.port), Wire
    )

    assert "127.0.0.1" == wire.peer
    wire.transport.abort()


async def test_the_next_address_is_tried_when_one_refuses(canary: Provider) -> None:
    # 127.0.0.2 is this machine too, but nobody listens there.
    names = Names(["127.0.0.2", "127.0.0.1"])

    wire = await Dialer(ANYWHERE, names).dial(Origin("http", "a.example", canary.port), Wire)

    assert "127.0.0.1" == wire.peer
    wire.transport.abort()


async def test_the_next_address_joins_when_one_hangs(
    canary: Provider, connects: Connects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "STAGGER_S", 0.01)
    given_up = asyncio.Event()

    async def hang(host: str) -> None:
        if host == "127.0.0.9":
            try:
                await asyncio.Event().wait()
            finally:
                given_up.set()

    connects.act = hang
    wire = await Dialer(ANYWHERE, Names(["127.0.0.9", "127.0.0.1"])).dial(
        Origin("http", "a.example", canary.port), Wire
    )

    assert "127.0.0.1" == wire.peer
    await asyncio.wait_for(given_up.wait(), PATIENCE_S)
    wire.transport.abort()


async def test_a_slow_address_may_still_win_when_the_last_one_refuses(
    canary: Provider, connects: Connects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "STAGGER_S", 0)
    refused = asyncio.Event()

    async def act(host: str) -> None:
        if host == "127.0.0.9":
            refused.set()
            raise ConnectionRefusedError
        await refused.wait()

    connects.act = act
    wire = await Dialer(ANYWHERE, Names(["127.0.0.1", "127.0.0.9"])).dial(
        Origin("http", "a.example", canary.port), Wire
    )

    assert "127.0.0.1" == wire.peer
    wire.transport.abort()


async def test_the_first_fault_is_told_when_no_address_takes_the_connection(
    connects: Connects,
) -> None:
    names = Names(["127.0.0.1", "127.0.0.2", "127.0.0.3"])

    with pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1"):
        await Dialer(ANYWHERE, names).dial(Origin("http", "a.example", 1), Wire)

    assert [("127.0.0.1", 1), ("127.0.0.2", 1), ("127.0.0.3", 1)] == connects.made


async def test_a_cancelled_race_leaves_no_connection(canary: Provider) -> None:
    """Cancelled at every point of its way."""
    names = Names(["127.0.0.1", "127.0.0.1", "127.0.0.1"])
    dialer = Dialer(ANYWHERE, names)
    for steps in range(40):
        task = asyncio.create_task(dialer.dial(Origin("http", "a.example", canary.port), Wire))
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            task.result().transport.abort()
        task.cancel()
        await asyncio.wait([task])

    await canary.until(lambda it: it.open == 0)


async def test_of_two_that_connect_one_is_kept(
    canary: Provider, connects: Connects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "STAGGER_S", 0)
    both = asyncio.Event()

    async def meet(host: str) -> None:
        if len(connects.made) == 2:
            both.set()
        await both.wait()

    connects.act = meet
    wire = await Dialer(ANYWHERE, Names(["127.0.0.1", "127.0.0.1"])).dial(
        Origin("http", "a.example", canary.port), Wire
    )

    await canary.until(lambda it: it.open == 1)
    assert not wire.transport.is_closing()
    wire.transport.abort()
    await canary.until(lambda it: it.open == 0)


async def test_no_address_is_no_such_name() -> None:
    with pytest.raises(socket.gaierror):
        await Dialer(ANYWHERE, Names([])).dial(Origin("http", "a.example", 80), Wire)


async def test_the_system_resolves_localhost() -> None:
    addresses = await resolve_by_system("localhost", 80)

    assert addresses
    assert set(addresses) <= {"127.0.0.1", "::1"}
    assert len(set(addresses)) == len(addresses)
