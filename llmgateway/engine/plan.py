"""A config resolved against the provider rows: every leaf of its tree, ready to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmgateway.codecs.base import Codec, Door
from llmgateway.config import Config, Policy
from llmgateway.engine.bind import NO_GUARDS, Guards
from llmgateway.providers.base import Endpoint, Provider
from llmgateway.types.documents import VirtualKey


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """What the settings hold for a provider. It goes to `origin` and nowhere else."""

    origin: str | None
    """None: the provider has no address of its own, so nothing may be sent anywhere."""
    api_key: str | None = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    """The secret options; the others are plain defaults of the target."""


@dataclass(frozen=True, slots=True)
class Service:
    """The provider's endpoint for a call, and who translates, if anyone does."""

    name: str
    """The row's name of the endpoint, by which its tweaks are found."""
    endpoint: Endpoint
    door: Door | None = None
    codec: Codec | None = None
    """None: caller and provider speak the same format."""


@dataclass(frozen=True, slots=True)
class Target:
    """One leaf of the config tree, ready to call."""

    path: str
    provider: Provider
    policy: Policy
    base_url: str | None
    """Where it is called if no custom host is named; None: only a custom host will do."""
    is_moved: bool
    """Whether `base_url` is the settings', not the row's own."""
    options: Mapping[str, str] = field(repr=False)
    """The caller's own options over the settings' public ones over the row's defaults."""
    api_key: str | None = field(repr=False, default=None)
    """The config's own key."""
    has_own_secret: bool = False
    """Whether a secret option of the config or the request's headers stands for a key."""
    stored: StoredCredential | None = None
    guards: Guards = NO_GUARDS
    """What its requests and answers must pass."""
    virtual_key: VirtualKey | None = None
    """Whose credential it uses, in place of the settings'."""
    chosen_model: str | None = None
    """What an option of the caller's own chooses in place of the body's model."""
    services: dict[str, Service] = field(default_factory=dict, repr=False, compare=False)
    """By endpoint of ours, as far as found: `engine/service.py` fills it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A config and its targets, by the path of their leaf. Compiled once and shared."""

    config: Config
    targets: Mapping[str, Target]
    caller_names_host: bool = False
    """Whether the request's own config or options say which host to call."""
