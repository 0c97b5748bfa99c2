"""Ends reads that take too long in all: a socket's own time limit begins anew with each byte."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from llmgateway.transport.forks import at_fork

__all__ = ["Watch", "watch"]

_TURN_S = 1.0
"""How often it looks, and so how long a thread of it lives on without work."""


class Interruptible(Protocol):
    """A read that another thread can end."""

    def interrupt(self) -> None:
        """Let it come to its end."""
        ...


class Watch:
    """Interrupts what is overdue, from a thread that is there only while something is read."""

    def __init__(self) -> None:
        self._due: dict[Interruptible, float] = {}
        self._runs = False

    def begin(self, read: Interruptible, within_s: float) -> None:
        """Watch a read until its `end`."""
        self._due[read] = time.monotonic() + within_s
        if not self._runs:
            self._runs = True
            threading.Thread(target=self._main, name="llmgateway-watch", daemon=True).start()

    def end(self, read: Interruptible) -> bool:
        """Tell whether a read has ended in time; only one of both ends takes it out."""
        return self._due.pop(read, None) is not None

    def forget(self) -> None:
        """Leave all to the process that this one was forked from."""
        self._due = {}
        self._runs = False

    def _main(self) -> None:
        never = threading.Event()
        left_s = min(self._due.copy().values(), default=0.0) - time.monotonic()
        while True:
            never.wait(min(max(left_s, 0.0), _TURN_S))
            now = time.monotonic()
            for read, due in self._due.copy().items():
                if due <= now and self.end(read):
                    read.interrupt()
            if not self._due:
                self._runs = False
                if not self._due:  # what began before it could see that is seen here
                    return
                self._runs = True
            left_s = min(self._due.copy().values(), default=now) - now


watch = Watch()
"""The process's one."""

at_fork(after_in_child=watch.forget)
