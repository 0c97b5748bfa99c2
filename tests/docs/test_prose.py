"""The form of the pages: links lead somewhere, and a line holds one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import name, pages, prose
from tests.guards.tree import ROOT

_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TWO_SENTENCES = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?] [A-Z]")
_CODE = re.compile(r"`[^`\n]*`")
LINKED = [*pages(), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"]


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page may be linked by, as forges make it."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(prose(page))
    }


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target, anchor in _LINK.findall(prose(page)):
        there = (page.parent / target).resolve() if target else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(f"{target}#{anchor}")

    assert [] == broken


@pytest.mark.parametrize("page", [p for p in pages() if p.name != "providers.md"], ids=name)
def test_a_line_holds_one_sentence(page: Path) -> None:
    # What stands in code is an example's, not ours.
    lines = _CODE.sub("", prose(page)).splitlines()
    crowded = [line for line in lines if line[:1] != "|" and _TWO_SENTENCES.search(line)]

    assert [] == crowded


def test_every_page_is_linked_from_the_readme() -> None:
    readme = prose(ROOT / "README.md")
    linked = (name(page).removesuffix("README.md") for page in pages()[1:])

    assert [] == [link for link in linked if f"({link}" not in readme]
