"""Tells the project's receivers of requests that are over, once their rows are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from llmgateway.redaction import redacting_logger
from llmgateway.stores import Records
from llmgateway.types.record import Record
from llmgateway_django.database import Database, DatabaseBusy, DatabaseThreads
from llmgateway_django.signals import request_finished

__all__ = ["RECEIVERS_S", "TellingRecords"]

logger = redacting_logger(__name__)

RECEIVERS_S = 10.0
"""How long all receivers may take for the records of one write; then the log goes on."""

_threads = DatabaseThreads("receivers", threads=1, max_waiting=10)


class TellingRecords:
    """Stores by another store, then tells; implements `Records`. Safe from any loop."""

    def __init__(self, records: Records, database: Database | None = None) -> None:
        self._records = records
        self._database = database or _threads
        self._in_time = True

    async def append(self, batch: Sequence[Record]) -> None:
        """Store these records, and tell of each, also where they could not be stored."""
        try:
            await self._records.append(batch)
        except asyncio.CancelledError:
            raise  # another loop will append them
        except Exception:
            await self._tell(batch)
            raise
        await self._tell(batch)

    async def _tell(self, batch: Sequence[Record]) -> None:
        if not request_finished.has_listeners(Record):
            return
        try:
            await self._database.run(partial(_send, batch), RECEIVERS_S)
            self._in_time = True
        except (TimeoutError, DatabaseBusy):
            if self._in_time:
                logger.warning("Receivers of request_finished take too long; do less in them.")
            self._in_time = False


def _send(batch: Sequence[Record]) -> None:
    for record in batch:
        # What a receiver raises is logged by Django.
        request_finished.send_robust(Record, record=record)
