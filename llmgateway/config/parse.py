"""From JSON to a `Config`: read, bounded, checked as a whole, and only then built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from llmgateway.config.groups import SAVED, HookReader, Stage
from llmgateway.config.hooks import AnyHook, Hook
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
from llmgateway.config.schema import Target, shape_faults
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
_INVALID_HOOKS = "Invalid guardrails passed"
_NO_JSON_VALUE = "Must hold nothing but what JSON can express"
_TOO_DEEP = f"Must not be nested deeper than {MAX_DEPTH} levels"
_NOT_JSON = "Invalid config passed. You need to pass a valid json"
_SAVED = "Saved configs (pc-…) cannot be named here; pass the config itself as JSON"
_LEGACY = (
    "This version of config is not supported in this route. Please migrate to the latest version"
)
_OBJECT = "Input should be an object"
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
    reader = HookReader()
    groups = dict(reader.read_tree(data))
    reader.check_count()
    faults.extend(reader.faults)
    if root is None or faults:
        raise _invalid(faults)
    tree = build_tree(root, groups)
    _check_size(tree)
    return Config(
        root=tree,
        names_provider=isinstance(tree, Branch) or bool(tree.provider or tree.virtual_key),
        reads_params=any(condition.query.reads_params for condition in _conditions(tree)),
    )


def parse_hooks(raw: bytes | str | Sequence[Any], stage: Stage, path: str) -> tuple[AnyHook, ...]:
    """Return the hooks of a list like `input_guardrails` that stands outside of a config.

    `raw` is JSON text or such a list; `path` names it in faults and in the hooks' own paths.
    Raises `InvalidConfig` with all faults.
    """
    data = _load_hooks(raw, path)
    if not isinstance(data, list):
        raise _invalid([((path,), "Input should be a valid list")], _INVALID_HOOKS)
    reader = HookReader()
    hooks = reader.read_list(data, stage, (path,))
    reader.check_count()
    if reader.faults:
        raise _invalid(reader.faults, _INVALID_HOOKS)
    return hooks


def parse_guardrail(raw: bytes | str | Mapping[str, Any], slug: str) -> tuple[Hook, ...]:
    """Return the hooks of a guardrail that is saved under `slug`: one.

    `raw` is JSON text or an object: `{"checks": [{"id", "parameters", "is_enabled"}, …],
    "actions": {"deny", "async", "on_success", "on_fail", …}}`, or a guardrail in short.
    Raises `InvalidConfig` with all faults.
    """
    match = SAVED.fullmatch(slug)
    if match is None or match["version"] is not None:
        text = "Must begin with pg-; then letters, digits, - and _, 64 in all"
        raise _invalid([((slug[:64],), text)], _INVALID_HOOKS)
    reader = HookReader()
    hook = reader.read_saved(_load_hooks(raw, slug), slug)
    reader.check_count()
    if hook is None or reader.faults:
        raise _invalid(reader.faults, _INVALID_HOOKS)
    return (hook,)


def _load_hooks(raw: bytes | str | Sequence[Any] | Mapping[str, Any], path: str) -> Any:
    try:
        data = orjson.loads(raw if isinstance(raw, bytes | str) else _encode(raw))
    except orjson.JSONDecodeError:
        raise _invalid([((path,), "Must be JSON")], _INVALID_HOOKS) from None
    except TypeError:
        raise _invalid([((path,), _NO_JSON_VALUE)], _INVALID_HOOKS) from None
    if _is_too_deep(data):
        raise _invalid([((path,), _TOO_DEEP)], _INVALID_HOOKS)
    return data


def _check_size(tree: Node) -> None:
    """Refuse what stays small as text and grows large by inheritance."""
    distinct = {id(leaf.policy.override_params): leaf for leaf in leaves_of(tree)}
    if sum(len(leaf.policy.override_params) for leaf in distinct.values()) > MAX_OVERRIDES:
        what = f"{MAX_OVERRIDES} override_params over all targets, inherited ones included"
        raise _invalid([((), f"Must not hold more than {what}")])


def _load(raw: bytes | str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = _encode(raw) if isinstance(raw, Mapping) else raw
    except TypeError:
        raise _invalid([((), _NO_JSON_VALUE)]) from None
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


def _encode(raw: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Return a host's own value as JSON, so that there is one way in for all configs."""
    return orjson.dumps(raw, default=_as_dict)


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _is_slug(text: bytes | str) -> bool:
    decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
    return _SLUG.fullmatch(decoded.strip()) is not None


def _check_bounds(data: dict[str, Any]) -> None:
    """Refuse what is nested too deep for the recursion of all that follows, or has no end."""
    if _is_too_deep(data):
        raise _invalid([((), _TOO_DEEP)])
    levels, count, nodes = 0, 0, [data]
    while nodes := [child for node in nodes for child in _targets(node)]:
        levels, count = levels + 1, count + len(nodes)
        if levels > MAX_LEVELS or count > MAX_TARGETS:
            what = f"{MAX_TARGETS} targets in all, in {MAX_LEVELS} levels"
            raise _invalid([((), f"Must not hold more than {what}")])


def _is_too_deep(data: Any) -> bool:
    depth, containers = 0, [data]
    while containers := [child for value in containers for child in _containers(value)]:
        depth += 1
        if depth >= MAX_DEPTH:
            return True
    return False


def _containers(value: Any) -> list[Any]:
    children = value.values() if isinstance(value, dict) else value
    children = children if isinstance(value, dict | list) else ()
    return [child for child in children if isinstance(child, dict | list)]


def _targets(node: Any) -> list[Any]:
    targets = node.get("targets") if isinstance(node, dict) else None
    return targets if isinstance(targets, list) else []


def _check_shape(data: dict[str, Any]) -> tuple[Target | None, list[Fault]]:
    try:
        return Target.model_validate(data, context=Patterns()), []
    except ValidationError as exc:
        return None, shape_faults(exc)


def _invalid(faults: list[Fault], message: str = _INVALID) -> InvalidConfig:
    shown = [(".".join(map(str, location)), text) for location, text in faults[:MAX_FAULTS]]
    if len(faults) > MAX_FAULTS:
        shown.append(("", f"There are {len(faults) - MAX_FAULTS} more faults"))
    return InvalidConfig(message, shown)


def _conditions(node: Node) -> Iterator[Condition]:
    if isinstance(node, Branch):
        if isinstance(node.strategy, Conditional):
            yield from node.strategy.conditions
        for target in node.targets:
            yield from _conditions(target)
