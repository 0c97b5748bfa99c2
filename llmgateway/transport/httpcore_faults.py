"""What httpcore raises besides what making a connection does, and what the engine is told."""

from __future__ import annotations

import httpcore

from llmgateway.errors import (
    GatewayError,
    InvalidRequest,
    UpstreamProtocolError,
    UpstreamTimeout,
)
from llmgateway.transport import faults
from llmgateway.transport.faults import BROKEN, CUT, Faults, Progress
from llmgateway.transport.limits import Phase

FAULTS: Faults = (
    *faults.FAULTS,
    (httpcore.ReadError, UpstreamProtocolError, CUT),
    (httpcore.WriteError, UpstreamProtocolError, CUT),
    (httpcore.WriteTimeout, UpstreamTimeout, Phase.WRITE.value),
    (httpcore.RemoteProtocolError, UpstreamProtocolError, BROKEN),
    (
        httpcore.LocalProtocolError,
        InvalidRequest,
        "The request cannot be sent as HTTP/1.1; check its method and headers.",
    ),
)


def translate(exc: BaseException, progress: Progress) -> GatewayError | None:
    """Return what the engine is told of `exc`; None if it is not in the table."""
    return faults.translate(exc, progress, FAULTS)
