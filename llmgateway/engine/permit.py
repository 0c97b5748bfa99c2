"""What a caller's policy and a virtual key let through: addresses, scopes, providers, models."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from llmgateway.engine.plan import Target
from llmgateway.errors import CredentialUnreadable, InvalidRequest, PermissionDenied
from llmgateway.types import JSON
from llmgateway.types.call import Call, CallerPolicy

_RUNS_NO_MODEL = frozenset({"GET", "HEAD", "DELETE"})


def check_scope(policy: CallerPolicy, scope: str) -> None:
    """Raise `PermissionDenied` where the caller may not use a route of this scope."""
    if policy.scopes is not None and scope not in policy.scopes:
        raise PermissionDenied(f"This key lacks the scope {scope}; its owner can add it.")


def check_config(policy: CallerPolicy, config: str | None) -> None:
    """Raise `InvalidRequest` for a config that the caller may not bring."""
    if config is not None and not policy.allow_config_override:
        raise InvalidRequest(
            "This key may not bring a config; leave it out, and the key's own is used.",
            param="config",
        )


def check_target(call: Call, target: Target) -> None:
    """Raise where the caller may not use a target at all, or it cannot be used by anyone."""
    key, providers = target.virtual_key, call.principal.policy.providers
    if providers and target.provider.name not in providers:
        if key is None or f"@{key.slug}" not in providers:
            raise PermissionDenied(f"This key may not use the provider {target.provider.name}.")
    if key is not None and not key.is_readable:
        raise CredentialUnreadable(
            f"The credential of @{key.slug} cannot be opened; its operator has to enter it anew."
        )


def limits_models(call: Call, target: Target) -> bool:
    """Tell whether the model decides; then what is sent must be what was read (S3)."""
    return bool(call.principal.policy.models or (target.virtual_key and target.virtual_key.models))


def check_models(call: Call, target: Target, body: JSON | None, model: str | None) -> None:
    """Raise `PermissionDenied` where a model is asked for that the caller may not use.

    `body` is what is asked for, overrides included. A request that may run a model which the
    gateway cannot see, such as an upload's, is refused.
    """
    policy = call.principal.policy
    if not limits_models(call, target) or call.method in _RUNS_NO_MODEL:
        return
    asked = [model, target.chosen_model, *_alternatives(body)]
    models = [name for name in asked if name is not None]
    if not models:
        raise PermissionDenied(
            "This key may use certain models only, and this request does not show its model."
        )
    for name in models:
        _check_model(policy, target, name)


def may_use(call: Call, target: Target, model: str) -> bool:
    """Tell whether the caller may ask a target for a model."""
    try:
        check_target(call, target)
        _check_model(call.principal.policy, target, model)
    except (PermissionDenied, CredentialUnreadable):
        return False
    return True


def _check_model(policy: CallerPolicy, target: Target, model: str) -> None:
    key = target.virtual_key
    names = [model, f"@{key.slug if key else target.provider.name}/{model}"]
    if policy.models and not any(_is_one_of(name, policy.models) for name in names):
        raise PermissionDenied(f"This key may not use the model {model[:64]!r}.")
    if key is not None and key.models and not _is_one_of(model, key.models):
        raise PermissionDenied(f"@{key.slug} may not be asked for the model {model[:64]!r}.")


def _alternatives(body: JSON | None) -> list[str]:
    """Return what a body lists as `models`: routers take another one from there."""
    models = body.get("models") if body else None
    return [name for name in models if isinstance(name, str)] if isinstance(models, list) else []


def _is_one_of(name: str, patterns: Sequence[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)
