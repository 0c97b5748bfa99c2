"""The request log: one draft a request, queued within bounds, stored in batches."""

from __future__ import annotations

import asyncio
import sys
import threading
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from llmgateway.engine.bodies import Bodies
from llmgateway.engine.told import Told
from llmgateway.engine.world import World
from llmgateway.errors import GatewayError
from llmgateway.redaction import redacted_text, redacted_value, redacting_logger
from llmgateway.settings import Limits
from llmgateway.stores import Records
from llmgateway.transport.forks import at_fork
from llmgateway.types.record import AttemptRecord, Record, bare_results
from llmgateway.types.usage import NO_USAGE, Usage

if TYPE_CHECKING:  # they load with the first call that has guardrails
    from llmgateway.engine.vaults import Vaults

logger = redacting_logger(__name__)

WRITE_EVERY_S = 0.05
"""Records that come closer together share a write, and so a task and a batch."""
_BATCH = 500
_RECORD_BYTES = 2048
"""About what a record takes in memory without what clients may make long."""


class Recorder:
    """Takes records without waiting, and stores them behind the requests' backs.

    Safe from any thread: the queue is one, and each event loop has a writer of its own. A batch
    that a loop had in hand when it was cancelled or closed goes back to the front of the queue;
    it may be stored twice then, which `Records.append` allows.
    """

    def __init__(
        self,
        records: Records,
        limits: Limits,
        world: World,
        *,
        log_bodies: bool = False,
        vaults: Callable[[], Vaults] | None = None,
    ) -> None:
        self._records = records
        self._limits = limits
        self._logs_bodies = log_bodies
        self._vaults = vaults
        """Where the settings mask every request: those too that no guardrail comes to see."""
        self._world = world
        # A finalizer may finish a draft wherever the collector runs, here included: reentrant.
        self._lock = threading.RLock()
        self._queue: deque[tuple[Record, int]] = deque()
        self._writers: dict[AbstractEventLoop, _Writer] = {}
        self._bytes = 0
        self._waiting: set[asyncio.Task[None]] = set()
        """Records that wait for guardrails; each is bounded by the checks' own times."""
        self.dropped = 0
        """How many records the bounds and the store's failures cost, since the start."""
        _recorders.add(self)

    def forget(self) -> None:
        """Let go of what is queued, in a process that was forked: its parent stores that."""
        self._lock = threading.RLock()  # a thread that is not here may hold the old one
        self._queue.clear()
        self._writers.clear()
        self._waiting.clear()
        self._bytes = 0

    def begin(self, method: str, path: str) -> Draft:
        """Open the draft of a request that has just arrived."""
        draft = Draft(self, self._world, method, path)
        if self._logs_bodies:
            draft.bodies = Bodies(self._limits.max_logged_body_bytes)
        if self._vaults is not None:
            draft.vaults = self._vaults()
            draft.vaults.of("input")
        return draft

    def take(self, record: Record, told: Told | None = None) -> None:
        """Queue a record; over the bounds it is dropped and counted.

        With `told` it waits for the guardrails that run beside the call. Outside of an event loop
        it waits for the next call inside of one.
        """
        if told is not None and self._wait_for(told, record):
            return
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
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._writer_of(loop).start_soon()
        elif first:
            logger.error("The log store does not keep up; records are being dropped.")

    def _wait_for(self, told: Told, record: Record) -> bool:
        """Take a record later; False where nobody can wait, or too many do already."""
        loop = told.beside[0].get_loop()
        if len(self._waiting) >= self._limits.max_queued_records:
            return False
        if asyncio._get_running_loop() is not loop:
            return False  # a finalizer elsewhere; what they would have told is lost
        task = loop.create_task(self._take_later(record, told))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return True

    async def flush(self) -> None:
        """Wait until everything queued so far is stored.

        Not for batches that another loop has in hand: they are that loop's, and waiting for a loop
        that may itself be waiting for this one could last for ever.
        """
        loop = asyncio.get_running_loop()
        if waiting := [task for task in self._waiting if task.get_loop() is loop]:
            await asyncio.wait(waiting)
        writer = self._writer_of(loop)
        while (task := writer.start()) is not None:
            await asyncio.wait({task})

    async def _take_later(self, record: Record, told: Told) -> None:
        try:
            await asyncio.wait(told.beside)
        finally:
            results = [
                result
                for task in told.beside
                if task.done() and not task.cancelled() and task.exception() is None
                for result in task.result()
            ]
            self.take(replace(record, hook_results=bare_results(told.for_record(results))))

    def _writer_of(self, loop: AbstractEventLoop) -> _Writer:
        writer = self._writers.get(loop)
        if writer is None:
            with self._lock:
                for closed in [other for other in self._writers if other.is_closed()]:
                    self._put_back(self._writers.pop(closed))
                writer = self._writers[loop] = _Writer(self, loop)
        return writer

    def is_empty(self) -> bool:
        """Tell whether nothing waits for a writer."""
        return not self._queue

    async def write(self, writer: _Writer) -> None:
        """Store what is queued, batch by batch."""
        while batch := self._next_batch(writer):
            try:
                await self._records.append([record for record, _ in batch])
            except asyncio.CancelledError:
                self._put_back(writer)
                raise
            except Exception:
                with self._lock:
                    self.dropped += len(batch)
                logger.exception("The log store refused %d records.", len(batch))
            with self._lock:
                stored = sum(size for _, size in writer.in_hand)
                self._bytes -= stored  # in one go: the sum may meet a finalizer that takes a record
                writer.in_hand = []

    def _next_batch(self, writer: _Writer) -> list[tuple[Record, int]]:
        with self._lock:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            writer.in_hand = batch
            return batch

    def _put_back(self, writer: _Writer) -> None:
        with self._lock:
            self._queue.extendleft(reversed(writer.in_hand))
            writer.in_hand = []


