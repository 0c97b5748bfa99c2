"""The time limits of one exchange with a provider: one timer, moved from limit to limit."""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import Any

from llmgateway.errors import UpstreamTimeout
from llmgateway.types.upstream import Timeouts


class Phase(Enum):
    """What an exchange waits for, and what is said if it waits too long."""

    SLOT = (
        "All connections to {host} were in use for longer than the limit `connect_s`; try again"
        " later, or raise the limit `max_connections_per_origin`."
    )
    CONNECT = (
        "{host} took no connection within the limit `connect_s`; check that it is up, and the"
        " network between."
    )
    SEND = (
        "The time for the whole call ran out while the request was sent to {host}; raise the limit"
        " `total_s` if such calls may take longer."
    )
    """Without a limit of its own: the client's pace is the shell's to bound, the provider's is
    bounded by the stream that is written to."""
    WRITE = "{host} took nothing of the request's body for longer than the limit `idle_s`."
    HEAD = (
        "{host} did not begin to answer within the limit `first_byte_s`; raise it if this provider"
        " thinks for longer."
    )
    BODY = (
        "{host} sent nothing for longer than the limit `idle_s` in the middle of its answer;"
        " try again."
    )
    TOTAL = (
        "The time for the whole call ran out while it waited for {host}; raise the limit `total_s`"
        " if such calls may take longer."
    )


class Stopwatch:
    """Knows when the current phase must have ended; in loop time.

    Used by one task at a time.
    """

    __slots__ = ("_deadline", "_host", "_limits", "_phase", "_timer", "_total_first")

    def __init__(self, host: str, limits: Timeouts, deadline: float | None) -> None:
        self._host = host
        self._limits = {
            Phase.SLOT: limits.connect_s,
            Phase.HEAD: limits.first_byte_s,
            Phase.BODY: limits.idle_s,
        }
        # A loop's clock need not be the monotonic one (uvloop's stands still within a tick).
        now = asyncio.get_running_loop().time()
        self._deadline = None if deadline is None else now + (deadline - time.monotonic())
        self._phase = Phase.SLOT
        self._total_first = False
        self._timer = asyncio.timeout(None)

    def bound(self, phase: Phase) -> asyncio.Timeout:
        """Return the context in which a phase and those that it leads to must run."""
        self._timer = asyncio.timeout_at(self._until(phase))
        return self._timer

    def enter(self, phase: Phase) -> None:
        """Go on to the next phase within the same context."""
        if phase is Phase.CONNECT:
            self._phase = phase  # with the time that waiting for a slot has left
        elif not self._timer.expired():
            # httpcore tells its events also while a limit that ran out makes its way up.
            self._timer.reschedule(self._until(phase))

    def expired(self) -> bool:
        """Tell whether a limit ran out."""
        return self._timer.expired()

    def ran_out(self) -> UpstreamTimeout:
        """Return the error that names the limit that ran out."""
        phase = Phase.TOTAL if self._total_first else self._phase
        return UpstreamTimeout(phase.value.format(host=self._host))

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Follow an exchange by the events of httpcore's `trace` extension.

        Source: https://www.encode.io/httpcore/extensions/#trace
        """
        if event == "http11.send_request_headers.started":
            self.enter(Phase.SEND)
        elif event in _SENT:
            self.enter(Phase.HEAD)

    def _until(self, phase: Phase) -> float | None:
        self._phase = phase
        limit_s = self._limits.get(phase)
        if limit_s is None:
            self._total_first = False
            return self._deadline
        end = asyncio.get_running_loop().time() + limit_s
        self._total_first = self._deadline is not None and self._deadline < end
        return self._deadline if self._total_first else end


_SENT = frozenset(
    {
        "http11.send_request_body.complete",
        # Broken off; an answer may be there all the same.
        "http11.send_request_body.failed",
        "http11.send_request_headers.failed",
    }
)
