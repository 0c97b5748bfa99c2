"""From JSON to a `Config`: read, bounded, checked as a whole, and only then built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from llmgateway.config.inherit import build_tree
from llmgateway.config.models import (
    Branch,
    Condition,
    Conditional,
    Config,
    Node,
    leaves_of,
)
from llmgateway.config.patterns import Patterns
from llmgateway.config.rules import Fault, check_rules
from llmgateway.config.schema import Target
from llmgateway.errors import InvalidConfig

MAX_LEVELS = 32
"""How deep targets may be nested."""
MAX_TARGETS = 512
"""How many targets a config may have, branches included."""
MAX_DEPTH = 100
"""How deep objects and lists of any kind may be nested."""
MAX_OVERRIDES = 5000
"""How many members the `override_params` of all targets may have together."""
MAX_FAULTS = 100
"""How many faults one answer lists, so that it stays in proportion to the question."""

_INVALID = "Invalid config passed"
_NOT_JSON = "Invalid config passed. You need to pass a valid json"
_SAVED = "Saved configs (pc-…) cannot be named here; pass the config itself as JSON"
_LEGACY = (
    "This version of config is not supported in this route. Please migrate to the latest version"
)
_OBJECT = "Input should be an object"
# In place of pydantic's own words, which speak of Python and of our classes.
_WORDS = {
    "model_type": _OBJECT,
    "dict_type": _OBJECT,
    "extra_forbidden": "Unknown key, or one that is given twice",
}
_SLUG = re.compile(r"pc-[\w-]+", re.ASCII)


def parse_config(raw: bytes | str | Mapping[str, Any]) -> Config:
    """Return the config that `raw` states: JSON text, or what such text would parse to.

    Pure, and bounded in depth and targets; the caller bounds the size of the text.
    Raises `InvalidConfig` that names all faults, each with its JSON path.
    """
    data = _load(raw)
    _check_bounds(data)
    root, faults = _check_shape(data)
    faults.extend(check_rules(data))
    if root is None or faults:
        raise _invalid(faults)
    tree = build_tree(root)
    _check_size(tree)
    return Config(
        root=tree,
        names_provider=isinstance(tree, Branch) or bool(tree.provider or tree.virtual_key),
        reads_params=any(condition.query.reads_params for condition in _conditions(tree)),
    )


def _check_size(tree: Node) -> None:
    """Refuse what stays small as text and grows large by inheritance."""
    distinct = {id(leaf.policy.override_params): leaf for leaf in leaves_of(tree)}
    if sum(len(leaf.policy.override_params) for leaf in distinct.values()) > MAX_OVERRIDES:
        what = f"{MAX_OVERRIDES} override_params over all targets, inherited ones included"
        raise _invalid([((), f"Must not hold more than {what}")])


def _load(raw: bytes | str | Mapping[str, Any]) -> dict[str, Any]:
    text = _encode(raw) if isinstance(raw, Mapping) else raw
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidConfig(_SAVED if _is_slug(text) else _NOT_JSON) from None
    if isinstance(data, str):
        raise InvalidConfig(_SAVED)
    if not isinstance(data, dict):
        raise _invalid([((), _OBJECT)])
    if "options" in data:
        raise InvalidConfig(_LEGACY)
    return data


def _encode(raw: Mapping[str, Any]) -> bytes:
    """Return a host's own mapping as JSON, so that there is one way in for all configs."""
    try:
        return orjson.dumps(dict(raw), default=_as_dict)
    except TypeError:
        raise _invalid([((), "Must hold nothing but what JSON can express")]) from None


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _is_slug(text: bytes | str) -> bool:
    decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
    return _SLUG.fullmatch(decoded.strip()) is not None


def _check_bounds(data: dict[str, Any]) -> None:
    """Refuse what is nested too deep for the recursion of all that follows, or has no end."""
    depth, containers = 1, [data]
    while containers := [child for value in containers for child in _containers(value)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise _invalid([((), f"Must not be nested deeper than {MAX_DEPTH} levels")])
    levels, count, nodes = 0, 0, [data]
    while nodes := [child for node in nodes for child in _targets(node)]:
        levels, count = levels + 1, count + len(nodes)
        if levels > MAX_LEVELS or count > MAX_TARGETS:
            what = f"{MAX_TARGETS} targets in all, in {MAX_LEVELS} levels"
            raise _invalid([((), f"Must not hold more than {what}")])


def _containers(value: Any) -> list[Any]:
    children = value.values() if isinstance(value, dict) else value
    return [child for child in children if isinstance(child, dict | list)]


def _targets(node: Any) -> list[Any]:
    targets = node.get("targets") if isinstance(node, dict) else None
    return targets if isinstance(targets, list) else []


def _check_shape(data: dict[str, Any]) -> tuple[Target | None, list[Fault]]:
    try:
        return Target.model_validate(data, context=Patterns()), []
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False, include_input=False)
        return None, [(error["loc"], _WORDS.get(error["type"], error["msg"])) for error in errors]


def _invalid(faults: list[Fault]) -> InvalidConfig:
    shown = [(".".join(map(str, location)), text) for location, text in faults[:MAX_FAULTS]]
    if len(faults) > MAX_FAULTS:
        shown.append(("", f"There are {len(faults) - MAX_FAULTS} more faults"))
    return InvalidConfig(_INVALID, shown)


def _conditions(node: Node) -> Iterator[Condition]:
    if isinstance(node, Branch):
        if isinstance(node.strategy, Conditional):
            yield from node.strategy.conditions
        for target in node.targets:
            yield from _conditions(target)
