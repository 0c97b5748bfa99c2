"""The seam between the engine and the network: one method, plain data both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from llmgateway.errors import UpstreamTooLarge
from llmgateway.types.upstream import UpstreamRequest, UpstreamResponse


class Transport(Protocol):
    """Sends requests to providers. Bound to one event loop."""

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request and return when the response head has arrived.

        Raises a `TransportError`: `AddressRefused` before any byte is sent, `UpstreamUnreachable`,
        `ConnectionLost`, `UpstreamProtocolError`, `UpstreamTooLarge`, `UpstreamTimeout`.
        A cancelled call closes its connection. Redirects are never followed, environment
        variables never read.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


async def read_whole(chunks: AsyncIterator[bytes], max_bytes: int) -> bytes:
    """Read a body to its end; raises `UpstreamTooLarge` past `max_bytes`."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise body_too_large(max_bytes)
        parts.append(chunk)
    return b"".join(parts)


def body_too_large(max_bytes: int) -> UpstreamTooLarge:
    """Return the error for a body above a cap."""
    return UpstreamTooLarge(
        f"The provider's response is larger than {max_bytes} bytes; ask for less, or raise the"
        " limit `max_response_bytes`."
    )
