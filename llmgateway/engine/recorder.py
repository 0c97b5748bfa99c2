"""The request log: one draft a request, queued within bounds, stored in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

from llmgateway.engine.world import World
from llmgateway.errors import GatewayError
from llmgateway.stores import Records
from llmgateway.types.record import AttemptRecord, Record
from llmgateway.types.usage import NO_USAGE, Usage

logger = logging.getLogger(__name__)

_BATCH = 500


class Recorder:
    """Takes records without waiting, and stores them behind the requests' backs.

    `take` is called on one loop here; a host with several loops gives each its own recorder.
    """

    def __init__(self, records: Records, max_queued: int, world: World) -> None:
        self._records = records
        self._queue: deque[Record] = deque()
        self._max_queued = max_queued
        self._world = world
        self._writer: asyncio.Task[None] | None = None
        self.dropped = 0
        """How many records the bound cost, since the start."""

    def begin(self, method: str, path: str) -> Draft:
        """Open the draft of a request that has just arrived."""
        return Draft(self, self._world, method, path)

    def take(self, record: Record) -> None:
        """Queue a record; over the bound it is dropped and counted."""
        if len(self._queue) >= self._max_queued:
            self.dropped += 1
            if self.dropped == 1:
                logger.error("The log store does not keep up; records are being dropped.")
            return
        self._queue.append(record)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def flush(self) -> None:
        """Wait until everything queued so far is stored."""
        while self._queue or (self._writer is not None and not self._writer.done()):
            if self._writer is None or self._writer.done():
                self._writer = asyncio.get_running_loop().create_task(self._write())
            await asyncio.shield(self._writer)

    async def _write(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            try:
                await self._records.append(batch)
            except Exception:
                self.dropped += len(batch)
                logger.exception("The log store refused %d records.", len(batch))


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

    @property
    def started_at(self) -> float:
        """When the request arrived, in seconds since the epoch."""
        return self._started_at

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
