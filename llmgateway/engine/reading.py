"""Settings read from what a host's configuration says, with all faults found at once.

Each fault has its path and never a value, which may be a secret. Where the values stand (in a
file, in an app's configuration) is the reader's affair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from llmgateway.engine.check import Fault, KeyPath, check_settings, did_you_mean
from llmgateway.engine.plan import Plan
from llmgateway.providers import Registry
from llmgateway.settings import Limits, Settings, UpstreamTransport, resolve_environment

__all__ = ["Reading", "has_credential", "read_settings", "resolved", "validated"]

_Model = TypeVar("_Model", bound=BaseModel)

_UNSET = "a-placeholder-for-a-variable-that-is-not-set"

_TABLES: Mapping[KeyPath, type[BaseModel]] = {
    ("limits",): Limits,
    ("upstream_transport",): UpstreamTransport,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a configuration; with faults it cannot be used."""

    settings: Settings | None
    plan: Plan | None
    """The default routing config, resolved; None if there is none."""
    faults: tuple[Fault, ...]


def read_settings(
    data: Mapping[str, Any],
    environment: Mapping[str, str],
    registry: Registry,
    beside: Sequence[str] = (),
) -> Reading:
    """Return the settings that a tree of values states.

    `env:NAME` stands for a variable. `beside` are names that the host reads itself, for hints.
    """
    unset: list[Fault] = []
    data = {key: resolved(value, (key,), environment, unset) for key, value in data.items()}
    faults: list[Fault] = []
    settings = validated(Settings, data, (), faults, [*Settings.model_fields, *beside])
    faults = [exact for path, words in faults for exact in _pinpointed(path, words, data)]
    # What the placeholder of a variable that is not set does wrong is no news.
    faults = unset + [fault for fault in faults if fault[0] not in dict(unset)]
    # What is sound is looked at in any case, so that one run finds all faults.
    found, plan = check_settings(settings or _sound_part(data, faults), registry)
    return Reading(settings, plan, (*faults, *found))


def resolved(value: Any, path: KeyPath, environment: Mapping[str, str], faults: list[Fault]) -> Any:
    """Put the environment's values in place of `env:NAME`, and go on after a missing one."""
    if isinstance(value, Mapping):
        return {k: resolved(v, (*path, k), environment, faults) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(v, (*path, i), environment, faults) for i, v in enumerate(value)]
    try:
        found = resolve_environment(value, environment)
    except ValueError as error:
        faults.append((path, str(error)))
        return _UNSET
    if found == "" and value != "":
        faults.append((path, f"the environment variable {value[len('env:') :]} is empty"))
        return _UNSET
    return found


def validated(
    model: type[_Model], data: Any, prefix: KeyPath, faults: list[Fault], known: Sequence[str] = ()
) -> _Model | None:
    """Return a model of what was said, or note what is wrong with it; `known` is for hints."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        known = known or list(model.model_fields)
        faults += [
            _in_words(item["loc"], item["type"], item["msg"], prefix, known) for item in found
        ]
        return None


def has_credential(name: str, settings: Settings, registry: Registry) -> bool:
    """Tell whether the settings hold a provider's key, or another secret of its kind."""
    stored = settings.providers[name]
    row = registry.get(name)
    secrets = {option.name for option in row.options if option.secret} if row else set()
    return stored.api_key is not None or not secrets.isdisjoint(stored.options)


def _pinpointed(path: KeyPath, words: str, data: Mapping[str, Any]) -> Iterator[Fault]:
    """Turn a fault of a whole list or table of settings into faults of its items."""
    value = data.get(str(path[0])) if len(path) == 1 else None
    alone: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        alone = [(key, {key: item}) for key, item in value.items()]
    elif isinstance(value, list):
        alone = [(index, [item]) for index, item in enumerate(value)]
    found: list[Fault] = []
    for step, only in alone:
        its: list[Fault] = []
        validated(Settings, {path[0]: only}, (), its)
        found += [((*path, step), its_words) for _, its_words in its[:1]]
    yield from found or [(path, words)]


def _sound_part(data: dict[str, Any], faults: Sequence[Fault]) -> Settings:
    """Return the settings without the keys that have faults."""
    for path, _ in faults:
        data = _without(data, path)
    try:
        return Settings.model_validate(data)
    except ValidationError:
        return Settings()  # two keys that are sound by themselves contradict each other


def _without(value: Any, path: KeyPath) -> Any:
    if not path or not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {key: item for key, item in value.items() if key != path[0]}
    if len(path) == 1:
        return rest
    return {**rest, path[0]: _without(value[path[0]], path[1:])}


def _in_words(
    loc: KeyPath, kind: str, message: str, prefix: KeyPath, known: Sequence[str]
) -> Fault:
    path = (*prefix, *loc)
    if kind != "extra_forbidden":
        return path, message.removeprefix("Value error, ")
    return path, "unknown key" + did_you_mean(str(path[-1]), _siblings(path, known))


def _siblings(path: KeyPath, known: Sequence[str]) -> Sequence[str]:
    """Return the keys that there are beside an unknown one."""
    if path[0] == "upstream_transports":
        return list(UpstreamTransport.model_fields)
    table = _TABLES.get(path[:-1])
    return known if table is None else list(table.model_fields)