_recorders: WeakSet[Recorder] = WeakSet()


def _forget_all() -> None:
    for recorder in list(_recorders):
        recorder.forget()


at_fork(after_in_child=_forget_all)


class _Writer:
    """Writes on one loop: at once, then every `WRITE_EVERY_S` while there is something."""

    def __init__(self, recorder: Recorder, loop: AbstractEventLoop) -> None:
        self.in_hand: list[tuple[Record, int]] = []
        self._recorder = recorder
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._free_at = 0.0
        """When the next write may begin, in loop time."""

    def start_soon(self) -> None:
        """See that what is queued gets written."""
        if self._timer is not None or (self._task is not None and not self._task.done()):
            return
        if self._loop.time() >= self._free_at:
            self.start()
        else:
            self._timer = self._loop.call_at(self._free_at, self.start)

    def start(self) -> asyncio.Task[None] | None:
        """Write now; returns the task that does, or None if there is nothing to write."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None and not self._task.done():
            return self._task
        if self._recorder.is_empty():
            return None
        self._free_at = self._loop.time() + WRITE_EVERY_S
        self._task = self._loop.create_task(self._recorder.write(self))
        return self._task


def _size_of(record: Record) -> int:
    size = _RECORD_BYTES * (1 + len(record.attempts)) + len(record.path)
    if record.model:
        size += len(record.model)
    for body in (record.request_body, record.response_body):
        if body is not None:
            size += sys.getsizeof(body)
    return size + len(str(record.metadata)) if record.metadata else size


def name_of(error: GatewayError) -> str:
    """Return what records call an error: its code, or its type where a provider gave no code."""
    return _clean(str(error.code or error.type or "upstream_error"))


_LONGEST_WORD = 200


def _clean(text: str) -> str:
    """Return a text of a client's or a provider's without what looks like a secret."""
    return _clean_word(text) if len(text) <= _LONGEST_WORD else redacted_text(text)


# Most requests have the path and the model of another one.
_clean_word = lru_cache(maxsize=512)(redacted_text)


_NO_METADATA: Mapping[str, Any] = {}


class Draft:
    """What is known of a request so far. `finish` turns it into its one record."""

    # As attributes of the class: a request sets only what it has.
    endpoint: str | None = None
    principal: str | None = None
    workspace: str | None = None
    user: str | None = None
    target: str | None = None
    provider: str | None = None
    model: str | None = None
    stream = False
    first_byte_ms: float | None = None
    usage: Usage = NO_USAGE
    """Of the answer."""
    spent: Usage = NO_USAGE
    """Of answers before it that did not go out, because a guardrail failed."""
    metadata = _NO_METADATA
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    bodies: Bodies | None = None
    """Where they are logged."""
    vaults: Vaults | None = None
    """What guardrails have masked, which the log must not tell either."""
    told: Told | None = None
    """What the guardrails of the last target have told, where it has some."""
    _finished = False

    def __init__(self, recorder: Recorder, world: World, method: str, path: str) -> None:
        self._recorder = recorder
        self._world = world
        self._started = world.monotonic()
        self._started_at = world.time()
        self._record_id = world.new_id()
        self.method = method
        self.path = path
        self.trace_id = self._record_id
        self.attempts: list[AttemptRecord] = []

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
        told = self.told
        request, answer = (None, None) if self.bodies is None else self.bodies.texts(self._masked)
        self._recorder.take(
            Record(
                id=self._record_id,
                trace_id=self.trace_id
                if self.trace_id is self._record_id
                else self._named(self.trace_id),
                started_at=self._started_at,
                duration_ms=self._elapsed_ms(),
                method=self.method,
                path=self._named(self.path),
                endpoint=self.endpoint,
                status=status,
                error=None if error is None else name_of(error),
                principal=self.principal,
                workspace=self.workspace,
                target=self.target,
                provider=self.provider,
                model=None if self.model is None else self._named(self.model),
                stream=self.stream,
                first_byte_ms=self.first_byte_ms,
                usage=self.usage if self.spent is NO_USAGE else self.spent.plus(self.usage),
                attempts=tuple(self.attempts),
                metadata=self._masked(redacted_value(self.metadata)) if self.metadata else {},
                dropped=tuple(map(_clean, self.dropped)),
                adjusted=tuple(map(_clean, self.adjusted)),
                user=self.user,
                request_body=request,
                response_body=answer,
                hook_results=None if told is None else bare_results(told.for_record()),
            ),
            told if told is not None and told.beside else None,
        )

    def _masked(self, value: Any) -> Any:
        """Return what the log may keep of a value where guardrails mask the call."""
        return value if self.vaults is None or not value else self.vaults.scrub(value)

    def _named(self, text: str) -> str:
        """Return a name, an id or a path likewise."""
        clean = _clean(text)
        return clean if self.vaults is None or not clean else self.vaults.scrub_name(clean)

    def _elapsed_ms(self) -> float:
        return (self._world.monotonic() - self._started) * 1000
