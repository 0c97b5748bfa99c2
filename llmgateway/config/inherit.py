"""From the shape of a config to its tree: each leaf gets what the branches above it say.

Inherited are policies, never whom to call: `provider`, `api_key`, options, `weight`, `name`.
Source: the Portkey config schema, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from llmgateway.config import schema
from llmgateway.config.groups import NO_GROUPS, Groups
from llmgateway.config.models import (
    DEFAULT_RETRY_CODES,
    Branch,
    Condition,
    Conditional,
    Fallback,
    Leaf,
    LoadBalance,
    Node,
    Policy,
    Retry,
    Single,
    Strategy,
)
from llmgateway.types import JSON

T = TypeVar("T")
_NOTHING_INHERITED = Policy()


def build_tree(
    target: schema.Target,
    groups: Mapping[str, Groups],
    parent: Policy = _NOTHING_INHERITED,
    path: str = "config",
) -> Node:
    """Return the node of a valid target and of all targets below it.

    `groups` are the hooks that each target states, by its path.
    """
    policy = _inherit(target, groups.get(path, NO_GROUPS), parent)
    if target.strategy is None or target.targets is None:
        return _leaf(target, policy, path)
    return Branch(
        path=path,
        strategy=_strategy(target.strategy, target.targets),
        targets=tuple(
            build_tree(child, groups, policy, f"{path}.targets[{index}]")
            for index, child in enumerate(target.targets)
        ),
        name=target.name,
    )


def _inherit(target: schema.Target, groups: Groups, parent: Policy) -> Policy:
    """Return what holds for a target: its own keys, each as a whole, else the parent's.

    Only `override_params` are joined, and these shallowly, and default guardrails.
    """
    headers = None if target.forward_headers is None else tuple(target.forward_headers)
    return Policy(
        retry=_own(_retry(target.retry), parent.retry),
        request_timeout_ms=_own(target.request_timeout, parent.request_timeout_ms),
        custom_host=_own(target.custom_host, parent.custom_host),
        forward_headers=parent.forward_headers if headers is None else headers,
        override_params=_joined(parent.override_params, target.override_params),
        unsupported=_own(target.unsupported_params, parent.unsupported),
        strict=_own(target.strict_open_ai_compliance, parent.strict),
        input_hooks=parent.input_hooks if groups.input is None else groups.input,
        output_hooks=parent.output_hooks if groups.output is None else groups.output,
        default_input_hooks=parent.default_input_hooks + groups.default_input,
        default_output_hooks=parent.default_output_hooks + groups.default_output,
    )


def _joined(inherited: JSON, own: JSON | None) -> JSON:
    # Shared where a target adds nothing: a config may have hundreds of targets.
    return {**inherited, **own} if own else inherited


def _own(own: T | None, inherited: T | None) -> T | None:
    return inherited if own is None else own


def _retry(retry: schema.Retry | None) -> Retry | None:
    if retry is None:
        return None
    codes = retry.on_status_codes
    return Retry(
        attempts=retry.attempts or 0,
        on_status_codes=DEFAULT_RETRY_CODES if codes is None else frozenset(codes),
        use_retry_after=bool(retry.use_retry_after_header or retry.use_retry_after_headers),
        jitter=bool(retry.jitter),
        retries_denials=codes is None,
    )


def _leaf(target: schema.Target, policy: Policy, path: str) -> Leaf:
    options = {schema.snake_case(key): text for key, text in (target.model_extra or {}).items()}
    return Leaf(
        path=path,
        # Empty counts as absent, as with headers: SDKs fill in what they were not given.
        provider=target.provider or None,
        api_key=target.api_key or None,
        options={name: text for name, text in options.items() if text},
        policy=policy,
        name=target.name,
        virtual_key=target.virtual_key or None,
    )


def _strategy(strategy: schema.Strategy, targets: list[schema.Target]) -> Strategy:
    match strategy.mode:
        case "single":
            return Single()
        case "loadbalance":
            weights = [1.0 if target.weight is None else target.weight for target in targets]
            return LoadBalance(tuple(weights))
        case "fallback":
            codes = strategy.on_status_codes
            return Fallback(None if codes is None else frozenset(codes))
        case "conditional":
            return _conditional(strategy, [target.name for target in targets])


def _conditional(strategy: schema.Strategy, names: list[str | None]) -> Conditional:
    return Conditional(
        conditions=tuple(
            Condition(condition.query, names.index(condition.then))
            for condition in strategy.conditions or ()
        ),
        default=None if strategy.default is None else names.index(strategy.default),
    )
