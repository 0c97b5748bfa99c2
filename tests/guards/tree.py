"""The project's files as the guards read them: where they lie and what their syntax says.

No rule is stated here; each guard states its own.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("llmgateway", "integrations")
EVERYTHING = (*PRODUCT, "tests", "benchmarks", "example_projects", ".ci")
_BUILT = {"__pycache__", "build", "dist", "htmlcov", "node_modules"}
_HIDDEN_BUT_OURS = {".ci", ".github"}


def files(*folders: str) -> list[Path]:
    """Return the files below `folders` of the project, sorted; a missing folder holds none."""
    return sorted(path for folder in folders for path in _walk(ROOT / folder))


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below `folders` of the project."""
    return [path for path in files(*folders) if path.suffix == ".py"]


@cache
def syntax(path: Path) -> ast.Module:
    """Return the syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name(path: Path) -> str:
    """Return the file's name from the project's root: `llmgateway/errors.py`."""
    return path.relative_to(ROOT).as_posix()


def place(path: Path, node: ast.expr | ast.stmt | ast.pattern) -> str:
    """Return where a node stands, as an editor opens it."""
    return f"{name(path)}:{node.lineno}"


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _is_ours(name)]
        yield from (Path(parent, name) for name in names)


def _is_ours(folder: str) -> bool:
    if folder.startswith("."):
        return folder in _HIDDEN_BUT_OURS
    return folder not in _BUILT and not folder.endswith(".egg-info")
