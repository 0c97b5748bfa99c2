"""Who calls, and what for: a request once it has been read and understood."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from pydantic import SecretStr

from llmgateway.types import JSON
from llmgateway.types.documents import VirtualKey
from llmgateway.types.http import Headers
from llmgateway.types.value import value


class CallerKind(Enum):
    """How a caller became known; `ANONYMOUS` is one who did not."""

    CLIENT_KEY = "client_key"
    HOST = "host"
    LOCAL = "local"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class CallerPolicy:
    """What limits a caller; what is left out limits nothing."""

    scopes: frozenset[str] | None = None
    """Those of routes, such as `completions.write`; None: whatever calls need."""
    models: tuple[str, ...] = ()
    """Names or patterns (`gpt-4o*`) that may be asked for."""
    providers: tuple[str, ...] = ()
    """Ids, or `@slug` for one virtual key."""
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    """From which calls are taken."""
    default_config: str | None = None
    """The slug of the config for requests that bring none."""
    allow_config_override: bool = True
    """Whether requests may bring a config."""
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Joins each request's own, and beats it."""
    input_guardrails: str | None = field(default=None, repr=False)
    """What each of its calls must pass besides, as a list in JSON; a config's `input_guardrails`
    has the same form."""
    output_guardrails: str | None = field(default=None, repr=False)
    """Likewise for answers."""


UNLIMITED = CallerPolicy()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls.

    A host's `authenticate` callable returns `Principal("user:17")`; everything else has defaults.
    """

    id: str
    kind: CallerKind = CallerKind.HOST
    workspace: str | None = None
    brings_provider_key: bool = False
    """Whether `Authorization` holds a provider key although a host's callable named this caller.
    Off by default: the callable may have read its own token there."""
    user: str | None = None
    """The host's user behind this caller, for the log: also where a key of theirs is used."""
    policy: CallerPolicy = UNLIMITED

    @property
    def known(self) -> bool:
        """Whether stored credentials may be used for this caller."""
        return self.kind is not CallerKind.ANONYMOUS


@dataclass(frozen=True, slots=True)
class Overrides:
    """Policies that the request's own headers state; each beats the config's."""

    custom_host: str | None = None
    request_timeout_ms: int | None = None
    forward_headers: tuple[str, ...] | None = None
    strict: bool | None = None
    retry_attempts: int | None = None
    """The retry count used where no config sets `retry`."""
    unsupported: str | None = None
    """`drop`, `refuse` or `pass`: what becomes of parameters that a target has no place for."""
    input_hooks: tuple[Any, ...] = field(default=(), repr=False)
    """Guardrails of `llmgateway.config.hooks`, a floor above, for every target; they beat
    nothing, but run after the target's own."""
    output_hooks: tuple[Any, ...] = field(default=(), repr=False)
    hook_events: bool = False
    """Whether `hook_results` may be told in events of their own, which some SDKs cannot read."""


@value(frozen=True, slots=True)
class Call:
    """A parsed request, ready for the engine."""

    endpoint: str
    """The route's noun: `chat`, `embeddings`, `files`, `proxy`, …"""
    method: str
    path: str
    """What the client asked for, without the mount prefix: `/v1/files/file-1/content`."""
    suffix: str
    """What follows the endpoint's own path: `/file-1/content`; for a proxy all after `/v1`."""
    query: str = field(repr=False)
    headers: Headers
    body: JSON | None = field(repr=False)
    """The parsed JSON object; None for uploads, bodiless methods and foreign content types."""
    raw: bytes | AsyncIterator[bytes] = field(repr=False)
    """The body as it came. An iterator can be sent once only, so such a call is never retried."""
    stream: bool
    principal: Principal
    caller_key: SecretStr | None
    """The caller's own provider key, never a key that this gateway issued."""
    provider: str | None
    """The provider that the request names outside a config: by header or in the model."""
    virtual_key: VirtualKey | None
    """Likewise; it beats `provider`."""
    model: str | None
    """The model without a leading `@provider/`; None where the body names none."""
    trace_id: str
    deadline: float
    """Monotonic seconds at which the whole call must have ended."""
    params: Mapping[str, str] = field(default_factory=dict)
    """What the path says where a door has it there: `model`, `operation`, `alt`."""
    from_path: frozenset[str] = frozenset()
    """Members of `body` that are the path's, so that policies find them; not part of `raw`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Provider options from headers, by option name; used where the config names no provider."""
    overrides: Overrides = Overrides()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_guarded: bool = True
    """Whether guardrails apply; not to what a guardrail itself asks a model."""
    memo: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was worked out from the head alone; calls whose heads are the same share it."""
