"""The pages of the documentation, and the fenced blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.guards.tree import ROOT

DOCS = ROOT / "docs"
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_WRITTEN_ELSEWHERE = {"internals.md"}
"""Pages that are not for users: the map of the code."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    place: str
    """`docs/routing.md:17`, as editors open it."""
    language: str
    label: str
    """What follows the language: a file's name, `output`, or nothing."""
    text: str

    @property
    def first_line(self) -> str:
        """What the block begins with."""
        return self.text.partition("\n")[0]


def pages() -> list[Path]:
    """Return every page that a user reads."""
    written = (path for path in DOCS.glob("*.md") if path.name not in _WRITTEN_ELSEWHERE)
    projects = (ROOT / "example_projects").glob("*/README.md")
    return [ROOT / "README.md", *sorted(written), *sorted(projects)]


def name(page: Path) -> str:
    """Return a page's name from the project's root."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(source):
        language, _, label = match["info"].partition(" ")
        line = source.count("\n", 0, match.start()) + 1
        yield Block(f"{name(page)}:{line}", language, label, match["text"])


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
