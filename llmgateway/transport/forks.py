"""Forks of the process, where there are any."""

from __future__ import annotations

import os
from collections.abc import Callable

__all__ = ["at_fork"]


def at_fork(**hooks: Callable[[], object]) -> None:
    """Have functions called at forks, as `os.register_at_fork` does; Windows does not fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(**hooks)
