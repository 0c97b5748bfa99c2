"""What a workspace keeps: credentials of providers, configs and guardrails, by slug."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A stored credential of a provider, opened: `@slug`."""

    slug: str
    provider: str
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    """In place of the provider's own; the credential goes there and nowhere else."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The provider's own, secret ones included."""
    models: tuple[str, ...] = ()
    """Names or patterns (`gpt-4o*`) that may be asked for; empty: every model."""
    is_readable: bool = True
    """Whether its secrets could be opened; a target of one that could not fails by itself."""

    def __hash__(self) -> int:
        return hash((self.slug, self.provider))


@dataclass(frozen=True, slots=True)
class SavedConfig:
    """A routing config in its newest version: `pc-…`."""

    slug: str
    text: str = field(repr=False)
    """JSON."""
    version: int = 1


@dataclass(frozen=True, slots=True)
class SavedGuardrail:
    """A guardrail in one of its versions: `pg-…`."""

    slug: str
    text: str = field(repr=False)
    """JSON: `{"checks": [{"id", "parameters"}, …], "actions": {"deny": true, …}}`."""
    version: int = 1


@dataclass(frozen=True, slots=True)
class WorkspaceGuardrails:
    """What a workspace demands of each call, as lists in JSON; None where it demands nothing."""

    input: str | None = None
    output: str | None = None
