"""The seam between the engine and the network: one method, plain data both ways."""

from __future__ import annotations

from typing import Protocol

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
