"""What every runtime can do, and what callers that block get from one."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from llmgateway.gateway import Gateway
from llmgateway.types.call import Principal
from llmgateway.types.http import HTTPRequest, RawHeaders
from llmgateway.types.value import value

T = TypeVar("T")


class LoopStopped(RuntimeError):
    """The loop was stopped before the work was done, or the process is ending."""


class SyncByteStream(Protocol):
    """A body on its way to a caller that blocks: an iterator of bytes that must be closed."""

    def __iter__(self) -> SyncByteStream: ...

    def __next__(self) -> bytes:
        """Return what has come since the last time. Raises `StreamAborted` after a bad end."""
        ...

    def close(self) -> None:
        """Stop early: the provider's connection ends, the record is written."""
        ...


@value(frozen=True, slots=True)
class SyncResponse:
    """An `HTTPResponse` for callers that block. Whoever takes it closes a streamed body."""

    status: int
    headers: RawHeaders
    body: bytes | SyncByteStream


class Runtime(Protocol):
    """Runs what is asynchronous for callers that are not."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result; it is cancelled if the caller is interrupted."""
        ...

    def handle(
        self, gateway: Gateway, request: HTTPRequest, principal: Principal | None = None
    ) -> SyncResponse:
        """Answer one request; see `Gateway.handle`. Its body may be a `BlockingBody`."""
        ...
