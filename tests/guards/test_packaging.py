"""Every package and module that exists is shipped, checked and has its floor."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.guards.tree import ROOT, python_files

NO_FLOOR = {
    "__init__": "the public names, taken from all floors",
    "__main__": "runs the command line",
}
"""Modules of the core that stand on no floor, and why."""


def pyproject() -> dict[str, Any]:
    """Return the project's own description of itself."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def roots() -> set[str]:
    """Return the packages that an installation brings: the core and each shell."""
    shells = {path.parent.name for path in (ROOT / "integrations").glob("*/__init__.py")}
    return {"llmgateway", *shells}


def floors() -> set[str]:
    """Return all modules that the contract of floors names."""
    contracts = pyproject()["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    return set(re.findall(r"[\w.]+", " ".join(layers)))


def test_the_wheel_holds_every_package() -> None:
    wheel = pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert roots() == {package.rpartition("/")[2] for package in wheel}


def test_the_import_linter_watches_every_package() -> None:
    assert roots() == set(pyproject()["tool"]["importlinter"]["root_packages"])


def test_every_module_stands_on_a_floor() -> None:
    core = {
        path.relative_to(ROOT / "llmgateway").parts[0].removesuffix(".py")
        for path in python_files("llmgateway")
    }

    assert set() == {f"llmgateway.{part}" for part in core - NO_FLOOR.keys()} - floors()
    assert set() == roots() - {"llmgateway"} - floors()


def test_every_package_tells_that_it_is_typed() -> None:
    folders = {"llmgateway": ROOT, **dict.fromkeys(roots() - {"llmgateway"}, ROOT / "integrations")}
    untyped = {root for root, where in folders.items() if not (where / root / "py.typed").exists()}

    assert set() == untyped
