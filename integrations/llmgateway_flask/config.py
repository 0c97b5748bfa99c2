"""Settings out of `app.config`: the dict `LLMGATEWAY`, flat keys `LLMGATEWAY_…`, or both.

Names are the shared settings', in any case, since environment variables come in capitals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from llmgateway.engine.check import Fault, KeyPath, SettingsFault, did_you_mean
from llmgateway.engine.reading import read_settings
from llmgateway.providers import Registry
from llmgateway.settings import Settings

__all__ = ["KEY", "AppConfig", "RuntimeName", "read_config"]

KEY = "LLMGATEWAY"
_FLAT = KEY + "_"

RuntimeName = Literal["background", "inline"]
_RUNTIMES = ("background", "inline")


@dataclass(frozen=True, slots=True)
class _Names:
    """How the names of a table are read, and those of the tables in it."""

    read: Callable[[str], str] = str
    below: Callable[[str], _Names | None] = lambda name: None
    """By name: of which sort that table is; None: it is somebody else's, and stays as it is."""


@dataclass(frozen=True, slots=True)
class AppConfig:
    """What an app's configuration says of the gateway."""

    settings: Settings
    runtime: RuntimeName = "background"


@dataclass(slots=True)
class _Found:
    """Values by the settings' own names, and the places where they stood."""

    values: dict[str, Any] = field(default_factory=dict, repr=False)
    places: dict[str, KeyPath] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def add(self, name: str, value: Any, place: KeyPath) -> None:
        """Take a value; the same setting must not stand at two places."""
        if name in self.places:
            self.faults.append((place, f"{_spelt(self.places[name])} says the same; keep one"))
        else:
            self.values[name] = value
            self.places[name] = place

    def place_of(self, path: KeyPath) -> KeyPath:
        """Return where in the app's configuration a setting stands."""
        return (*self.places.get(str(path[0]), (KEY, path[0])), *path[1:])


def read_config(
    config: Mapping[str, Any], environment: Mapping[str, str], registry: Registry
) -> AppConfig:
    """Return what `app.config` says. Raises `SettingsFault` with every fault and its place."""
    found = _gather(config, _names(registry))
    runtime = found.values.pop("runtime", "background")
    if runtime not in _RUNTIMES:
        fault = f"must be one of {', '.join(_RUNTIMES)}"
        found.faults.append((found.place_of(("runtime",)), fault))
    read = read_settings(found.values, environment, registry, beside=("runtime",))
    faults = [*found.faults, *((found.place_of(path), words) for path, words in read.faults)]
    if faults or read.settings is None:
        raise SettingsFault(faults)
    return AppConfig(read.settings, cast(RuntimeName, runtime))


def _gather(config: Mapping[str, Any], names: _Names) -> _Found:
    found = _Found()
    table = config.get(KEY)
    if isinstance(table, Mapping):
        for name, value in _merged({}, table, names).items():
            found.add(name, value, (KEY, name))
    elif table is not None:
        found.faults.append(((KEY,), "must be a dict; see docs/flask.md"))
    known = [_FLAT + name.upper() for name in (*Settings.model_fields, "runtime")]
    for key, value in config.items():
        if key in known:
            ((name, read),) = _merged({}, {key.removeprefix(_FLAT): value}, names).items()
            found.add(name, read, (key,))
        elif key.startswith(_FLAT):
            found.faults.append(((key,), "unknown key" + did_you_mean(key, known)))
    return found


def _merged(into: dict[str, Any], table: Mapping[str, Any], names: _Names) -> dict[str, Any]:
    """Put a table's values under their names: what a variable in capitals adds comes later."""
    for key, value in table.items():
        name = names.read(str(key))
        below = names.below(name)
        if below is not None and isinstance(value, Mapping):
            before = into.get(name)
            value = _merged(before if isinstance(before, dict) else {}, value, below)
        into[name] = value
    return into


def _names(registry: Registry) -> _Names:
    ours = _Names(str.lower)

    def provider(name: str) -> str:
        # Shells take no dash in a variable's name.
        return name if registry.get(name) is not None else name.lower().replace("_", "-")

    tables = {
        "client_keys": _Names(),
        "limits": ours,
        "providers": _Names(provider, lambda name: ours),
        "upstream_transport": ours,
        "upstream_transports": _Names(str, lambda name: ours),
    }
    return _Names(str.lower, tables.get)


def _spelt(place: KeyPath) -> str:
    return ".".join(map(str, place))
