"""What the engine takes from outside, so that tests can hand in their own."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from llmgateway.transport.base import Transport


class Random(Protocol):
    """A source of draws."""

    def random(self) -> float:
        """Return a float in [0, 1)."""
        ...


def _new_id() -> str:
    return os.urandom(16).hex()


@dataclass(frozen=True, slots=True)
class World:
    """Network, clocks, sleep and chance."""

    transport: Callable[[], Transport]
    """Returns the transport of the running loop."""
    monotonic: Callable[[], float] = time.monotonic
    time: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Random = field(default_factory=random.SystemRandom)
    new_id: Callable[[], str] = _new_id
