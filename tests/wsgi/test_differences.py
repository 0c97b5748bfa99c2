"""What WSGI hosts leave out of the HTTP suite is named, and is there to be left out."""

from __future__ import annotations

import re

from tests.guards.tree import ROOT
from tests.http.clients import HOSTS


def test_every_difference_names_a_test() -> None:
    paths = list((ROOT / "tests/http").glob("test_*.py"))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    tests = {found for text in texts for found in re.findall(r"^def (test_\w+)", text, re.M)}
    tests |= {path.stem for path in paths}  # a whole module may be left out
    named = {test for host in HOSTS for test in host.differences}

    assert set() == named - tests
