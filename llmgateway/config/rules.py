"""What the keys of a config must be to one another.

These rules read the raw JSON, whatever its shape: so their faults are found together with those
of `schema`, and a caller sees all of them at once. A wrong type is left to `schema`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llmgateway.config.conditions import Location
from llmgateway.config.schema import Target, camel_case, snake_case

Fault = tuple[Location, str]

_NAMES_PROVIDER = {"provider", "virtual_key", "prompt_id", "passthrough", "deployments"}
_DECIDES_NOTHING = {"name", "weight", "api_key", "on_status_codes"}
_GIVES_ROOT_PURPOSE = Target.model_fields.keys() - _DECIDES_NOTHING
_NEITHER = (
    "Invalid configuration. It must have either 'provider' and 'api_key', 'provider' with stored "
    "credentials, or 'strategy' and 'targets'"
)


def check_rules(node: Any, location: Location = ()) -> Iterator[Fault]:
    """Yield a fault for each rule that a target, or any target below it, breaks."""
    if not isinstance(node, dict):
        return
    for key in ("strategy", "retry"):
        yield from _nulls(node.get(key), (*location, key))
    yield from _nulls(node, location)
    given = {key: value for key, value in node.items() if value is not None}
    yield from _spellings(given, location)
    yield from _purpose(given, location)
    targets = given.get("targets")
    if isinstance(targets, list):
        if targets:
            yield from _strategy(given.get("strategy"), targets, location)
        else:
            yield (*location, "targets"), "Must hold at least one target"
        for index, target in enumerate(targets):
            yield from check_rules(target, (*location, "targets", index))


def _nulls(node: Any, location: Location) -> Iterator[Fault]:
    # Whether a null means "inherit" or "none" is for nobody to guess.
    if isinstance(node, dict):
        for key, value in node.items():
            if value is None:
                yield (*location, key), "Must not be null; leave it out"


def _spellings(node: Mapping[str, Any], location: Location) -> Iterator[Fault]:
    """Find keys that are given in two spellings, or in one that only looks like ours."""
    count = Counter(snake_case(key) for key in node)
    for key in node:
        name = snake_case(key)
        if count[name] > 1:
            yield (*location, key), f"`{name}` is given more than once"
        elif name in Target.model_fields and key not in (name, camel_case(name)):
            yield (*location, key), f"Unknown key; write it `{name}`"


def _purpose(node: Mapping[str, Any], location: Location) -> Iterator[Fault]:
    """Find targets that say neither whom to call nor, at the root, what to do."""
    said = {snake_case(key) for key, value in node.items() if value != ""}
    if "strategy" in said and "targets" in said:
        return
    if "strategy" in said:
        yield (*location, "strategy"), "A strategy needs 'targets'"
    elif "targets" in said:
        yield (*location, "targets"), "'targets' need a 'strategy' that chooses among them"
    elif location and not (said & _NAMES_PROVIDER or _names_in_model(node)):
        yield location, f"{_NEITHER}; a target inherits no provider"
    elif not said & _GIVES_ROOT_PURPOSE:
        yield location, f"{_NEITHER}, or a policy such as 'retry' or 'request_timeout'"


def _names_in_model(node: Mapping[str, Any]) -> bool:
    overrides = {snake_case(key): value for key, value in node.items()}.get("override_params")
    model = overrides.get("model") if isinstance(overrides, dict) else None
    return isinstance(model, str) and model.startswith("@") and "/" in model


def _strategy(strategy: Any, targets: list[Any], location: Location) -> Iterator[Fault]:
    mode = strategy.get("mode") if isinstance(strategy, dict) else None
    if isinstance(mode, str) and mode in _BY_MODE:
        objects = [target if isinstance(target, dict) else {} for target in targets]
        yield from _BY_MODE[mode](strategy, objects, location)


def _weights(
    strategy: Mapping[str, Any], targets: list[dict[str, Any]], location: Location
) -> Iterator[Fault]:
    weights = [target.get("weight", 1) for target in targets]
    if any(not isinstance(weight, int | float) or weight < 0 for weight in weights):
        return
    if not 0 < sum(weights) < math.inf:
        yield (*location, "targets"), "The weights must add up to a number above zero"


def _names(
    strategy: Mapping[str, Any], targets: list[dict[str, Any]], location: Location
) -> Iterator[Fault]:
    names = [target.get("name") for target in targets]
    for index, name in enumerate(names):
        if name is not None and name in names[:index]:
            yield (*location, "targets", index, "name"), "Another target has the same name"
    conditions = strategy.get("conditions")
    if not conditions:
        yield (*location, "strategy", "conditions"), "No conditions passed in the query router"
    for index, condition in enumerate(conditions if isinstance(conditions, list) else ()):
        if isinstance(condition, dict):
            yield from _named(
                condition, names, (*location, "strategy", "conditions", index, "then")
            )
    yield from _named(strategy, names, (*location, "strategy", "default"))


def _named(node: Mapping[str, Any], names: list[Any], location: Location) -> Iterator[Fault]:
    """Find a name, at the key of `node` that `location` ends with, that no target has."""
    name = node.get(str(location[-1]))
    if isinstance(name, str) and name not in names:
        yield location, f"Invalid target name found in the query router: {name[:64]}"


_Rule = Callable[[Mapping[str, Any], list[dict[str, Any]], Location], Iterator[Fault]]
_BY_MODE: Mapping[str, _Rule] = {"loadbalance": _weights, "conditional": _names}
