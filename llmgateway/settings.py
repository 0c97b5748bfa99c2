"""The one settings model that every host fills from its own configuration.

Routing configs stay raw JSON here; they are parsed where they are used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import unquote

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

_ORIGIN = re.compile(r"(https?|wss?)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?/?")
_PROXY = re.compile(r"(?:([!-.0-;=A-~]*)@)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?/?")
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Upstream = tuple[str, str, int]
"""Scheme, host (lower case, no brackets) and port."""

Network = IPv4Network | IPv6Network
Proxy = Network | Literal["unix"]
"""Where a proxy calls from; `unix`: from a socket in the file system, which has no address."""


def _proxy(entry: Any) -> Proxy:
    if entry == "unix":
        return "unix"
    network = parse_network(str(entry))
    if network.prefixlen == 0:
        raise ValueError("an entry must not be every address: who calls would be hearsay")
    return network


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


class Limits(_Model):
    """Bounds of sizes, depths and times. A zero is not "unlimited"."""

    max_json_bytes: int = Field(default=10 * 2**20, gt=0)
    """A JSON body, as sent."""
    max_upload_bytes: int = Field(default=100 * 2**20, gt=0)
    """Any other body; it is streamed, not kept."""
    max_buffered_upload_bytes: int = Field(default=2**20, gt=0, le=4 * 2**20)
    """An upload up to this size is held, so that it can be retried."""
    max_head_bytes: int = Field(default=64 * 2**10, gt=0)
    """All request header names and values together."""
    max_depth: int = Field(default=64, gt=0, le=512)
    """How deep a JSON body may be nested."""
    body_s: float = Field(default=30.0, gt=0)
    """Time for a request body to arrive, before the rate floor adds to it."""
    body_bytes_per_s: int = Field(default=50_000, gt=0)
    """Rate floor: each so many bytes received give the body one more second."""
    connect_s: float = Field(default=5.0, gt=0)
    """To reach a provider, waiting for a free connection included."""
    first_byte_s: float = Field(default=600.0, gt=0)
    """From the request sent to the provider's response head."""
    idle_s: float = Field(default=300.0, gt=0)
    """Between two reads of a provider's answer."""
    total_s: float = Field(default=1800.0, gt=0)
    """The whole call, retries, fallbacks and stream included."""
    max_tries: int = Field(default=64, gt=0)
    """Of one call, over all targets and retries: then the last outcome is the answer."""
    stalled_reader_s: float = Field(default=60.0, gt=0)
    """How long a client may leave a stream unread before it is cut."""
    max_response_bytes: int = Field(default=32 * 2**20, gt=0)
    """A provider's JSON answer."""
    max_event_bytes: int = Field(default=2**20, gt=0)
    """One event of a provider's stream."""
    hold_bytes: int = Field(default=64 * 2**10, gt=0)
    """How much of a stream is held before its first content; then it goes out."""
    hold_s: float = Field(default=30.0, gt=0)
    """How long, counted from the response head."""
    max_connections_per_origin: int = Field(default=1000, gt=0)
    """Open at once to one provider; further calls wait for up to `connect_s`."""
    failed_auth_per_minute: int = Field(default=20, gt=0, le=1000)
    """Requests of one address that get a 401; further ones with no valid key get a 429."""
    max_queued_records: int = Field(default=50_000, gt=0)
    """Waiting for the log store; over it they are dropped and counted."""
    max_queued_record_bytes: int = Field(default=64 * 2**20, gt=0)
    """What those records may take in memory, about; over it they are dropped and counted too."""
    max_logged_body_bytes: int = Field(default=64 * 2**10, gt=0, le=2**20)
    """What `log_bodies` keeps of a request's body, and of an answer's; longer ones are cut."""
    max_compiled_configs: int = Field(default=256, gt=0)
    """Distinct routing configs kept compiled."""
    guard_hold_bytes: int = Field(default=2**20, gt=0)
    """How much of a stream is held for guardrails that must see all of it (`hold`)."""
    guard_hold_s: float = Field(default=60.0, gt=0)
    """How long, counted from the first event held."""
    guard_check_s: float = Field(default=10.0, gt=0)
    """What one check may take where its guardrail has no `timeout_ms`."""
    guard_threads: int = Field(default=8, gt=0, le=256)
    """Threads that run checks which would block."""
    guard_threads_queue: int = Field(default=64, gt=0)
    """Checks that wait for such a thread; over it a check is an error at once."""


class ProviderSettings(BaseModel):
    """A provider's stored credential and options; unknown keys are its options."""

    model_config = ConfigDict(
        extra="allow", frozen=True, hide_input_in_errors=True, defer_build=True
    )

    api_key: SecretStr | None = None
    """The stored credential; usually `env:NAME`."""
    base_url: str | None = None
    """In place of the provider's own; the stored credential goes there and nowhere else."""
    models: tuple[str, ...] = ()
    """Listed by `GET /v1/models` in place of asking the provider."""

    @property
    def options(self) -> dict[str, str]:
        """The provider's own options, by name, as strings."""
        return {name: str(value) for name, value in (self.model_extra or {}).items()}

    def __repr__(self) -> str:
        # Options may be secrets too, so no value is shown.
        return f"ProviderSettings({', '.join(sorted(self.model_fields_set))})"

    __str__ = __repr__


