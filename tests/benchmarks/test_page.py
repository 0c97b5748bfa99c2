"""What docs/performance.md names is there, with the defaults that it tells."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmarks.document import PAGE
from llmgateway.cli.server_file import ServerSection
from llmgateway.settings import Limits, Settings
from llmgateway.stores.memory import MemoryRecords
from llmgateway.transport.pool import PoolBounds

_TEXT = PAGE.read_text(encoding="utf-8")
_TUNING = _TEXT[_TEXT.index("## What you can tune") :]
_NAMES = re.compile(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`")
_DEFAULTS = re.compile(r"`((?:max|connect)_\w+)`, ([\d,]+)(?: (MiB|KiB|s))?")


def test_every_setting_that_is_named_exists() -> None:
    known = {*Settings.model_fields, *Limits.model_fields, *ServerSection.model_fields}
    named = set(_NAMES.findall(_TUNING)) - {"override_params"}

    assert len(named) >= 10
    assert set() == named - known


def told() -> list[tuple[str, int]]:
    """Return the defaults of limits that the page tells."""
    found = _DEFAULTS.findall(_TUNING)
    units = {"MiB": 2**20, "KiB": 2**10, "s": 1, "": 1}
    return [(name, int(number.replace(",", "")) * units[unit]) for name, number, unit in found]


@pytest.mark.parametrize(("name", "default"), told())
def test_the_defaults_of_limits_are_the_true_ones(name: str, default: int) -> None:
    limits: dict[str, Any] = Limits().model_dump()

    assert default == limits[name]


def test_the_fixed_bounds_are_the_true_ones() -> None:
    bounds = PoolBounds()

    assert 9 == len(told())
    assert f"{bounds.total:,} to all providers together" in _TUNING
    assert f"for {bounds.idle_s:g} s when unused, {bounds.idle} of them at most" in _TUNING
    assert f"newest {MemoryRecords()._limit:,} records" in _TUNING
