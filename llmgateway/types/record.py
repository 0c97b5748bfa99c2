"""One row of the request log as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmgateway.types.usage import NO_USAGE, Usage
from llmgateway.types.value import value


@value(frozen=True, slots=True)
class AttemptRecord:
    """One upstream try."""

    target: str
    """The target's JSON path: `config.targets[1]`."""
    provider: str
    status: int
    """The provider's status, or the one that the failure stands for (408, 502, 504, …)."""
    error: str | None
    """The error's code, if it failed."""
    duration_ms: float
    """Up to the response head, or to the failure."""
    resent: bool = False
    """Whether a pooled connection had died under the same request just before (no retry)."""


@value(frozen=True, slots=True)
class Record:
    """What became of one request. Written once, whatever the end was."""

    id: str
    trace_id: str
    started_at: float
    """Seconds since the epoch."""
    duration_ms: float
    method: str
    path: str
    endpoint: str | None
    """None where no route matched."""
    status: int
    """The status that the client saw; 499 when it left first."""
    error: str | None
    """The error's code, also of a stream that broke after its 200."""
    principal: str | None
    workspace: str | None
    target: str | None
    provider: str | None
    model: str | None
    stream: bool
    first_byte_ms: float | None
    usage: Usage = NO_USAGE
    attempts: tuple[AttemptRecord, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    user: str | None = None
    """The host's user behind the principal."""
    request_body: str | None = field(default=None, repr=False)
    """What the client sent, redacted and bounded; None unless bodies are logged."""
    response_body: str | None = field(default=None, repr=False)
    """What it was answered, as far as that went out; the same holds."""
