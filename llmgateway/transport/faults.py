"""What the layers below raise, and what the engine is told: one table, at their border."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from llmgateway.errors import (
    ConnectionLost,
    GatewayError,
    UpstreamProtocolError,
    UpstreamUnreachable,
)
from llmgateway.transport.url import Origin


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an exchange had come when it failed."""

    origin: Origin
    reused: bool
    """Whether it was on a pooled connection."""
    answered: bool
    """Whether any byte of an answer had arrived."""


Faults = Sequence[tuple[type[BaseException], type[GatewayError], str]]
"""What is raised, what becomes of it, and the words. A row stands before its base classes'."""

CUT = "The connection to {host} broke before its answer was complete; try again."
BROKEN = "{host} sent an answer that is not valid HTTP/1.1, or cut it short."
_ROUTE = "No connection to {host} could be made; check its address, port and the network between."

FAULTS: Faults = (
    (
        ssl.SSLCertVerificationError,
        UpstreamUnreachable,
        "The TLS certificate of {host} was not accepted ({reason}); check the host name, or add"
        " the CA to the trust store of the gateway's machine.",
    ),
    (
        ssl.SSLError,
        UpstreamUnreachable,
        "TLS with {host} failed; check that the port speaks TLS 1.2 or newer, else use http://.",
    ),
    (
        socket.gaierror,
        UpstreamUnreachable,
        "The name {host} could not be resolved; check its spelling and the DNS.",
    ),
    (
        ConnectionRefusedError,
        UpstreamUnreachable,
        "{host} refused the connection; check that the provider runs there, and the port.",
    ),
    (OSError, UpstreamUnreachable, _ROUTE),
)
"""Of making a connection, whatever goes over it then."""


def translate(
    exc: BaseException, progress: Progress, faults: Faults = FAULTS
) -> GatewayError | None:
    """Return what the engine is told of `exc`; None if it is not in the table.

    What its type does not say is whether the connection ended before any byte of an answer: that
    is a `ConnectionLost`, since such a call may be sent again.
    """
    row = next(((error, words) for kind, error, words in faults if isinstance(exc, kind)), None)
    if row is None:
        return None
    error, words = row
    host = progress.origin.authority
    if error is UpstreamProtocolError and not progress.answered:
        return lost(progress)
    return error(words.format(host=host, reason=getattr(exc, "verify_message", "")))


def lost(progress: Progress) -> ConnectionLost:
    """Return the error for a connection that ended before any byte of an answer."""
    host = progress.origin.authority
    return ConnectionLost(
        f"{host} closed the connection without an answer; try again.", reused=progress.reused
    )
