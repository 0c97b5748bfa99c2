"""Streams end soon after the client key that opened them is revoked.

What a stream does at its end is its own; here stands when the keys are asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial

from llmgateway.engine.outcome import Streamed
from llmgateway.errors import InvalidAPIKey, StoreUnavailable
from llmgateway.redaction import redacting_logger
from llmgateway.stores import KeyStore
from llmgateway.transport.perloop import PerLoop

logger = redacting_logger(__name__)

CHECK_EVERY_S = 2.0
"""From one round to the next. A store may take as long again, and streams still end within 5 s."""
_SOON_S = 0.5
"""The same for a stream that was long in coming: its key may have been revoked meanwhile."""
_BATCH = 100
"""Keys asked for at once, so that a store's statement stays short."""


class LiveStreams:
    """The streams whose callers are known by a client key, on all event loops of a process.

    A stream costs an entry while it is open, and its pieces cost nothing. Each loop looks at its
    own streams: one timer for all, one question for each key, and neither while none is open.
    """

    def __init__(self, keys: KeyStore) -> None:
        self._rounds = PerLoop(lambda loop: _Rounds(loop, keys))

    def watch(self, digest: str, stream: Streamed, age_s: float) -> Callable[[], None]:
        """End a stream of the running loop once no key in force has this digest.

        `age_s` is how long ago the key was asked for. Call what is returned when the stream ends.
        """
        return self._rounds.get(asyncio.get_running_loop()).add(digest, stream, age_s)


class _Rounds:
    """Asks for the keys of one loop's streams, round after round, while there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop, keys: KeyStore) -> None:
        self._loop = loop
        self._keys = keys
        self._streams: dict[str, set[Streamed]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None

    def add(self, digest: str, stream: Streamed, age_s: float) -> Callable[[], None]:
        self._streams.setdefault(digest, set()).add(stream)
        self._arm(CHECK_EVERY_S if age_s < CHECK_EVERY_S else _SOON_S)
        return partial(self._discard, digest, stream)

    def _discard(self, digest: str, stream: Streamed) -> None:
        streams = self._streams.get(digest)
        if streams is None:
            return
        streams.discard(stream)
        if not streams:
            del self._streams[digest]
        if not self._streams:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._task is not None:
                self._task.cancel()

    def _arm(self, delay_s: float) -> None:
        if self._task is not None:
            return  # at its end it arms the next one
        due = self._loop.time() + delay_s
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        # It outlives the request that happens to set it, whose context it must not keep.
        self._timer = self._loop.call_at(due, self._begin, context=Context())

    def _begin(self) -> None:
        self._timer = None
        self._task = self._loop.create_task(self._look())
        # Not in a `finally`: a task that is cancelled before its first step runs none.
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._streams:
            self._arm(CHECK_EVERY_S)

    async def _look(self) -> None:
        digests = list(self._streams)
        try:
            for start in range(0, len(digests), _BATCH):
                for digest in await self._lacking(digests[start : start + _BATCH]):
                    # Once more by itself: a store that cannot tell of all may answer for some.
                    if await self._lacking([digest]):
                        await self._cut(digest)
        except Exception:  # a store's own fault, which must not end the rounds
            logger.exception("The keys of open streams could not be looked up.")

    async def _lacking(self, digests: Sequence[str]) -> Sequence[str]:
        """Return those that no key has; none where the store cannot tell."""
        try:
            found = {key.digest for key in await self._keys.find(digests)}
        except StoreUnavailable:
            return ()
        return [digest for digest in digests if digest not in found]

    async def _cut(self, digest: str) -> None:
        for stream in tuple(self._streams.get(digest, ())):
            await stream.cut(InvalidAPIKey("The API key was revoked."))
            self._discard(digest, stream)
