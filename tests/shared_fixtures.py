"""Fixtures of all hosts: a scripted transport, a log, and a loop for those that block.

A conftest that wants them imports them by name.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmgateway.runtime import BackgroundLoop
from llmgateway.stores import MemoryRecords
from tests.scripted import ScriptedTransport

__all__ = ["loop", "records", "transport"]


@pytest.fixture
def loop() -> Iterator[BackgroundLoop]:
    """A loop of the test's own."""
    loop = BackgroundLoop()
    yield loop
    loop.close()


@pytest.fixture
def transport() -> ScriptedTransport:
    """A transport to be given its script."""
    return ScriptedTransport()


@pytest.fixture
def records() -> MemoryRecords:
    """The log of the gateways under test."""
    return MemoryRecords()
