"""A streamed body on its way from the loop to a thread, within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from llmgateway.errors import StreamAborted
from llmgateway.runtime.threads import Threads
from llmgateway.transport.wheel import TaskLimit
from llmgateway.types.http import ByteStream

MAX_PIECES = 64
"""How many pieces of a stream wait for its reader."""
MAX_BYTES = 64 * 1024
"""How many bytes of them; the piece that reaches it is the last."""

_CLOSE_S = 1.0
"""How long closing waits for the provider's connection to be closed."""

Post = Callable[..., None]


class Pipe:
    """The queue between the loop, which fills it, and one thread, which empties it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, threads: Threads, post: Post) -> None:
        self._loop = loop
        self._post = post
        self._lock = threads.lock()
        self._waiter = threads.waiter()
        self._pieces: list[bytes] = []
        self._size = 0
        self._reader_waits = False
        self._room: asyncio.Future[None] | None = None
        self.ended = False
        self._broken = False

    # ---- on the loop

    async def fill(self, body: ByteStream, stalled_s: float) -> None:
        """Put the whole body through. A reader that takes nothing for so long is given up."""
        whole = False
        limit = TaskLimit()
        try:
            async with aclosing(body):
                async for piece in body:
                    room = self._put(piece)
                    if room is not None:
                        with limit.within(stalled_s):
                            await room
            whole = True
        except (StreamAborted, TimeoutError):
            pass
        finally:
            limit.close()
            self._end(broken=not whole)

    def _put(self, piece: bytes) -> asyncio.Future[None] | None:
        """Queue a piece; returns what to wait for if no more should come just now."""
        room: asyncio.Future[None] | None = None
        with self._lock:
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size >= MAX_BYTES or len(self._pieces) >= MAX_PIECES:
                room = self._room = self._loop.create_future()
            waits, self._reader_waits = self._reader_waits, False
        if waits:
            self._waiter.wake()
        return room

    def _end(self, *, broken: bool) -> None:
        with self._lock:
            self.ended = True
            self._broken = broken
        self._waiter.wake()

    def _make_room(self, room: asyncio.Future[None]) -> None:
        if not room.done():
            room.set_result(None)

    # ---- in the thread

    def take(self) -> bytes:
        """Wait for what comes next and return all that is there."""
        while True:
            with self._lock:
                pieces, self._pieces = self._pieces, []
                self._size = 0
                room, self._room = self._room, None
                if not pieces:
                    if self.ended:
                        raise StreamAborted if self._broken else StopIteration
                    self._reader_waits = True
            if room is not None:
                self._post(self._make_room, room)
            if pieces:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._waiter.wait()

    def wait_for_end(self) -> None:
        """Wait until nothing is put any more, within a bound."""
        until = time.monotonic() + _CLOSE_S
        while not self.ended and (left := until - time.monotonic()) > 0:
            self._waiter.wait(left)

    def post(self, callback: Callable[[], Any]) -> None:
        """Call something on the loop."""
        self._post(callback)


class SyncStream:
    """The reader's end of a pipe: an iterator of bytes, to be closed. For one thread at a time.

    What has come meanwhile is returned in one: a reader that is slow gets larger pieces.
    """

    __slots__ = ("_cancel", "_closed", "_pipe")

    def __init__(self, pipe: Pipe, cancel: Callable[[], None]) -> None:
        self._pipe = pipe
        self._cancel = cancel
        self._closed = False

    def __iter__(self) -> SyncStream:
        return self

    def __next__(self) -> bytes:
        if self._closed:
            raise StopIteration
        try:
            return self._pipe.take()
        except (StopIteration, StreamAborted):
            raise
        except BaseException:
            self._give_up()
            raise

    def close(self) -> None:
        """Stop early and wait until the provider's connection is closed; idempotent."""
        if self._give_up():
            self._pipe.wait_for_end()

    def _give_up(self) -> bool:
        """Have the loop stop; tells whether it had not."""
        if self._closed or self._pipe.ended:
            self._closed = True
            return False
        self._closed = True
        self._pipe.post(self._cancel)
        return True

    def __del__(self) -> None:
        # Wherever the collector runs, so nothing is waited for.
        self._give_up()
