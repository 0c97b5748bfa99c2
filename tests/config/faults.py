"""How the tests of this folder read what is wrong with a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from llmgateway.config import Leaf, parse_config
from llmgateway.errors import InvalidConfig


def refusal(raw: bytes | str | Mapping[str, Any]) -> InvalidConfig:
    """Return the error that a config is refused with."""
    with pytest.raises(InvalidConfig) as caught:
        parse_config(raw)
    return caught.value


def faults(raw: bytes | str | Mapping[str, Any]) -> dict[str, str]:
    """Return the faults of a config by their path; a path has at most one."""
    found = refusal(raw).faults

    assert len(found) == len(dict(found)), found
    return dict(found)


def leaf(raw: Mapping[str, Any]) -> Leaf:
    """Return the only leaf of a valid config."""
    (only,) = parse_config(raw).leaves()
    return only


def branch(mode: str, *targets: Mapping[str, Any], **strategy: Any) -> dict[str, Any]:
    """Return a config with a strategy over `targets`."""
    return {"strategy": {"mode": mode, **strategy}, "targets": list(targets)}
