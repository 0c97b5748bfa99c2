"""What a check is given and what it answers.

A check decides; it never catches, times, logs or formats: the runner (`engine/guard.py`) does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from llmgateway.types import JSON

Stage = Literal["input", "output"]
Scope = Literal["last", "all", "system", "tool_results", "tool_arguments"]


class CheckFailed(Exception):
    """A check could not decide; it becomes an `error` verdict that says `str(self)`.

    Raised by checks for what they understand (no text, a service that is away); anything else that
    they raise becomes an `error` verdict too, without its words, which may hold secrets.
    """


@dataclass(frozen=True, slots=True)
class Subject:
    """What one check looks at: the texts in scope of one request, or of one choice of an answer."""

    stage: Stage
    texts: tuple[str, ...] = field(repr=False)
    """In the order in which they stand; empty strings are left out."""
    request: JSON = field(repr=False, default_factory=dict)
    """The caller's body, overrides included. Never edit it; see `Verdict.request`."""
    answer: JSON | None = field(repr=False, default=None)
    """The answer in the caller's format; None at the input, and for streams."""
    request_type: str = "chat"
    """The endpoint of ours: `chat`, `messages`, `responses`, `embeddings`, …"""
    is_stream: bool = False
    provider: str = ""
    model: str | None = None
    metadata: Mapping[str, Any] = field(repr=False, default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The request's, by lower-case name."""
    places: tuple[str, ...] = ()
    """Of each text: `text`, `reasoning`, `refusal`, `tool_arguments`, `tool_result`, `other`."""
    roles: tuple[str, ...] = ()
    """Of each text: `system`, `user`, `assistant`, `tool`."""
    tools: tuple[str | None, ...] = ()
    """Of each text: the tool's name with arguments and results."""
    is_json: tuple[bool, ...] = ()
    """Of each text: whether it is JSON itself, so that what is put into it must keep it so."""
    status: int = 200
    """The provider's, at the output."""

    @property
    def text(self) -> str:
        """The texts in one, a line break between each two."""
        return "\n".join(self.texts)


@dataclass(frozen=True, slots=True)
class Insertion:
    """A message to add to the request: before the first of its role, or at the end."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check decided, and what shall change."""

    passed: bool
    data: Mapping[str, Any] = field(default_factory=dict)
    """For `hook_results`; JSON."""
    texts: tuple[str, ...] | None = field(default=None, repr=False)
    """The new texts, one for each of `Subject.texts`; None: none changes."""
    insert: Insertion | None = None
    request: JSON | None = field(default=None, repr=False)
    """A whole new request body, at the input."""
    answer: JSON | None = field(default=None, repr=False)
    """A whole new answer, at the output of what is no stream."""
    log: Any = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer from the world outside."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Services(Protocol):
    """The world outside, for checks that declare a keyword `services`."""

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_s: float = 5.0,
        max_bytes: int = 2**20,
    ) -> Fetched:
        """Ask a URL through the guarded transport, which follows no redirects.

        Raises `CheckFailed` for a refused address, a time-out and a connection that fails; any
        status is an answer.
        """
        ...

    async def resolves(self, host: str) -> bool:
        """Tell whether a host name has a public address."""
        ...

    async def ask(self, model: str, body: JSON) -> JSON:
        """Run a chat completion through the gateway with no guardrails of its own.

        `model` may be `@provider/model` or `@slug/model`; credentials are the operator's or the
        caller's workspace's. Raises `CheckFailed`.
        """
        ...

    async def moderate(self, model: str, body: JSON) -> JSON:
        """Likewise for the moderations endpoint."""
        ...

    def cached(self, key: str) -> Any | None:
        """Return what `keep` kept under this key and is not too old."""
        ...

    def keep(self, key: str, value: Any, max_age_s: float) -> None:
        """Keep something for other runs of the same check, in this process, bounded."""
        ...


class ParameterFault(ValueError):
    """A check's parameters are wrong; `path` is relative to them: `("words", 0)`.

    Found when a config is read or a guardrail is saved, never while a request runs.
    """

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = tuple(path)
