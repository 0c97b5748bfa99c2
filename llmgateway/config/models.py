"""A routing config once it is parsed: a frozen tree with all inheritance already resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import SecretStr

from llmgateway.config.hooks import AnyHook
from llmgateway.types import JSON
from llmgateway.types.value import value

DEFAULT_RETRY_CODES = frozenset({429, 500, 502, 503, 504, 529})
"""Statuses that are retried where `retry` names none. Source: Portkey's docs, automatic retries."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and after what, one target is tried again."""

    attempts: int = 0
    """Tries beyond the first."""
    on_status_codes: frozenset[int] = DEFAULT_RETRY_CODES
    use_retry_after: bool = False
    """Whether a 429's own wait replaces the back-off."""
    jitter: bool = False
    """Draw each back-off from [0, delay) instead of waiting it whole."""
    retries_denials: bool = True
    """Whether a 446 of an output guardrail is retried too, listed or not: so where the config
    names no statuses. Portkey's README promises it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a leaf inherits from the branches above it, resolved."""

    retry: Retry | None = None
    """None: no config on the way to this leaf sets it, so a header may."""
    request_timeout_ms: int | None = None
    custom_host: str | None = field(default=None, repr=False)
    forward_headers: tuple[str, ...] = ()
    """Lower case."""
    override_params: JSON = field(default_factory=dict, repr=False)
    """Shared by all calls that use the config: never edit it. May hold secrets of tools."""
    unsupported: str | None = None
    """`drop`, `refuse` or `pass`; None: the setting `unsupported_params` decides."""
    strict: bool | None = None
    """Portkey's `strict_open_ai_compliance`; None: nobody says."""
    input_hooks: tuple[AnyHook, ...] = ()
    """The target's own, else the nearest parent's: hooks written out, guardrails, mutators.
    Each is one object for all leaves that it holds for."""
    output_hooks: tuple[AnyHook, ...] = ()
    default_input_hooks: tuple[AnyHook, ...] = ()
    """Default guardrails of the target and of all its parents, run after `input_hooks`."""
    default_output_hooks: tuple[AnyHook, ...] = ()

    @property
    def hook_groups(self) -> tuple[tuple[AnyHook, ...], ...]:
        """All its hooks, in the four groups."""
        return (
            self.input_hooks,
            self.default_input_hooks,
            self.output_hooks,
            self.default_output_hooks,
        )


@dataclass(frozen=True, slots=True)
class Leaf:
    """One target as the config states it; the engine resolves it against the provider rows."""

    path: str
    """Its JSON path as the response header names it: `config.targets[1].targets[0]`."""
    provider: str | None
    """None where a virtual key says it, or at a root that leaves the choice to the request.
    `@slug` is a virtual key, or else the provider of that id."""
    api_key: SecretStr | None
    options: Mapping[str, str] = field(repr=False)
    """Every key of the target that is no routing key, by its snake_case name, values as strings.

    Which of them are secrets is known to the provider rows only, so none is shown.
    """
    policy: Policy
    name: str | None = None
    virtual_key: str | None = None
    """Its slug, with or without a leading `@`."""

    @property
    def slug(self) -> str | None:
        """What is looked for among the virtual keys of the caller's workspace."""
        if self.virtual_key is not None:
            return self.virtual_key.removeprefix("@")
        named = self.provider or self.model_with_slug
        return named[1:].partition("/")[0] if named is not None and named[:1] == "@" else None

    @property
    def model_with_slug(self) -> str | None:
        """`@slug/model` in `override_params`, where nothing else of the leaf names a provider."""
        model = self.policy.override_params.get("model")
        names = isinstance(model, str) and model.startswith("@") and "/" in model
        return model if names and self.provider is None and self.virtual_key is None else None


@dataclass(frozen=True, slots=True)
class Single:
    """Use the first target."""


@dataclass(frozen=True, slots=True)
class LoadBalance:
    """Draw one target by weight; `weights` has one entry a target, and a sum above zero."""

    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Fallback:
    """Go on to the next target after these statuses, or after any but 2xx if None."""

    on_status_codes: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled query, and the index of the target that it selects."""

    query: Query
    then: int


@dataclass(frozen=True, slots=True)
class Conditional:
    """Use the target of the first condition that holds; `default` is an index too."""

    conditions: tuple[Condition, ...]
    default: int | None = None


Strategy = Single | LoadBalance | Fallback | Conditional


@dataclass(frozen=True, slots=True)
class Branch:
    """A strategy over targets."""

    path: str
    strategy: Strategy
    targets: tuple[Node, ...]
    name: str | None = None


Node = Leaf | Branch


@dataclass(frozen=True, slots=True)
class Config:
    """A whole routing config."""

    root: Node
    names_provider: bool
    """Whether the root has `provider`, `virtual_key` or `targets`; credentials in headers count
    only if not."""
    reads_params: bool
    """Whether a condition reads the body, which then must be sent as it was read (S3)."""

    def leaves(self) -> Iterator[Leaf]:
        """Yield every leaf, in the order of the JSON."""
        yield from leaves_of(self.root)

    @property
    def slugs(self) -> frozenset[str]:
        """The slugs that its leaves may mean virtual keys by."""
        return frozenset(slug for leaf in self.leaves() if (slug := leaf.slug) is not None)


def leaves_of(node: Node) -> Iterator[Leaf]:
    """Yield every leaf below a node, in the order of the JSON."""
    if isinstance(node, Leaf):
        yield node
    else:
        for target in node.targets:
            yield from leaves_of(target)


@value(frozen=True, slots=True)
class Facts:
    """What conditions may ask about a request; values are JSON as orjson reads it."""

    metadata: Mapping[str, Any]
    params: Mapping[str, Any]
    """The caller's body before `override_params`; empty where it is no JSON object."""
    pathname: str


class Query(Protocol):
    """A compiled query of the conditional router; see `conditions`."""

    @property
    def reads_params(self) -> bool:
        """Whether the query asks about the body."""
        ...

    def matches(self, facts: Facts) -> bool:
        """Tell whether the query holds for a request."""
        ...


DEFAULT_CONFIG = Config(
    root=Leaf(path="config", provider=None, api_key=None, options={}, policy=Policy()),
    names_provider=False,
    reads_params=False,
)
"""The config of a request that sends none."""
