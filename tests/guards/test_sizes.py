"""A function is at most 60 lines long, a file at most 500; an exception has a written reason."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from tests.guards.tree import EVERYTHING, name, python_files, syntax

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 500

LONG_FILES: dict[str, str] = {
    "integrations/llmgateway_django/migrations/0001_initial.py": "written by makemigrations"
}
"""By file: why it may be longer. Pure data tables belong here, each by its name."""

LONG_FUNCTIONS: dict[str, str] = {}
"""By `file:function`: why it may be longer."""


def file_lines(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def function_lines(tree: ast.Module) -> dict[str, int]:
    """Return the lines of each function by name, from `def` to its last line, docstring and all.

    Of functions that share a name, the longest counts.
    """
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own = (node.end_lineno or node.lineno) - node.lineno + 1
            lines[node.name] = max(own, lines.get(node.name, 0))
    return lines


def over(sizes: Mapping[str, int], limit: int) -> dict[str, int]:
    """Return those of `sizes` that are above `limit`."""
    return {what: size for what, size in sizes.items() if size > limit}


def test_no_file_is_too_long() -> None:
    sizes = {name(path): file_lines(path) for path in python_files(*EVERYTHING)}

    assert LONG_FILES.keys() == over(sizes, MAX_FILE_LINES).keys(), "too long, or a stale exception"


def test_no_function_is_too_long() -> None:
    sizes = {
        f"{name(path)}:{function}": lines
        for path in python_files(*EVERYTHING)
        for function, lines in function_lines(syntax(path)).items()
    }

    assert LONG_FUNCTIONS.keys() == over(sizes, MAX_FUNCTION_LINES).keys(), (
        "too long, or a stale exception"
    )


def test_every_exception_has_a_reason() -> None:
    without = [what for what, why in {**LONG_FILES, **LONG_FUNCTIONS}.items() if len(why) < 15]

    assert [] == without


def test_a_function_is_counted_with_its_docstring_and_the_functions_inside() -> None:
    tree = ast.parse(
        "@decorated\ndef outer():\n    '''Say.'''\n    async def inner():\n        pass\n"
    )

    assert {"outer": 4, "inner": 2} == function_lines(tree)
