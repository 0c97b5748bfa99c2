"""A load of many kinds at a steady rate: what the soak sends, and how it judges the answers.

It is an open loop: requests begin when they are due, however long the ones before them take.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.cells import EVENTS, Cell, cells, paced

__all__ = ["KINDS", "Kind", "Load", "Wrong"]

_STREAM_S = 1.0
_TICK_S = 0.005
_ANSWER_WITHIN_S = 30
_MOST_IN_FLIGHT = 2000
_MOST_BEHIND_S = 0.1
"""What a load that was held up itself still sends at once; the rest of it is skipped."""
_IDLE_S = 4.0
"""The server closes an idle connection after five; one that is being closed must not be used."""
_HEAD_BYTES = 64 * 1024
_DONE = b"data: [DONE]"
_ERROR = b'"error"'

_CELLS = {cell.name: cell for cell in cells(1.0)}
_PACED = paced("paced", _STREAM_S)


class Wrong(Exception):
    """An answer is not what its kind of request should get."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request."""

    name: str
    share: int
    """Of a hundred."""
    cell: Cell
    """What is sent."""
    status: int = 200
    or_status: int | None = None
    """Another one that is right."""
    ending: bytes = b""
    """What stands in the last bytes of the right answer."""
    leaves_after: int | None = None
    """After so many bytes of the body the client is gone."""
    cut: bool = False
    """Whether the connection ends before the answer does, as it has to where the provider's did."""
    known: bool = True
    """Whether it has a key that the gateway knows."""


def _bench(model: str, **changes: object) -> Cell:
    return replace(_CELLS["sse16"], model=model, **changes)  # type: ignore[arg-type]  # fields


KINDS: Sequence[Kind] = (
    Kind("chat", 66, _CELLS["c16"], ending=b"}"),
    Kind("long chat", 2, _CELLS["reencoded"], ending=b"}"),
    Kind("stream", 12, _CELLS["sse16"], ending=_DONE),
    Kind("translated stream", 4, _CELLS["translated"], ending=_DONE),
    Kind("paced stream", 5, _PACED, ending=_DONE),
    Kind("client that leaves", 4, _PACED, leaves_after=2000),
    Kind("failing provider", 3, _bench("bench-503", kind="json"), 503, ending=b"}"),
    Kind("stream that is cut", 2, _bench("bench-cut"), ending=_ERROR, cut=True),
    # One address may fail only so often.
    Kind("unknown key", 2, _CELLS["c16"], 401, 429, ending=b"}", known=False),
)


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0


class Load:
    """Sends requests of all kinds to a port; `rate_per_s` may be changed while it runs."""

    def __init__(
        self,
        port: int,
        requests: Mapping[str, bytes],
        rate_per_s: float,
        kinds: Sequence[Kind] = KINDS,
    ) -> None:
        self.rate_per_s = rate_per_s
        self.done: Counter[str] = Counter()
        """Right answers, by kind."""
        self.faults: Counter[str] = Counter()
        """What went wrong, in words."""
        self.skipped = 0
        """Requests that were due while too many were in flight, or while the load was held up."""
        self.port = port
        self._requests = requests
        self._kinds = kinds
        self._weights = [kind.share for kind in kinds]
        # Seeded, so that two soaks send the same.
        self._random = random.Random(10)
        self._idle: list[_Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Send until told otherwise, then wait for the last answers."""
        clock = asyncio.get_running_loop().time
        last, owed = clock(), 0.0
        while goes_on():
            await asyncio.sleep(_TICK_S)
            now = clock()
            owed += (now - last) * self.rate_per_s
            last = now
            late = int(owed - self.rate_per_s * _MOST_BEHIND_S)
            if late > 0:
                self.skipped += late
                owed -= late
            while owed >= 1:
                owed -= 1
                self.begin()
        await self.wait()

    async def wait(self) -> None:
        """Wait for the answers to what has begun, then close all connections."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        for connection in self._idle:
            connection.writer.close()
        self._idle.clear()

    def begin(self) -> None:
        """Send one request of some kind, unless too many are in flight."""
        if len(self._tasks) >= _MOST_IN_FLIGHT:
            self.skipped += 1
            return
        (kind,) = self._random.choices(self._kinds, self._weights)
        task = asyncio.ensure_future(self._judged(kind))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _judged(self, kind: Kind) -> None:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                await self._ask(kind)
        except (Wrong, OSError, EOFError, TimeoutError, ValueError) as error:
            self.faults[f"{kind.name}: {str(error) or type(error).__name__}"] += 1
        else:
            self.done[kind.name] += 1

    async def _ask(self, kind: Kind) -> None:
        connection = await self._connection()
        kept = False
        try:
            connection.writer.write(self._requests[kind.name])
            await connection.writer.drain()
            kept = await _answered(connection.reader, kind)
        finally:
            if kept:
                connection.idle_since = asyncio.get_running_loop().time()
                self._idle.append(connection)
            else:
                connection.writer.transport.abort()

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            idle_s = asyncio.get_running_loop().time() - connection.idle_since
            if idle_s < _IDLE_S and not connection.reader.at_eof():
                return connection
            connection.writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=_HEAD_BYTES)
        return _Connection(reader, writer)


async def _answered(reader: asyncio.StreamReader, kind: Kind) -> bool:
    """Read and judge an answer; returns whether its connection can be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if status not in (kind.status, kind.or_status):
        raise Wrong(f"status {status}")
    if b"transfer-encoding: chunked" in head:
        body, whole = await _chunks(reader, kind.leaves_after)
        if whole is kind.cut:
            raise Wrong("it did not break off" if kind.cut else "it broke off")
    else:
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
    if kind.leaves_after is not None:
        return False
    if kind.ending not in body[-600:]:
        raise Wrong("a wrong end")
    if kind.ending == _DONE and body.count(b"\ndata: ") < _least(kind.cell):
        raise Wrong("a short stream")
    return not kind.cut and b"connection: close" not in head


def _least(cell: Cell) -> int:
    # The first event has no line before it.
    return min(cell.least, EVENTS) - 1


async def _chunks(reader: asyncio.StreamReader, most: int | None) -> tuple[bytes, bool]:
    """Read a chunked body, or so much of it; returns it, and whether it did not break off."""
    body = bytearray()
    while most is None or len(body) < most:
        try:
            size = int(await reader.readuntil(b"\r\n"), 16)
            chunk = await reader.readexactly(size + 2)
        except EOFError:
            return bytes(body), False
        if not size:
            break
        body += chunk[:-2]
    return bytes(body), True