class ProxyAddress(NamedTuple):
    """A proxy's URL taken apart."""

    upstream: Upstream
    user: tuple[str, str] | None
    """Name and password, percent-decoded."""

    def __repr__(self) -> str:
        return f"ProxyAddress({self.upstream[0]})"


class UpstreamTransport(_Model):
    """How providers are reached; a text in its place is its `client`.

    `{"client": "httpx"}` and `"httpx"` are the same. Equal ones share their connections.
    """

    client: Literal["h1", "httpx"] = "h1"
    """`h1`, the fast client for HTTP/1.1, or `httpx`, for what `h1` does not speak; without a
    word it is `httpx` where `proxy` or `http2` asks for it."""
    proxy: SecretStr | None = None
    """`http://user:password@proxy.example:3128`, or `https://…` to speak TLS with the proxy too;
    usually `env:NAME`. The variables `HTTP_PROXY` and the like are never read."""
    http2: bool = False
    """Whether HTTP/2 is offered besides HTTP/1.1, to https origins only; needs the extra
    `http2`. A connection carries one call at a time all the same."""
    ca_file: Path | None = None
    """PEM certificates that are trusted in place of those that the machine trusts."""
    client_certificate: Path | None = None
    """The PEM certificate, with its chain, that is shown to origins that ask for one."""
    client_key: Path | None = None
    """Its private key in PEM, without a password; not needed if it stands in the same file."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in_client(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"client": value}
        if isinstance(value, Mapping) and (value.get("proxy") or value.get("http2")):
            return {"client": "httpx", **value}
        return value

    @field_validator("proxy", mode="after")
    @classmethod
    def _check_proxy(cls, proxy: SecretStr | None) -> SecretStr | None:
        if proxy is not None:
            parse_proxy(proxy.get_secret_value())
        return proxy

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.client == "h1" and (self.proxy is not None or self.http2):
            raise ValueError(
                'proxy and http2 are not for client "h1"; say client = "httpx", or leave it out'
            )
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("client_key needs its client_certificate")
        return self

    @property
    def proxy_address(self) -> ProxyAddress | None:
        """The proxy's URL taken apart."""
        return None if self.proxy is None else parse_proxy(self.proxy.get_secret_value())

    @property
    def needs_contexts(self) -> bool:
        """Tell whether TLS contexts must be made for it: it has files, or a proxy with TLS."""
        proxy = self.proxy_address
        with_tls = proxy is not None and proxy.upstream[0] == "https"
        return with_tls or self.ca_file is not None or self.client_certificate is not None


