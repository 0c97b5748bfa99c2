"""Floors 0 and 1 wait for nothing and know no clock, no chance and no environment.

Whoever calls them hands these in, so that each of their functions is a table of cases.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.guards.tree import files, place, python_files, syntax

PURE = ("codecs", "config", "errors", "pricing", "redaction", "settings", "signing", "types")

_IMPURE_MODULES = {
    "asyncio": "waits",
    "os": "environment",
    "random": "chance",
    "secrets": "chance",
    "socket": "I/O",
    "threading": "waits",
    "time": "clock",
    "uuid": "chance",
}
_CLOCK_METHODS = {"now", "today", "utcnow"}


def impurities(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield each node that waits, or reads a clock, chance or the environment, and which."""
    for node in ast.walk(tree):
        match node:
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield node, "await"
            case ast.Import(names=aliases):
                yield from ((node, why) for a in aliases if (why := _impure(a.name)))
            case ast.ImportFrom(module=str(module)) if why := _impure(module):
                yield node, why
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)):
                if attr in _CLOCK_METHODS and ast.unparse(owner).split(".")[-1] in (
                    "date",
                    "datetime",
                ):
                    yield node, "clock"


def _impure(module: str) -> str | None:
    return _IMPURE_MODULES.get(module.partition(".")[0])


def test_the_lower_floors_are_pure() -> None:
    folders = [f"llmgateway/{part}" for part in PURE]
    modules = [f for f in files("llmgateway") if f.parent.name == "llmgateway" and f.stem in PURE]

    found = [
        f"{place(path, node)} {why}"
        for path in [*python_files(*folders), *modules]
        for node, why in impurities(syntax(path))
    ]

    assert [] == found


@pytest.mark.parametrize(
    "code",
    [
        "async def f(): await g()",
        "async def f():\n    async for x in y: pass",
        "import time",
        "from os import environ",
        "import os.path",
        "import random as r",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
    ],
)
def test_each_impurity_is_found(code: str) -> None:
    assert [] != list(impurities(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["from datetime import datetime", "def f(now: datetime): return now", "clock.now()"]
)
def test_what_is_handed_in_is_pure(code: str) -> None:
    assert [] == list(impurities(ast.parse(code)))
