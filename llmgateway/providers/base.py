"""What a provider is: a frozen row of data, and the few small types that rows are made of.

Rows live in the other modules of this package; nothing outside it compares a provider's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from llmgateway.codecs.base import Codec, Format, Framing
from llmgateway.errors import InvalidRequest
from llmgateway.providers.tweaks import Tweak
from llmgateway.signing import Auth, Bearer
from llmgateway.types import JSON
from llmgateway.types.capabilities import UNKNOWN, Capabilities

Options = Mapping[str, str]

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of a provider; header, config key, settings key and docs all come from it."""

    name: str
    """The config's and the settings' key: `openai_organization`."""
    secret: bool = False
    required: bool = False
    default: str | None = None
    choices: tuple[str, ...] = ()
    """The values that it may have; empty: any."""
    planned: bool = False
    """Known from the contract but not served yet: who sets it is told so, not half obeyed."""
    header: str | None = None
    """The request header after `x-portkey-`/`x-llmgateway-`; None: the name with dashes."""
    bare_header: str | None = None
    """A header without prefix that callers' SDKs send by themselves: `openai-organization`."""
    is_url: bool = False
    """Whether the value names the host to call; callers need the right to name custom hosts."""
    is_model: bool = False
    """Whether the value chooses the model, whatever the body says."""
    is_protocol: bool = False
    """Whether it belongs to the wire format (versions, betas): native calls send their own."""
    send_as: str | None = None
    """The header in which the provider wants it."""
    doc: str = ""

    @property
    def header_suffix(self) -> str:
        """The request header's name after the family's prefix."""
        return self.header or self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Place:
    """What a path may depend on."""

    options: Options
    model: str | None
    """As the caller has it: before any tweak."""
    stream: bool
    suffix: str
    """What follows the endpoint's own path: `/file-1/content`; empty for most."""
    body: JSON | None = None
    """The caller's JSON with the config's overrides, before any tweak."""
    operation: str = ""
    """Which of several paths of the endpoint a codec wants (`Encoded.operation`)."""
    custom_host: bool = False
    """Whether the base URL is not the row's own, so that options that form it count for nothing."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider serves one of our endpoints, and in which format."""

    path: str | Callable[[Place], str]
    """Joined to the base URL; the call's suffix is appended to a string, a callable places it."""
    format: Format
    framing: Framing = Framing.SSE
    codec: Codec | None = None
    """None: the provider speaks the format itself, and the caller's bytes can pass."""

    def path_for(self, place: Place) -> str:
        """Return the path below the base URL."""
        if callable(self.path):
            return self.path(place)
        return self.path + place.suffix


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of the models whose names match a pattern."""

    pattern: str
    """A regular expression that must match the whole name; the first of a row that does counts."""
    capabilities: Capabilities
    seen: str
    """When the facts were read: `2026-11`."""
    docs: str
    """Where."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One row: how to reach a provider, and what is peculiar about it."""

    name: str
    base_url: str | Callable[[Options], str] | None
    """None: there is no public address, so each target or the settings must name a host."""
    endpoints: Mapping[str, Endpoint]
    docs: str
    """The provider's own API reference."""
    auth: Auth = field(default_factory=Bearer)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request."""
    options: tuple[Option, ...] = ()
    query: Callable[[Options], Mapping[str, str]] | None = None
    """Query parameters that every URL gets."""
    tweaks: Mapping[str, tuple[Tweak, ...]] = field(default_factory=dict)
    """By endpoint: what the body must have renamed, clamped or dropped."""
    stream_usage: bool = True
    """Whether a stream may be asked for usage with `stream_options`; False: refused or needless."""
    request_id_header: str | None = None
    """The header in which the provider takes the caller's own id of a request."""
    models: tuple[ModelFacts, ...] = ()
    """What its models can do, by name."""
    default_capabilities: Capabilities = UNKNOWN
    """Of a model that no pattern knows."""
    proxy_path: Callable[[Place], str] | None = None
    """Where a proxied path goes, if not simply below the base URL."""
    note: str = ""
    """What its users should know beyond the reference: a retired service, a moved address."""

    def capabilities_for(self, model: str | None) -> Capabilities:
        """Return what a model can do."""
        for facts in self.models:
            if re.fullmatch(facts.pattern, model or ""):
                return facts.capabilities
        return self.default_capabilities

    def base_url_for(self, options: Options) -> str | None:
        """Return the base URL without a trailing slash, or None if the row has none.

        Raises `InvalidRequest` for an option that cannot be part of a URL.
        """
        base = self.base_url(options) if callable(self.base_url) else self.base_url
        return None if base is None else base.rstrip("/")

    def check_options(self, options: Options) -> None:
        """Raise `InvalidRequest` for an option that is planned or a value that is no choice."""
        for option in self.options:
            value = options.get(option.name)
            if value is None:
                continue
            if option.planned:
                raise InvalidRequest(
                    f"`{option.name}` is not available yet in this version; leave it out.",
                    param=option.name,
                )
            if option.choices and value not in option.choices:
                raise InvalidRequest(
                    f"`{option.name}` must be one of: {', '.join(option.choices)}.",
                    param=option.name,
                )


def quote_segment(value: str, what: str) -> str:
    """Quote `value` as one URL path segment.

    Raises `InvalidRequest` for what could leave its place or is no text: nothing, dots, control
    characters, lone surrogates.
    """
    if value in ("", ".", "..") or any(
        ord(char) < 0x20 or ord(char) == 0x7F or 0xD800 <= ord(char) <= 0xDFFF for char in value
    ):
        raise InvalidRequest(f"The {what} cannot be part of a URL; check its spelling.")
    return quote(value, safe="")


def quote_host_label(value: str, what: str) -> str:
    """Check that `value` is one label of a host name, such as a resource or region name.

    Source: RFC 1123, section 2.1. Raises `InvalidRequest` for anything else.
    """
    if not _LABEL.fullmatch(value):
        raise InvalidRequest(
            f"The {what} may hold letters, digits and inner dashes only, 63 at most."
        )
    return value.lower()
