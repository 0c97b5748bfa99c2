"""Which database a piece of work goes to, where a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_alias: ContextVar[str | None] = ContextVar("alias", default=None)


@contextmanager
def routed_to(alias: str) -> Iterator[None]:
    """Have all queries of this context, and of no other thread, go to one database."""
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


class AsRouted:
    """Does what `routed_to` says; has no opinion elsewhere."""

    def db_for_read(self, model: object, **hints: object) -> str | None:
        """Return the alias, if one was named."""
        return _alias.get()

    db_for_write = db_for_read
