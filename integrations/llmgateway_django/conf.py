"""The setting `LLMGATEWAY`: one dict, its keys the shared settings' names in capitals.

Values, `env:NAME` and faults are as everywhere; see docs/configuration.md.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from django.conf import settings as project
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from llmgateway.engine.authorize import Authenticate
from llmgateway.engine.check import Fault, KeyPath, dotted
from llmgateway.engine.reading import read_settings, resolved
from llmgateway.providers import Registry, builtin
from llmgateway.settings import Settings

__all__ = [
    "AS_USUAL",
    "KEY",
    "MAX_DAYS",
    "Conf",
    "Keeping",
    "RuntimeName",
    "conf_of_project",
    "read_conf",
]

KEY = "LLMGATEWAY"

RuntimeName = Literal["background", "inline"]
_RUNTIMES = ("background", "inline")
_BESIDE = (
    "runtime",
    "authenticate",
    "key_ring",
    "key_cache_s",
    "key_grace_s",
    "log_days",
    "log_bodies_days",
)
"""What Django's shell reads itself."""
_RING_KEY_BYTES = 32
MAX_CACHE_S = 60.0
"""A revoked key lives on for as long."""
MAX_GRACE_S = 86_400.0
MAX_DAYS = 36_500
"""A hundred years: what is longer is a mistake, and before the beginning of time."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long what the database said is kept, in seconds."""

    cache_s: float = 5.0
    """While it answers."""
    grace_s: float = 300.0
    """While it is away."""


AS_USUAL = Keeping()


@dataclass(frozen=True, slots=True)
class Conf:
    """What a project says of the gateway."""

    settings: Settings
    runtime: RuntimeName = "background"
    authenticate: tuple[Authenticate, ...] = ()
    key_ring: tuple[bytes, ...] = field(default=(), repr=False)
    """What secrets are sealed with: the current key first, then those that still open."""
    keeping: Keeping = AS_USUAL
    """Of keys, virtual keys and configs."""
    log_days: int | None = None
    """How many days `llmgateway_prune` leaves rows in the log; None: it must be told."""
    log_bodies_days: int | None = None
    """How many of them it leaves bodies; None: as long as their rows."""


def conf_of_project() -> Conf:
    """Read the project's settings as they are now; see `read_conf`."""
    return read_conf(getattr(project, KEY, {}), os.environ, builtin().discover())


def read_conf(table: Any, environment: Mapping[str, str], registry: Registry) -> Conf:
    """Return what the dict says. Raises `ImproperlyConfigured` with every fault and its path."""
    if not isinstance(table, Mapping):
        raise ImproperlyConfigured(f"{KEY}: must be a dict; see docs/django.md")
    faults: list[Fault] = []
    values = _lowered(table, ("settings",), (), faults)
    runtime = values.pop("runtime", "background")
    if runtime not in _RUNTIMES:
        faults.append((("runtime",), f"must be one of {', '.join(_RUNTIMES)}"))
    authenticate = _callables(values.pop("authenticate", ()), faults)
    key_ring = _key_ring(values.pop("key_ring", ()), environment, faults)
    keeping = _keeping(values, faults)
    log_days = _days("log_days", values, faults)
    log_bodies_days = _days("log_bodies_days", values, faults)
    read = read_settings(values, environment, registry, _BESIDE)
    faults += read.faults
    if faults or read.settings is None:
        raise ImproperlyConfigured("\n".join(_in_place(fault, table) for fault in faults))
    return Conf(
        read.settings,
        cast(RuntimeName, runtime),
        authenticate,
        key_ring,
        keeping,
        log_days,
        log_bodies_days,
    )


_BELOW: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("settings", "limits"): ("settings",),
    ("settings", "upstream_transport"): ("settings",),
    ("settings", "upstream_transports"): ("named",),
    ("settings", "providers"): ("named",),
}
"""Which tables in a table have names of ours as well; all others are somebody else's."""


