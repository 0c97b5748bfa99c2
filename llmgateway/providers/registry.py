"""All provider rows that one gateway knows, by name.

A registry is a value: adding rows makes a new one. Rows of other packages come in through the
entry-point group `llmgateway.providers`, and only when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from llmgateway.providers import anthropic, azure, compatible, google, routed
from llmgateway.providers.base import Option, Provider

ENTRY_POINTS = "llmgateway.providers"
"""An entry point of this group names a `Provider` or an iterable of them."""


class EntryPointError(Exception):
    """An installed package's provider rows cannot be used; the message names the entry point."""


class OptionHeader(NamedTuple):
    """An option that a request header sets, and the providers that have it."""

    providers: tuple[str, ...]
    option: Option


class Registry(Mapping[str, Provider]):
    """An immutable mapping of provider names to rows."""

    __slots__ = ("_bare_headers", "_option_headers", "_rows")

    def __init__(self, rows: Iterable[Provider] = ()) -> None:
        self._rows: dict[str, Provider] = {}
        for row in rows:
            if row.name in self._rows:
                raise ValueError(f"two providers are named {row.name!r}")
            self._rows[row.name] = row
        self._option_headers = _by_header(self, lambda option: option.header_suffix)
        self._bare_headers = _by_header(self, lambda option: option.bare_header)

    def __getitem__(self, name: str) -> Provider:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def names(self) -> tuple[str, ...]:
        """Return the names of all rows, in order."""
        return tuple(self._rows)

    def with_rows(self, rows: Iterable[Provider]) -> Registry:
        """Return a registry with these rows as well; one of a known name replaces that row."""
        return Registry((self._rows | {row.name: row for row in rows}).values())

    def discover(self) -> Registry:
        """Return a registry with the rows of installed packages as well.

        Raises `EntryPointError` for what cannot be loaded, is no row, or has the name of a row
        that is there already: an installed package must not quietly take over where keys go.
        """
        found = self
        for entry in entry_points(group=ENTRY_POINTS):
            for row in _load(entry):
                if row.name in found:
                    raise EntryPointError(
                        f"the entry point {_place(entry)} brings a provider {row.name!r}, "
                        "which exists already"
                    )
                found = found.with_rows([row])
        return found

    def option_headers(self) -> Mapping[str, tuple[OptionHeader, ...]]:
        """Return what a header means, by its name after the family's prefix, lower case.

        One header may set options of different names, each for other providers.
        """
        return self._option_headers

    def bare_headers(self) -> Mapping[str, tuple[OptionHeader, ...]]:
        """Return the same for headers that callers' SDKs send without a prefix, by whole name."""
        return self._bare_headers


@cache
def builtin() -> Registry:
    """Return the rows that ship with the package."""
    rows = (*compatible.ROWS, *routed.ROWS, *azure.ROWS, *anthropic.ROWS, *google.ROWS)
    return Registry(sorted(rows, key=lambda row: row.name))


def _by_header(
    registry: Registry, header_of: Callable[[Option], str | None]
) -> dict[str, tuple[OptionHeader, ...]]:
    found: dict[str, dict[str, OptionHeader]] = {}
    for row in registry.values():
        for option in row.options:
            header = header_of(option)
            if header is None:
                continue
            by_option = found.setdefault(header, {})
            before = by_option.get(option.name)
            names = before.providers if before else ()
            by_option[option.name] = OptionHeader((*names, row.name), option)
    return {header: tuple(by_option.values()) for header, by_option in found.items()}


def _load(entry: EntryPoint) -> tuple[Provider, ...]:
    try:
        value = entry.load()
    except Exception as exc:  # foreign code runs here, so anything may come out of it
        raise EntryPointError(f"the entry point {_place(entry)} cannot be loaded: {exc}") from exc
    rows = (value,) if isinstance(value, Provider) else value
    if isinstance(rows, Iterable):
        rows = tuple(rows)
        if all(isinstance(row, Provider) for row in rows):
            return rows
    raise EntryPointError(
        f"the entry point {_place(entry)} is neither a Provider nor an iterable of them"
    )


def _place(entry: EntryPoint) -> str:
    package = entry.dist.name if entry.dist else "an unknown package"
    return f"{entry.name!r} of {package} ({entry.value})"
