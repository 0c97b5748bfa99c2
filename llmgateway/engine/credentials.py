"""Whose key goes where: the one place that decides what a request proves itself with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmgateway.engine.plan import Target
from llmgateway.engine.resolve import origin_of
from llmgateway.errors import InvalidRequest
from llmgateway.types.call import Call


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request proves itself with."""

    key: str | None = field(repr=False)
    options: Mapping[str, str] = field(repr=False, default_factory=dict)
    is_stored: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret string in it."""
        return tuple(value for value in (self.key, *self.options.values()) if value)


def choose_credential(call: Call, target: Target, base_url: str) -> Credential:
    """Return the config's key, else the stored one, else the caller's own, else none.

    A stored credential goes to a known caller's request only, and only to its own origin:
    a request that changes the origin brings its own key. Raises `InvalidRequest` otherwise.
    """
    if target.api_key is not None or target.has_own_secret:
        return Credential(target.api_key)
    stored = target.stored
    elsewhere = stored is not None and stored.origin != origin_of(base_url)
    if stored is not None and not elsewhere and call.principal.known:
        return Credential(stored.api_key, stored.options, is_stored=True)
    if call.caller_key is not None:
        return Credential(call.caller_key.get_secret_value())
    if not target.provider.auth.needs_key:
        return Credential(None)
    name = target.provider.name
    if elsewhere and call.principal.known:
        raise InvalidRequest(
            f"The stored credential of {name} goes to its own origin only; a request that names "
            "another host brings its own key, as `api_key` in the config or `Authorization`.",
            param="api_key",
        )
    raise InvalidRequest(
        f"No credential for {name}: put `api_key` into the config's target or send the "
        "provider's key as `Authorization: Bearer`.",
        param="api_key",
    )
