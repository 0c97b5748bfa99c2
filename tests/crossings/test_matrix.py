"""The matrix of parameters in the docs: made by asking the codecs, and without silent losses."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from tests.docs.pages import DOCS


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The script that writes the generated parts."""
    spec = importlib.util.spec_from_file_location("generate_docs", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rows", ["chat_rows", "embeddings_rows"])
def test_nothing_is_left_out_in_silence(generate: ModuleType, rows: str) -> None:
    silent = [row[0] for row in getattr(generate, rows)() if "nothing" in row]

    assert [] == silent
