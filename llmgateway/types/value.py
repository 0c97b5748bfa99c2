"""Plain values that are made anew for each request: frozen by the type checker, not by Python.

A dataclass that is really frozen sets each field through `object.__setattr__`: 10 µs for one of 22
fields, where a plain one takes 3, and a request makes some ten of them. So these are frozen where
it costs nothing: mypy refuses every assignment to their fields. What users of the package make
themselves (`Principal`, `Provider`) is a frozen dataclass in earnest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

__all__ = ["value"]

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    T = TypeVar("T")

    def value(*, frozen: bool, slots: bool) -> Callable[[type[T]], type[T]]:
        """Make a dataclass; write `@value(frozen=True, slots=True)`."""
        assert frozen, "what changes is no value"
        return dataclass(slots=slots, unsafe_hash=True)