class Settings(_Model):
    """All that an operator may set."""

    access: Literal["keys", "open", "local"] = "keys"
    """Who may call without being known: nobody (`keys`), anyone with a provider key of their own
    (`open`), or anyone who reaches the port, with the stored credentials too (`local`; for a
    server on loopback only)."""
    client_keys: Mapping[str, SecretStr] = Field(default_factory=dict)
    """By name: a key, `env:NAME`, or `sha256:` and 64 hex digits. Kept as digests only."""
    default_provider: str | None = None
    """For requests that name none."""
    providers: Mapping[str, ProviderSettings] = Field(default_factory=dict)
    """By provider id."""
    config: Mapping[str, Any] | None = None
    """The routing config of requests that bring no config and name no provider."""
    input_guardrails: tuple[Any, ...] = Field(default=(), repr=False)
    """What every request must pass, before all other guardrails, as in a config; a check that
    fails to decide denies, unless the guardrail says `fail_on_error = false`."""
    output_guardrails: tuple[Any, ...] = Field(default=(), repr=False)
    """Likewise for every answer."""
    guardrails: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    """Saved guardrails by slug, `pg-…`, that lists of guardrails may name."""
    custom_hosts: Literal["known", "anyone", "nobody"] = "known"
    """Who may name a custom host: known callers, also anonymous ones, or nobody."""
    allowed_upstreams: tuple[str, ...] = ()
    """`http://10.0.0.5:11434`: origins that may be reached although their address is not public."""
    allow_loopback_upstreams: bool = False
    """Whether providers on this machine may be reached, at any port."""
    upstream_transport: UpstreamTransport = UpstreamTransport()
    """How providers are reached; see below."""
    upstream_transports: Mapping[str, UpstreamTransport] = Field(default_factory=dict)
    """The same by origin, `https://llm.example.com`, in place of `upstream_transport`."""
    resend_lost: bool = True
    """Whether a request is sent once more when the reused connection under it had died before any
    byte of an answer: no retry, since the provider cannot have seen it whole."""
    unsupported_params: Literal["drop", "refuse", "pass"] = "drop"
    """What becomes of parameters that a target has no place for: left out and named in a response
    header, refused with a 400, or passed as they are."""
    forward_headers: tuple[str, ...] = ()
    """Request headers that go on to every provider."""
    expose_headers: tuple[str, ...] = ()
    """Provider response headers that go on to clients, besides the usual ones."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names that requests may ask for; empty: any. Local mode has its own."""
    trusted_proxies: tuple[Annotated[Proxy, BeforeValidator(_proxy)], ...] = ()
    """Addresses and networks, `10.0.0.0/8`, of the proxies in front of the gateway, whose
    `X-Forwarded-For` or `Forwarded` tells the client's address; `unix` for one that calls by a Unix
    socket."""
    log_bodies: bool = False
    """Whether the request log keeps prompts and answers too, redacted."""
    limits: Limits = Limits()
    """Bounds of sizes, depths and times; see below."""

    @field_validator("client_keys", mode="after")
    @classmethod
    def _hash_client_keys(cls, keys: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        return {
            name: SecretStr(_kept_client_key(key.get_secret_value())) for name, key in keys.items()
        }

    @field_validator("allowed_upstreams", mode="after")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parse_origin(origin)
        return origins

    @field_validator("upstream_transports", mode="after")
    @classmethod
    def _check_transports(
        cls, transports: Mapping[str, UpstreamTransport]
    ) -> Mapping[str, UpstreamTransport]:
        seen: set[Upstream] = set()
        for origin in transports:
            upstream = parse_origin(origin)
            if upstream[0] not in ("http", "https"):
                raise ValueError("an entry must be an origin with http or https")
            if upstream in seen:
                raise ValueError("two entries are the same origin")
            seen.add(upstream)
        return transports

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        if self.access == "local" and self.client_keys:
            raise ValueError("access 'local' asks nobody for a key, so client_keys must be empty")
        return self

    @property
    def upstreams(self) -> frozenset[Upstream]:
        """The allowed upstreams as (scheme, host, port)."""
        return frozenset(parse_origin(origin) for origin in self.allowed_upstreams)


def client_key_digest(key: str) -> str:
    """Return how a client key is kept and found: `sha256:` and the digest in hex.

    A fast hash is safe here because client keys are long random strings, not passwords.
    Always hashes: a caller who presents a digest must not be taken for one who has the key.
    """
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def _kept_client_key(value: str) -> str:
    if _DIGEST.fullmatch(value):
        return value
    if value.startswith("env:"):
        raise ValueError("`env:` is resolved in config files and mappings only; pass the value")
    if len(value) < 16:
        raise ValueError("a client key needs 16 characters or more; make one with `llmgateway key`")
    return client_key_digest(value)


def parse_origin(origin: str) -> Upstream:
    """Split `scheme://host[:port]`; raises `ValueError` for anything more or less than that."""
    match = _ORIGIN.fullmatch(origin)
    if match is None:
        # Not quoted: a URL in its place may hold a password.
        raise ValueError("an entry must be an origin such as http://10.0.0.5:11434, no more")
    scheme, host, port = match[1], match[2].strip("[]").lower(), match[3]
    return scheme, host, int(port) if port else _DEFAULT_PORTS[scheme]


def parse_network(text: str) -> Network:
    """Read an address or a network, `10.0.0.0/8`; raises `ValueError`.

    IPv4 mapped into IPv6 is IPv4, as it is where addresses of requests are read.
    """
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            "an entry must be an address or a network such as 10.0.0.0/8 or 2001:db8::/32,"
            " with no bit set beyond the prefix"
        ) from None
    mapped = network.network_address
    if isinstance(mapped, IPv6Address) and mapped.ipv4_mapped and network.prefixlen >= 96:
        return IPv4Network((mapped.ipv4_mapped, network.prefixlen - 96))
    return network


def parse_proxy(url: str) -> ProxyAddress:
    """Split `http[s]://[user:password@]host[:port]`; raises `ValueError`, which never quotes it."""
    scheme, _, rest = url.partition("://")
    match = _PROXY.fullmatch(rest)
    if scheme not in ("http", "https") or match is None:
        raise ValueError(
            "must be http:// or https://, a host and a port, such as http://proxy.example:3128;"
            " a user and password before the host are percent-encoded"
        )
    host, port = match[2].strip("[]").lower(), int(match[3] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 65536:
        raise ValueError("the proxy's port must be between 1 and 65535")
    if match[1] is None:
        return ProxyAddress((scheme, host, port), None)
    name, _, password = match[1].partition(":")
    return ProxyAddress((scheme, host, port), (unquote(name), unquote(password)))


def resolve_environment(value: Any, environment: Mapping[str, str]) -> Any:
    """Replace every string `env:NAME` in a settings tree by that variable's value.

    Raises `ValueError` that names the variable where it is not set.
    """
    if isinstance(value, Mapping):
        return {key: resolve_environment(item, environment) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve_environment(item, environment) for item in value]
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in environment:
            raise ValueError(f"the environment variable {name} is not set")
        return environment[name]
    return value
