"""One value for each event loop: what is bound to a loop, and found without locks on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Values by event loop, each made at its first use. Those of closed loops are let go then.

    A mapping with weak keys would do as well, at four times the cost of a look.
    """

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], T]) -> None:
        self._make = make
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self, loop: asyncio.AbstractEventLoop) -> T:
        """Return a loop's value."""
        value = self._values.get(loop)
        if value is None:
            for closed in [other for other in list(self._values) if other.is_closed()]:
                self._values.pop(closed, None)
            value = self._values[loop] = self._make(loop)
        return value

    def pop(self, loop: asyncio.AbstractEventLoop) -> T | None:
        """Take a loop's value out; None if it has none."""
        return self._values.pop(loop, None)
