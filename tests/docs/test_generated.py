"""What the code knows best is written by the code, and what is committed is up to date."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.docs.pages import DOCS, pages
from tests.guards.tree import ROOT

_MARKER = re.compile(r"<!-- (generated: |end of )([\w-]+) -->")


def test_the_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr), "run `make docs`"


def test_the_page_of_providers_is_up_to_date() -> None:
    from llmgateway.providers import builtin
    from llmgateway.providers.docs import markdown

    assert markdown(builtin()) == (DOCS / "providers.md").read_text(encoding="utf-8"), (
        "run `make docs`"
    )


def test_every_generated_part_has_an_end() -> None:
    for page in pages():
        markers = _MARKER.findall(page.read_text(encoding="utf-8"))
        begins = [name for kind, name in markers if kind == "generated: "]
        ends = [name for kind, name in markers if kind == "end of "]

        assert begins == ends, page.name
