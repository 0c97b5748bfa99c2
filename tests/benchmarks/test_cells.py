"""The requests that the cells send."""

from __future__ import annotations

import json

import pytest

from benchmarks.cells import Cell, cells


@pytest.mark.parametrize("cell", cells(1.0), ids=lambda cell: cell.name)
def test_a_body_has_its_size_and_names_the_model(cell: Cell) -> None:
    body = cell.body("some-model")

    assert abs(len(body) - cell.body_bytes) < 0.05 * cell.body_bytes
    assert "some-model" == json.loads(body)["model"]
    assert ("stream" in json.loads(body)) is (cell.kind != "json")


def test_the_names_differ() -> None:
    names = [cell.name for cell in cells(1.0)]

    assert sorted(set(names)) == sorted(names)


def test_a_paced_stream_lasts_as_long_as_its_cell() -> None:
    paced = cells(2.0)[-1]

    assert ("paced256", 150, "bench-paced-150") == (paced.name, paced.least, paced.model)
