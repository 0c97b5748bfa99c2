"""Builds the two C programs of the benchmarks: the mock provider and the load generator."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["COMPILER", "Programs", "build"]

COMPILER = shutil.which("gcc")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
_SOURCES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the built programs lie."""

    upstream: Path
    loadgen: Path


def build(folder: Path) -> Programs:
    """Compile both into `folder`; exits with a message where there is no compiler."""
    if COMPILER is None:
        raise SystemExit("The benchmarks need gcc: their upstream and load generator are C.")
    return Programs(_compile(folder, "upstream"), _compile(folder, "loadgen"))


def _compile(folder: Path, name: str) -> Path:
    program = folder / name
    source = _SOURCES / f"{name}.c"
    subprocess.run([str(COMPILER), *_FLAGS, "-o", str(program), str(source)], check=True)
    return program
