"""A store of records that a test in another thread can wait for."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from llmgateway.types.record import Record


class AwaitedRecords:
    """The request log by trace id; implements `Records`."""

    def __init__(self) -> None:
        self._by_trace: dict[str, list[Record]] = {}
        self._arrived = threading.Condition()

    async def append(self, batch: Sequence[Record]) -> None:
        """Keep these records and wake who waits for one of them."""
        with self._arrived:
            for record in batch:
                self._by_trace.setdefault(record.trace_id, []).append(record)
            self._arrived.notify_all()

    def of(self, trace_id: str, timeout_s: float = 10.0) -> Record:
        """Return the one record of a request; waits for it, since it is written behind."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: trace_id in self._by_trace, timeout_s), (
                f"the request {trace_id} has left no record"
            )
            (record,) = self._by_trace[trace_id]
            return record