def _lowered(
    table: Mapping[Any, Any], kind: tuple[str, ...], path: KeyPath, faults: list[Fault]
) -> dict[str, Any]:
    """Put a table's values under the names that the shared settings have for them."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = str(key) if kind == ("named",) else str(key).lower()
        if name in found:
            faults.append(((*path, name), "stands here twice; keep one"))
        below = ("settings",) if kind == ("named",) else _BELOW.get((*kind, name))
        if below is not None and isinstance(value, Mapping):
            value = _lowered(value, below, (*path, name), faults)
        found[name] = value
    return found


def _keeping(values: dict[str, Any], faults: list[Fault]) -> Keeping:
    """Take the times out of the values."""
    cache_s = _seconds("key_cache_s", values, MAX_CACHE_S, faults)
    grace_s = _seconds("key_grace_s", values, MAX_GRACE_S, faults)
    return Keeping(
        AS_USUAL.cache_s if cache_s is None else cache_s,
        AS_USUAL.grace_s if grace_s is None else grace_s,
    )


def _seconds(name: str, values: dict[str, Any], most: float, faults: list[Fault]) -> float | None:
    value = values.pop(name, None)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= most:
        faults.append(((name,), f"must be a number of seconds, {most:.0f} at most"))
        return None
    return float(value)


def _days(name: str, values: dict[str, Any], faults: list[Fault]) -> int | None:
    """Take a number of days out of the values; None if there is none."""
    days = values.pop(name, None)
    if days is None or (type(days) is int and 0 <= days <= MAX_DAYS):
        return days
    faults.append(((name,), f"must be a whole number of days, {MAX_DAYS} at most"))
    return None


def _callables(given: Any, faults: list[Fault]) -> tuple[Authenticate, ...]:
    """Return the callables that are named, or are there themselves; one needs no list."""
    found: list[Authenticate] = []
    for path, item in _items("authenticate", given):
        try:
            made: Any = import_string(item) if isinstance(item, str) else item
        except ImportError as error:
            faults.append((path, f"cannot be imported: {error}"))
            continue
        if isinstance(made, Callable):  # type: ignore[arg-type]  # for mypy it is no class
            found.append(made)
        else:
            faults.append((path, "must be a callable, or the dotted path of one"))
    return tuple(found)


def _key_ring(given: Any, environment: Mapping[str, str], faults: list[Fault]) -> tuple[bytes, ...]:
    """Return the keys that are named; one text may have several, with commas between them."""
    found: list[bytes] = []
    for path, item in _items("key_ring", given):
        unset: list[Fault] = []
        text = resolved(item, path, environment, unset)
        faults += unset
        if unset:
            continue
        keys = [_ring_key(part) for part in text.split(",")] if isinstance(text, str) else [None]
        found += filter(None, keys)
        if None in keys:
            faults.append((path, f"must be {_RING_KEY_BYTES} bytes as base64; see docs/django.md"))
    return tuple(dict.fromkeys(found))


def _ring_key(text: str) -> bytes | None:
    """Return what a text stands for in either alphabet of base64, padded or not."""
    text = text.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == _RING_KEY_BYTES else None


def _items(name: str, given: Any) -> Iterator[tuple[KeyPath, Any]]:
    """Yield what a list holds, each with its path; one thing alone needs no list."""
    if not isinstance(given, list | tuple):
        yield (name,), given
        return
    for index, item in enumerate(given):
        yield (name, index), item


def _in_place(fault: Fault, table: Mapping[Any, Any]) -> str:
    """Return a fault with its path as the project spells it."""
    path, words = fault
    value: Any = table
    spelt: list[str | int] = []
    for step in path:
        key: Any = step
        if isinstance(value, Mapping):
            near = (k for k in value if isinstance(step, str) and str(k).lower() == step.lower())
            key = step if step in value else next(near, str(step).upper() if not spelt else step)
            value = value.get(key)
        elif isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
            value = value[step]
        spelt.append(key)
    return f"{dotted((KEY, *spelt))}: {words}"
