"""Resolve a name once, have every address judged, connect to one that was.

The only place where the package opens a connection to the outside.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from llmgateway.transport.guard import AddressPolicy, Kind, is_address, kind_of
from llmgateway.transport.url import Origin

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses in the order to try; raises `OSError` if there is none."""

STAGGER_S = 0.25
"""How long one address is tried before the next one joins. Source: RFC 8305, section 5."""

_P = TypeVar("_P", bound=asyncio.Protocol)
_Connected = tuple[asyncio.Transport, _P]


def look_up(*order: Any) -> list[Any]:
    """Look a name up in this thread, for loops that bring threads of their own to it."""
    return socket.getaddrinfo(*order)


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """Look a name up as the machine is set up to, in a thread of the loop's own pool."""
    rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


async def has_public_address(host: str) -> bool:
    """Tell whether a name has addresses, and all of them are public; makes no connection."""
    try:
        addresses = (host,) if is_address(host) else await resolve_by_system(host, 443)
    except (OSError, UnicodeError):
        return False
    return bool(addresses) and all(kind_of(address) is Kind.PUBLIC for address in addresses)


class Dialer:
    """Makes TCP connections to origins that its policy lets through."""

    __slots__ = ("_policy", "_resolver")

    def __init__(self, policy: AddressPolicy, resolver: Resolver = resolve_by_system) -> None:
        self._policy = policy
        self._resolver = resolver

    async def dial(self, origin: Origin, factory: Callable[[], _P]) -> _P:
        """Connect to `origin` and return the protocol that `factory` made for the connection.

        Raises `AddressRefused` before any byte is sent, `OSError` if there is no such name or
        no address takes the connection (then the first address's error).
        """
        # The policy sees what is connected to: nothing resolves the name again after it.
        addresses = self._policy.check(origin, await self._addresses(origin))
        _, protocol = await _Race(factory, origin.port).run(addresses)
        return protocol

    async def _addresses(self, origin: Origin) -> Sequence[str]:
        if is_address(origin.host):
            return (origin.host,)
        addresses = await self._resolver(origin.host, origin.port)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return addresses


class _Race(Generic[_P]):
    """Connects to the first of some addresses that answers; the later ones start later."""

    def __init__(self, factory: Callable[[], _P], port: int) -> None:
        self._factory = factory
        self._port = port

    async def run(self, addresses: Sequence[str]) -> _Connected[_P]:
        if len(addresses) == 1:
            return await self._connect(addresses[0])
        waiting = deque(addresses)
        running: set[asyncio.Task[_Connected[_P]]] = set()
        faults: list[OSError] = []
        try:
            while waiting or running:
                if waiting:
                    running.add(asyncio.create_task(self._connect(waiting.popleft())))
                done, _ = await asyncio.wait(
                    running,
                    timeout=STAGGER_S if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    running.discard(task)
                    try:
                        return task.result()
                    except OSError as exc:
                        faults.append(exc)
            raise faults[0]
        finally:
            for task in running:
                task.cancel()
                task.add_done_callback(_abort_loser)

    async def _connect(self, address: str) -> _Connected[_P]:
        # The host is an address, so the loop asks no resolver.
        return await asyncio.get_running_loop().create_connection(
            self._factory, address, self._port
        )


def _abort_loser(task: asyncio.Task[_Connected[_P]]) -> None:
    """Close what a race no longer needs; it may have connected before it heard so."""
    if not task.cancelled() and task.exception() is None:
        transport, _ = task.result()
        transport.abort()
