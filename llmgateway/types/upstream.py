"""What the engine asks of a transport, and what it gets back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from llmgateway.types.http import Headers, RawHeaders


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one attempt, in seconds."""

    connect_s: float = 5.0
    first_byte_s: float = 600.0
    """From the request sent to the response head."""
    idle_s: float = 300.0
    """Between two reads of the response body."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One HTTP request to a provider."""

    method: str
    url: str = field(repr=False)
    headers: RawHeaders = field(repr=False)
    """In the order sent; the transport adds Host, Content-Length or Transfer-Encoding only."""
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)
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

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else close it. Idempotent."""
        ...
