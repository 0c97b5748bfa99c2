"""What came of one try, and what the engine answers in the end."""

from __future__ import annotations

from dataclasses import field
from typing import Protocol

from llmgateway.errors import GatewayError
from llmgateway.types.http import ByteStream, RawHeaders
from llmgateway.types.usage import NO_USAGE, Usage
from llmgateway.types.value import value


class Streamed(Protocol):
    """A success whose body is still on its way."""

    async def __anext__(self) -> bytes:
        """Return the next piece of the body; raises `StreamAborted` where it ends badly.

        Not called again after it has raised.
        """
        ...

    @property
    def usage(self) -> Usage:
        """What is known of the usage so far."""
        ...

    @property
    def error(self) -> GatewayError | None:
        """Why the stream ended badly, if it did."""
        ...

    async def cut(self, error: GatewayError) -> None:
        """Let the upstream go and end with this error, also while the next piece is awaited.

        What has come and not gone out is dropped. A stream that is whole already ends well.
        """
        ...

    async def aclose(self) -> None:
        """Let the upstream go."""
        ...


@value(frozen=True, slots=True)
class Outcome:
    """What came of one target: a body, a stream that has begun, or an error."""

    status: int
    """What strategies and retries look at; a 401 on a stored credential is 401 here."""
    headers: RawHeaders = ()
    """The provider's, as far as a client may see them."""
    body: bytes = b""
    stream: Streamed | None = None
    error: GatewayError | None = None
    usage: Usage = NO_USAGE
    retry_after_s: float | None = None
    """What the provider's `Retry-After` asks for, in seconds."""
    never_sent: bool = False
    """Whether no answer came: retried whatever the list of statuses says."""
    is_estimate: bool = False
    """Whether the body is a count of tokens that nobody counted."""
    is_denied: bool = False
    """Whether a guardrail denied the answer: a 446 that costs what the answer cost."""
    repeatable: bool = True
    """False where the request's body was a stream that is now spent."""

    async def discard(self) -> None:
        """Let go of an outcome that will not be the answer."""
        if self.stream is not None:
            await self.stream.aclose()

    @classmethod
    def failed(cls, error: GatewayError, **facts: object) -> Outcome:
        """Return the outcome of a try that an error of ours ended."""
        return cls(status=error.status, error=error, **facts)  # type: ignore[arg-type]  # named facts

    @classmethod
    def denied(cls, error: GatewayError, answer: Outcome, usage: Usage) -> Outcome:
        """Return the outcome of an answer that a guardrail denies."""
        return cls(
            error.status,
            answer.headers,
            error=error,
            usage=usage,
            repeatable=answer.repeatable,
            is_denied=True,
        )


@value(frozen=True, slots=True)
class Reply:
    """What the engine answers."""

    status: int
    headers: RawHeaders
    body: bytes | ByteStream
    target: str | None
    provider: str | None
    retry_count: int
    """Retries on the last target; -1 where they ran out (the contract's count)."""
    repeated: bool = False
    """Whether the engine itself retried or fell back, so that a client need not."""
    error: GatewayError | None = None
    """What the body tells of, if the call failed."""
    is_estimate: bool = False
    dropped: tuple[str, ...] = field(default=())
    adjusted: tuple[str, ...] = field(default=())
    stream_mode: str | None = None
    """How guardrails watch the stream, where they do."""
