"""Imports that wait for their first use: in one thread at a time.

Two threads that import one module wait for each other by the interpreter's locks of modules. Below
gevent these are gevent's, which lose wake-ups between real threads: both may wait for ever.
"""

from __future__ import annotations

import os
import sys
import threading
from _queue import SimpleQueue  # gevent replaces the name in `queue`; this one is real
from importlib import import_module
from typing import Any

__all__ = ["import_late"]

_whole: set[str] = set()
"""What has been imported to its end."""


def import_late(name: str) -> Any:
    """Return a module, imported at the first call. Raises `ImportError`. Safe from any thread."""
    module = sys.modules.get(name)
    if module is not None and name in _whole:
        return module
    with _turn:
        module = import_module(name)
        _whole.add(name)
        return module


class _Turn:
    """Whose turn it is; a thread that has it may take it again, in whatever greenlet of it."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """Let go, in a process that was forked: the thread that had the turn is not here."""
        self._token: SimpleQueue[None] = SimpleQueue()
        self._token.put(None)
        self._holder = 0
        self._depth = 0

    def __enter__(self) -> None:
        me = threading.get_native_id()
        if self._holder != me:
            self._token.get()
            self._holder = me
        self._depth += 1

    def __exit__(self, *exc_info: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._holder = 0
            self._token.put(None)


_turn = _Turn()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_turn.start_anew)
