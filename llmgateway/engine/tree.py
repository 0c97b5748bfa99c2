"""The tree of a plan's targets as text: what is called, with whose key, how patiently."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from llmgateway.config import (
    Branch,
    Conditional,
    Fallback,
    Leaf,
    LoadBalance,
    Node,
    Policy,
    Retry,
    Single,
)
from llmgateway.config.models import DEFAULT_RETRY_CODES
from llmgateway.engine.plan import Plan, Target
from llmgateway.engine.resolve import origin_of

__all__ = ["draw", "spell"]

_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa1-\uffff]")


def draw(plan: Plan) -> Iterator[str]:
    """Yield the lines of the tree."""
    yield from _node(plan.config.root, plan, "", "", "")


def spell(text: str) -> str:
    """Return a text of the file's without control characters: terminals obey some of them."""
    return _UNPRINTABLE.sub("?", text)


def _node(node: Node, plan: Plan, first: str, rest: str, note: str) -> Iterator[str]:
    name = f' "{spell(node.name)}"' if node.name else ""
    head = f"{first}{node.path}{name}{note}: "
    if isinstance(node, Leaf):
        yield head + ", ".join(_facts(node, plan.targets[node.path]))
        return
    yield head + _STRATEGIES[type(node.strategy)](node)
    notes = _notes(node)
    for index, child in enumerate(node.targets):
        last = index == len(node.targets) - 1
        branch, space = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _node(child, plan, rest + branch, rest + space, notes[index])


def _facts(leaf: Leaf, target: Target) -> Iterator[str]:
    yield target.provider.name
    yield f"key {_key_origin(target)}"
    policy = leaf.policy
    if policy.custom_host is not None:
        yield f"host {spell(origin_of(policy.custom_host))}"
    yield _retry(policy.retry)
    yield _timeout(policy)
    if policy.override_params:
        yield f"overrides {', '.join(spell(key) for key in policy.override_params)}"
    unused = sorted(leaf.options.keys() - {option.name for option in target.provider.options})
    if unused:
        yield f"NOT USED BY {target.provider.name}: {', '.join(spell(key) for key in unused)}"


def _key_origin(target: Target) -> str:
    """Say where the credential comes from, in the order in which the engine looks for it."""
    if target.api_key is not None or target.has_own_secret:
        return "of the config"
    stored = target.stored
    host = target.policy.custom_host or target.base_url
    if stored is not None and host is not None and stored.origin == origin_of(host):
        return "stored"
    if stored is not None:
        return "of the caller (the stored one goes to its own host only)"
    return "of the caller" if target.provider.auth.needs_key else "of the caller, if any"


def _retry(retry: Retry | None) -> str:
    if retry is None or retry.attempts == 0:
        return "no retry"
    codes = "" if retry.on_status_codes == DEFAULT_RETRY_CODES else _codes(retry.on_status_codes)
    return f"retry {retry.attempts}{' on ' + codes if codes else ''}"


def _timeout(policy: Policy) -> str:
    if policy.request_timeout_ms is None:
        return "no request timeout"
    return f"timeout {policy.request_timeout_ms} ms"


def _codes(codes: Iterable[int]) -> str:
    return ", ".join(str(code) for code in sorted(codes))


def _fallback(branch: Branch) -> str:
    strategy = branch.strategy
    assert isinstance(strategy, Fallback)
    if strategy.on_status_codes is None:
        return "fallback on anything but 2xx"
    return f"fallback on {_codes(strategy.on_status_codes)}"


def _conditional(branch: Branch) -> str:
    strategy = branch.strategy
    assert isinstance(strategy, Conditional)
    return "conditional" if strategy.default is not None else "conditional, no default"


_STRATEGIES: dict[type[Any], Callable[[Branch], str]] = {
    Single: lambda branch: "single (the first target)",
    LoadBalance: lambda branch: "loadbalance",
    Fallback: _fallback,
    Conditional: _conditional,
}


def _notes(branch: Branch) -> list[str]:
    """Return what the strategy has to say about each of its targets."""
    match branch.strategy:
        case LoadBalance(weights=weights):
            whole = sum(weights)
            return [f" ({100 * weight / whole:.3g} %)" for weight in weights]
        case Conditional(conditions=conditions, default=default):
            wanted = [
                [f"condition {n}" for n, c in enumerate(conditions, 1) if c.then == index]
                + (["default"] if default == index else [])
                for index in range(len(branch.targets))
            ]
            return [f" ({', '.join(reasons) or 'never'})" for reasons in wanted]
        case _:
            return [""] * len(branch.targets)
