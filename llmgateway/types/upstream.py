"""What the engine asks of a transport, and what it gets back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from llmgateway.types.http import Headers, RawHeaders
from llmgateway.types.value import value


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one attempt, in seconds."""

    connect_s: float = 5.0
    first_byte_s: float = 600.0
    """From the request sent to the response head."""
    idle_s: float = 300.0
    """Between two reads of the response body."""


@value(frozen=True, slots=True)
class UpstreamRequest:
    """One HTTP request to a provider."""

    method: str
    url: str = field(repr=False)
    headers: RawHeaders = field(repr=False)
    """In the order sent; the transport adds Host, Content-Length or Transfer-Encoding only."""
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
    varying: RawHeaders = field(default=(), repr=False)
    """Fields that differ from request to request, sent after `headers`: kept apart so that a head
    that is otherwise the same need be checked and encoded only once."""
    timeouts: Timeouts = Timeouts()
    deadline: float | None = None
    """Monotonic seconds at which the exchange must have ended, body included."""
    max_body_bytes: int | None = None
    """Cap on the decoded response body; a longer one raises `UpstreamTooLarge`."""


class UpstreamResponse(Protocol):
    """A response whose head has arrived; its body is read once, by `chunks`."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body as it arrives; raises a `TransportError` if it is cut."""
        ...

    async def read(self, max_bytes: int) -> bytes:
        """Return the whole decoded body; raises as `chunks`, and `UpstreamTooLarge` past the cap.

        In place of `chunks`: a whole body that has arrived already costs no wait.
        """
        ...

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it. Idempotent.

        Whoever waits for a chunk meanwhile gets a `TransportError`.
        """
        ...
