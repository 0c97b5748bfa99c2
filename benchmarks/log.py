"""The database log's figures, each measured in a process of its own: Django is set up once in one.

Left out where Django or a server is absent.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import util
from typing import Any

from benchmarks.processes import Cores, on_core
from benchmarks.results import PageTime, RowCost

__all__ = ["page_times", "row_costs"]

_DATABASES = ("SQLite", "PostgreSQL", "MariaDB")
_NEEDS = ("django", "psycopg", "pymysql")


def row_costs(cores: Cores) -> Iterator[RowCost]:
    """Measure what a row costs on each database that is there."""
    for database in _DATABASES:
        with on_core(cores.stack):
            told = _told("benchmarks.log_rows", database)
        if told is not None:
            yield RowCost(told["database"], tuple(told["cpu_us"]), tuple(told["wall_us"]))


def page_times(rows: int) -> Iterator[PageTime]:
    """Measure the admin's pages of a log of so many rows."""
    for page in _told("benchmarks.log_pages", str(rows)) or ():
        yield PageTime(**page)


def _told(module: str, argument: str) -> Any:
    if any(util.find_spec(name) is None for name in _NEEDS):
        return None
    words = [sys.executable, "-m", module, argument]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None
