"""Which checks there are: ours, those of installed packages, those of the app."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points

from llmgateway.guardrails.declare import Check, declared
from llmgateway.guardrails.parameters import did_you_mean
from llmgateway.late import import_late

ENTRY_POINTS = "llmgateway.checks"
"""The group in which packages name a check, or a module or list of checks."""
_BUILTIN = ("text", "data", "request", "rewrite", "outside", "tokens")
_MORE = (
    "moderation",
    "judge",
    "language",
    "injection",
    "links",
    "tools",
    "token_limits",
    "pii.checks",
)
"""Those beyond the contract's."""
_GROUP = "default."
# What Portkey's hosted service calls them.
_HOSTED = {
    "default.isalluppercase": "default.alluppercase",
    "default.isalllowercase": "default.alllowercase",
}


class Checks(Mapping[str, Check]):
    """All checks by id; immutable."""

    def __init__(self, checks: Iterable[Check] = ()) -> None:
        self._checks: dict[str, Check] = {}
        self._aliases: dict[str, str] = {}
        for one in checks:
            known = self._checks.setdefault(one.id, one)
            if known is not one:
                raise ValueError(f"Two checks have the id {one.id!r}")
            self._aliases[one.id.lower()] = one.id

    def __getitem__(self, id: str) -> Check:
        """Return a check; an id without a dot gets `default.`, its case does not matter."""
        full = (id if "." in id else _GROUP + id).lower()
        return self._checks[self._aliases.get(_HOSTED.get(full, full), full)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._checks)

    def __len__(self) -> int:
        return len(self._checks)

    def with_checks(self, checks: Iterable[Check]) -> Checks:
        """Return these and others; raises `ValueError` where two have one id."""
        return Checks([*self._checks.values(), *checks])

    def discover(self) -> Checks:
        """Return these and those of installed packages."""
        found: list[Check] = []
        for entry in entry_points(group=ENTRY_POINTS):
            found += _checks_in(entry.load(), entry.name)
        return self.with_checks(found)

    def suggest(self, id: str) -> str:
        """Return the end of a sentence about an id that is unknown: `; did you mean …?`."""
        return did_you_mean(id if "." in id else _GROUP + id, self)


def _checks_in(found: object, name: str) -> list[Check]:
    if isinstance(found, Check):
        return [found]
    members = found if isinstance(found, list | tuple) else vars(found).values()
    checks = [one for one in members if isinstance(one, Check)]
    if not checks:
        raise TypeError(f"The entry point {name!r} of {ENTRY_POINTS} names no check")
    return checks


def known() -> Checks:
    """Return all checks there are: ours, those of installed packages, those declared so far."""
    found = _installed()
    return found.with_checks(one for one in declared() if found.get(one.id) is not one)


@cache
def _installed() -> Checks:
    return builtin().discover()


@cache
def builtin() -> Checks:
    """Return the checks of this package; their modules are imported at the first call."""
    modules = [import_late(f"llmgateway.guardrails.{name}") for name in (*_BUILTIN, *_MORE)]
    return Checks([one for module in modules for one in module.CHECKS])
