"""The registry: a value with all rows, and the door for rows of other packages."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from llmgateway.providers import (
    EntryPointError,
    Option,
    Provider,
    Registry,
    builtin,
    registry,
)


def row(name: str, *options: Option) -> Provider:
    return Provider(name, "https://api.example", {}, "https://docs.example", options=options)


ACME = row("acme")
OTHER = row("other")
ROWS = [ACME, OTHER]
NOT_ROWS = [ACME, "other"]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a package of one entry point, as pip leaves it on the path."""

    def write(value: str) -> None:
        info = tmp_path / "acme_rows-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rows\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[llmgateway.providers]\nacme = {value}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return write


def test_a_registry_is_a_mapping() -> None:
    rows = Registry(ROWS)

    assert ACME is rows.get("acme")
    assert rows.get("unknown") is None
    assert "other" in rows
    assert ["acme", "other"] == list(rows)
    assert ("acme", "other") == rows.names()
    assert ROWS == list(rows.values())
    assert 2 == len(rows)


def test_a_name_stands_once() -> None:
    with pytest.raises(ValueError, match="'acme'"):
        Registry([ACME, row("acme")])


def test_adding_rows_makes_a_new_registry() -> None:
    before = Registry([ACME])
    mine = row("acme")

    after = before.with_rows([mine, OTHER])

    assert (ACME, mine, OTHER) == (before["acme"], after["acme"], after["other"])
    assert ("acme",) == before.names()


def test_the_builtin_registry_is_made_once() -> None:
    assert builtin() is builtin()


def test_headers_lead_to_options() -> None:
    shared, own = Option("region"), Option("zone", header="region", bare_header="x-zone")
    rows = Registry([row("a", shared), row("b", shared, own), row("c")])

    assert {"region": ((("a", "b"), shared), (("b",), own))} == rows.option_headers()
    assert {"x-zone": ((("b",), own),)} == rows.bare_headers()


@pytest.mark.parametrize(("value", "names"), [("ACME", ("acme",)), ("ROWS", ("acme", "other"))])
def test_an_installed_package_brings_rows(
    install: Callable[[str], None], value: str, names: tuple[str, ...]
) -> None:
    install(f"{__name__}:{value}")

    assert names == Registry().discover().names()


def test_nothing_is_loaded_before_it_is_asked_for(install: Callable[[str], None]) -> None:
    install("no.such.module:ROW")

    assert ("acme",) == Registry([ACME]).names()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no.such.module:ROW", "cannot be loaded"),
        (f"{__name__}:NO_SUCH_NAME", "cannot be loaded"),
        (f"{__name__}:NOT_ROWS", "neither a Provider nor an iterable of them"),
        (f"{__name__}:row", "neither a Provider nor an iterable of them"),
    ],
)
def test_a_broken_entry_point_is_named(
    install: Callable[[str], None], value: str, words: str
) -> None:
    install(value)

    with pytest.raises(EntryPointError, match=words) as error:
        Registry().discover()

    assert f"'acme' of acme-rows ({value})" in str(error.value)


def test_an_entry_point_without_a_package_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("acme", "no.such.module:ROW", "llmgateway.providers")
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])

    with pytest.raises(EntryPointError, match="unknown package"):
        Registry().discover()


def test_an_installed_package_cannot_take_a_name_over(install: Callable[[str], None]) -> None:
    install(f"{__name__}:ACME")

    with pytest.raises(EntryPointError, match="'acme'.*exists already"):
        Registry([row("acme")]).discover()
