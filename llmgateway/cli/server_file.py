"""Reads the config file of the standalone server: TOML, the fields of `Settings`, and `[server]`.

All faults are found at once, each with its line and key. No value is ever shown: it may be a key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmgateway.cli.toml_lines import key_lines, line_of
from llmgateway.engine.check import KeyPath, check_settings, did_you_mean, dotted
from llmgateway.engine.plan import Plan
from llmgateway.providers import Registry
from llmgateway.settings import Limits, Settings, resolve_environment

__all__ = [
    "Fault",
    "FileFaults",
    "ServerFile",
    "ServerSection",
    "has_credential",
    "parse_server_file",
    "read_text",
]

_Model = TypeVar("_Model", bound=BaseModel)

_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_UNSET = "a-placeholder-for-a-variable-that-is-not-set"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a file."""

    line: int | None
    key: str
    """`providers.openai.api_key`; empty if it is the file as a whole."""
    text: str


class FileFaults(Exception):
    """A file cannot be used, for all these reasons."""

    def __init__(self, name: str, faults: Sequence[Fault]) -> None:
        super().__init__(f"{name} cannot be used")
        self.name = name
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.key)))

    def lines(self) -> Iterator[str]:
        """Yield one line for each fault, as compilers write them."""
        for fault in self.faults:
            place = self.name if fault.line is None else f"{self.name}:{fault.line}"
            yield f"{place}: {fault.key + ': ' if fault.key else ''}{fault.text}"


class ServerSection(BaseModel):
    """The table `[server]`; what the command line says counts more."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    """Where it listens; what is wider than loopback needs client keys."""
    port: int = Field(default=8787, ge=0, le=65535)
    """0: any free one; the start-up message names it."""
    grace_s: float = Field(default=30.0, ge=0, le=3600)
    """How long open answers may go on after SIGTERM."""


@dataclass(frozen=True, slots=True)
class ServerFile:
    """A config file that can be used."""

    settings: Settings = Settings()
    server: ServerSection = ServerSection()
    plan: Plan | None = None
    """The default routing config, resolved; None if there is none."""


def read_text(path: Path) -> str:
    """Return a file's text; raises `FileFaults` if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or "cannot be read"
    except UnicodeDecodeError:
        reason = "is not UTF-8 text"
    raise FileFaults(path.name, [Fault(None, "", reason)])


def parse_server_file(
    text: str, name: str, environment: Mapping[str, str], registry: Registry
) -> ServerFile:
    """Return what a config file says; raises `FileFaults`."""
    data = _parsed(text, name)
    faults: list[tuple[KeyPath, str]] = []
    data = _resolved(data, (), environment, faults)
    server = _validated(ServerSection, data.pop("server", {}), ("server",), faults)
    settings = _validated(Settings, data, (), faults)
    faults = [exact for path, words in faults for exact in _pinpointed(path, words, data)]
    # What is sound is looked at in any case, so that one run finds all faults.
    sound = settings or _sound_part(data, faults)
    found, plan = check_settings(sound, registry)
    faults += found
    if faults or settings is None or server is None:
        lines = key_lines(text)
        raise FileFaults(
            name, [Fault(line_of(path, lines), dotted(path), words) for path, words in faults]
        )
    return ServerFile(settings, server, plan)


def has_credential(name: str, settings: Settings, registry: Registry) -> bool:
    """Tell whether the settings hold a provider's key, or another secret of its kind."""
    stored = settings.providers[name]
    row = registry.get(name)
    secrets = {option.name for option in row.options if option.secret} if row else set()
    return stored.api_key is not None or not secrets.isdisjoint(stored.options)


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    except RecursionError:
        message = "it is nested too deep"
    place = _AT_LINE.search(message)
    line = int(place[1] or text.count("\n") + 1) if place else None
    words = _AT_LINE.sub("", message)
    raise FileFaults(name, [Fault(line, "", f"not valid TOML: {words}")])


def _resolved(
    value: Any, path: KeyPath, environment: Mapping[str, str], faults: list[tuple[KeyPath, str]]
) -> Any:
    """Put the environment's values in place of `env:NAME`, and go on after a missing one."""
    if isinstance(value, dict):
        return {k: _resolved(v, (*path, k), environment, faults) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolved(v, (*path, i), environment, faults) for i, v in enumerate(value)]
    try:
        found = resolve_environment(value, environment)
    except ValueError as error:
        faults.append((path, str(error)))
        return _UNSET
    if found == "" and value != "":
        faults.append((path, f"the environment variable {value[len('env:') :]} is empty"))
        return _UNSET
    return found


def _validated(
    model: type[_Model], data: Any, prefix: KeyPath, faults: list[tuple[KeyPath, str]]
) -> _Model | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        faults += [_in_words(item["loc"], item["type"], item["msg"], prefix) for item in found]
        return None


def _pinpointed(
    path: KeyPath, words: str, data: Mapping[str, Any]
) -> Iterator[tuple[KeyPath, str]]:
    """Turn a fault of a whole list or table of settings into faults of its items."""
    value = data.get(str(path[0])) if len(path) == 1 else None
    alone: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        alone = [(key, {key: item}) for key, item in value.items()]
    elif isinstance(value, list):
        alone = [(index, [item]) for index, item in enumerate(value)]
    found: list[tuple[KeyPath, str]] = []
    for step, only in alone:
        its: list[tuple[KeyPath, str]] = []
        _validated(Settings, {path[0]: only}, (), its)
        found += [((*path, step), its_words) for _, its_words in its[:1]]
    yield from found or [(path, words)]


def _sound_part(data: dict[str, Any], faults: Sequence[tuple[KeyPath, str]]) -> Settings:
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


def _in_words(loc: KeyPath, kind: str, message: str, prefix: KeyPath) -> tuple[KeyPath, str]:
    path = (*prefix, *loc)
    if kind != "extra_forbidden":
        return path, message.removeprefix("Value error, ")
    return path, "unknown key" + did_you_mean(str(path[-1]), _siblings(path))


def _siblings(path: KeyPath) -> list[str]:
    """Return the keys that there are beside an unknown one."""
    tables: dict[KeyPath, type[BaseModel]] = {("server",): ServerSection, ("limits",): Limits}
    model = tables.get(path[:-1])
    return list(model.model_fields) if model else [*Settings.model_fields, "server"]
