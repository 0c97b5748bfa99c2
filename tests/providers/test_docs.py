"""`docs/providers.md` is what the rows say."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from llmgateway.providers import builtin, docs

PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"


def test_the_committed_page_is_what_the_rows_say() -> None:
    again = "run: python -m llmgateway.providers.docs docs/providers.md"

    assert docs.markdown(builtin()) == PAGE.read_text(encoding="utf-8"), again


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "providers.md"

    assert 0 == docs.main([str(page)])
    assert docs.markdown(builtin()) == page.read_text(encoding="utf-8")


def test_the_command_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == docs.main([])
    assert "usage:" in capsys.readouterr().err


def test_the_module_is_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "providers.md"
    monkeypatch.setattr(sys, "argv", ["docs", str(page)])
    monkeypatch.delitem(sys.modules, docs.__name__)

    with pytest.raises(SystemExit) as end:
        runpy.run_module(docs.__name__, run_name="__main__")

    assert 0 == end.value.code
    assert page.exists()


def test_each_provider_has_a_section_with_its_reference() -> None:
    page = docs.markdown(builtin())

    for row in builtin().values():
        assert f"\n## {row.name}\n" in page
        assert f"<{row.docs}>" in page
