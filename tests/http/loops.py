"""An event loop in a thread of its own: where servers run while a test blocks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SOON_S = 10.0
"""How long a test waits for what should happen at once; generous, since machines are shared."""


class LoopThread:
    """Runs an event loop until it is closed; what still runs on it then is cancelled."""

    def __init__(
        self, name: str, new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    ) -> None:
        self._new_loop = new_loop
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()
        assert self._ready.wait(SOON_S)

    @property
    def alive(self) -> bool:
        """Whether the loop still does what it is told."""
        return self._thread.is_alive() and self.run(_yes())

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = SOON_S) -> T:
        """Run a coroutine on the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout_s)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function on the loop, some time soon."""
        self.loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """End the loop and its thread."""
        self.call(self._stop.set)
        self._thread.join(SOON_S)
        assert not self._thread.is_alive()

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()


async def _yes() -> bool:
    return True
