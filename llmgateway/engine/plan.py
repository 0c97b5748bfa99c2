"""A config resolved against the provider rows: every leaf of its tree, ready to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmgateway.config import Config, Policy
from llmgateway.providers.base import Provider


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """What the settings hold for a provider. It goes to `origin` and nowhere else."""

    origin: str | None
    """None: the provider has no address of its own, so nothing may be sent anywhere."""
    api_key: str | None = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    """The secret options; the others are plain defaults of the target."""


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


@dataclass(frozen=True, slots=True)
class Plan:
    """A config and its targets, by the path of their leaf. Compiled once and shared."""

    config: Config
    targets: Mapping[str, Target]
    caller_names_host: bool = False
    """Whether the request's own config or options say which host to call."""
