"""The request log: one draft a request, queued within bounds, stored in batches."""

from __future__ import annotations

import asyncio
import logging
import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from llmgateway.engine.world import World
from llmgateway.errors import GatewayError
from llmgateway.settings import Limits
from llmgateway.stores import Records
from llmgateway.types.record import AttemptRecord, Record
from llmgateway.types.usage import NO_USAGE, Usage

logger = logging.getLogger(__name__)

_BATCH = 500
_RECORD_BYTES = 2048
"""About what a record takes in memory without what clients may make long."""


class Recorder:
    """Takes records without waiting, and stores them behind the requests' backs.

    Safe from any thread: the queue is one, and each event loop has a writer of its own. A batch
    that a loop had in hand when it was cancelled or closed goes back to the front of the queue;
    it may be stored twice then, which `Records.append` allows.
    """

    def __init__(self, records: Records, limits: Limits, world: World) -> None:
        self._records = records
        self._limits = limits
        self._world = world
        # A finalizer may finish a draft wherever the collector runs, here included: reentrant.
        self._lock = threading.RLock()
        self._queue: deque[tuple[Record, int]] = deque()
        self._in_hand: dict[AbstractEventLoop, list[tuple[Record, int]]] = {}
        self._writers: dict[AbstractEventLoop, asyncio.Task[None]] = {}
        self._bytes = 0
        self.dropped = 0
        """How many records the bounds and the store's failures cost, since the start."""

    def begin(self, method: str, path: str) -> Draft:
        """Open the draft of a request that has just arrived."""
        return Draft(self, self._world, method, path)

    def take(self, record: Record) -> None:
        """Queue a record; over the bounds it is dropped and counted.

        Outside of an event loop it waits for the next call inside of one.
        """
        size = _size_of(record)
        with self._lock:
            fits = (
                len(self._queue) < self._limits.max_queued_records
                and self._bytes + size <= self._limits.max_queued_record_bytes
            )
            if fits:
                self._queue.append((record, size))
                self._bytes += size
            else:
                self.dropped += 1
            first = self.dropped == 1
        if fits:
            with suppress(RuntimeError):
                self._writer(asyncio.get_running_loop())
        elif first:
            logger.error("The log store does not keep up; records are being dropped.")

    async def flush(self) -> None:
        """Wait until everything queued so far is stored.

        Not for batches that another loop has in hand: they are that loop's, and waiting for a loop
        that may itself be waiting for this one could last for ever.
        """
        loop = asyncio.get_running_loop()
        while not (writer := self._writer(loop)).done():
            await asyncio.wait({writer})

    def _writer(self, loop: AbstractEventLoop) -> asyncio.Task[None]:
        with self._lock:
            for closed in [other for other in self._writers if other.is_closed()]:
                del self._writers[closed]
                self._put_back(closed)
        writer = self._writers.get(loop)
        if writer is None or (self._queue and writer.done()):
            writer = self._writers[loop] = loop.create_task(self._write(loop))
        return writer

    async def _write(self, loop: AbstractEventLoop) -> None:
        while batch := self._next_batch(loop):
            try:
                await self._records.append([record for record, _ in batch])
            except asyncio.CancelledError:
                self._put_back(loop)
                raise
            except Exception:
                with self._lock:
                    self.dropped += len(batch)
                logger.exception("The log store refused %d records.", len(batch))
            with self._lock:
                self._bytes -= sum(size for _, size in self._in_hand.pop(loop))

    def _next_batch(self, loop: AbstractEventLoop) -> list[tuple[Record, int]]:
        with self._lock:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            if batch:
                self._in_hand[loop] = batch
            return batch

    def _put_back(self, loop: AbstractEventLoop) -> None:
        with self._lock:
            self._queue.extendleft(reversed(self._in_hand.pop(loop, ())))


def _size_of(record: Record) -> int:
    texts = (record.path, record.model or "", str(record.metadata))
    return _RECORD_BYTES * (1 + len(record.attempts)) + sum(map(len, texts))


def name_of(error: GatewayError) -> str:
    """Return what records call an error: its code, or its type where a provider gave no code."""
    return str(error.code or error.type or "upstream_error")


class Draft:
    """What is known of a request so far. `finish` turns it into its one record."""

    __slots__ = (
        "_finished",
        "_record_id",
        "_recorder",
        "_started",
        "_started_at",
        "_world",
        "adjusted",
        "attempts",
        "dropped",
        "endpoint",
        "first_byte_ms",
        "metadata",
        "method",
        "model",
        "path",
        "principal",
        "provider",
        "stream",
        "target",
        "trace_id",
        "usage",
        "workspace",
    )

    def __init__(self, recorder: Recorder, world: World, method: str, path: str) -> None:
        self._recorder = recorder
        self._world = world
        self._started = world.monotonic()
        self._started_at = world.time()
        self._record_id = world.new_id()
        self._finished = False
        self.method = method
        self.path = path
        self.trace_id = self._record_id
        self.endpoint: str | None = None
        self.principal: str | None = None
        self.workspace: str | None = None
        self.target: str | None = None
        self.provider: str | None = None
        self.model: str | None = None
        self.stream = False
        self.first_byte_ms: float | None = None
        self.usage: Usage = NO_USAGE
        self.attempts: list[AttemptRecord] = []
        self.metadata: Mapping[str, Any] = {}
        self.dropped: tuple[str, ...] = ()
        self.adjusted: tuple[str, ...] = ()

    @property
    def started(self) -> float:
        """When the request arrived, in monotonic seconds."""
        return self._started

    def mark_first_byte(self) -> None:
        """Note that the answer begins to go out."""
        if self.first_byte_ms is None:
            self.first_byte_ms = self._elapsed_ms()

    def finish(self, status: int, error: GatewayError | None = None) -> None:
        """Write the record. Every later call does nothing: the first end is the true one."""
        if self._finished:
            return
        self._finished = True
        self._recorder.take(
            Record(
                id=self._record_id,
                trace_id=self.trace_id,
                started_at=self._started_at,
                duration_ms=self._elapsed_ms(),
                method=self.method,
                path=self.path,
                endpoint=self.endpoint,
                status=status,
                error=None if error is None else name_of(error),
                principal=self.principal,
                workspace=self.workspace,
                target=self.target,
                provider=self.provider,
                model=self.model,
                stream=self.stream,
                first_byte_ms=self.first_byte_ms,
                usage=self.usage,
                attempts=tuple(self.attempts),
                metadata=self.metadata,
                dropped=self.dropped,
                adjusted=self.adjusted,
            )
        )

    def _elapsed_ms(self) -> float:
        return (self._world.monotonic() - self._started) * 1000
