"""The table of what is proven where names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import tests.transport

HERE = Path(__file__).parent
TABLE = tests.transport.__doc__ or ""


def defined_in(module: Path) -> set[str]:
    """Return the names of a module's functions."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)}


def test_each_test_of_the_table_is_there() -> None:
    named = re.findall(r"\b(\w+)\.(test_\w+)", TABLE)
    lost = [
        f"{module}.{test}"
        for module, test in named
        if test not in defined_in(HERE / f"test_{module}.py")
    ]

    assert len(named) > 30
    assert [] == lost


def test_each_module_of_other_suites_is_there() -> None:
    named = re.findall(r"\b(\w+/test_\w+)", TABLE)

    assert len(named) > 5
    assert [] == [path for path in named if not (HERE.parent / f"{path}.py").exists()]
