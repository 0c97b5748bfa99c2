"""No file of the project knows the machine that it was written on."""

from __future__ import annotations

import re

import pytest

from tests.guards.tree import ROOT, files, name

# In pieces, so that this file does not find itself.
_MACHINE_PATH = re.compile(r"(?<![\w.~)}\]-])/(?:work|root|home|Users)" + r"/\w")
_SHARED_MATERIAL = "../" + "shared"


def machine_paths(text: str) -> list[str]:
    """Return the paths in `text` that exist on one machine only."""
    return _MACHINE_PATH.findall(text)


def texts() -> dict[str, str]:
    """Return the text of every file of the project by its name; binary files are left out."""
    found = {}
    for path in files("."):
        try:
            found[name(path)] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def test_no_file_names_a_path_of_a_machine() -> None:
    found = {file: paths for file, text in texts().items() if (paths := machine_paths(text))}

    assert {} == found


def test_only_tests_read_material_from_beside_the_project() -> None:
    found = [
        file
        for file, text in texts().items()
        if _SHARED_MATERIAL in text and not file.startswith("tests/")
    ]

    assert [] == found


def test_the_project_was_read() -> None:
    assert {"pyproject.toml", "Makefile", "llmgateway/errors.py"} <= texts().keys()
    assert not [file for file in texts() if file.startswith((".venv/", ".git/"))], ROOT


@pytest.mark.parametrize("folder", ["work", "root", "home", "Users"])
def test_a_path_of_a_machine_is_found(folder: str) -> None:
    assert machine_paths(f"open('/{folder}/someone/file')")
    assert not machine_paths(f"https://example.com/{folder}/someone")
    assert not machine_paths(f"tests/{folder}/someone")
