"""A request's body that can only be read by blocking, asked for piece by piece from the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from llmgateway.types.http import ArrivingBody

__all__ = ["BlockingBody"]


class BlockingBody(ArrivingBody):
    """A body that is read in the thread which waits for the answer, one piece at a time.

    `read` returns the next piece, and nothing at the end. It is called only once a piece is
    wanted, so no more than one is ever held, and a body that is refused is not read at all.
    `interrupt`, where there is a way, ends a `read` of another thread whose piece nobody wants.
    """

    __slots__ = ("_ask", "_asked", "_late", "_waiting", "interrupt", "read")

    def __init__(
        self, read: Callable[[], bytes], interrupt: Callable[[], None] | None = None
    ) -> None:
        self.read = read
        self.interrupt = interrupt
        self._ask: Callable[[], None] | None = None
        self._asked = False
        self._waiting: asyncio.Future[bytes] | None = None
        self._late: bytes | BaseException | None = None

    def attach(self, ask: Callable[[], None]) -> None:
        """Set what has the next piece read; a runtime does so before the body is used."""
        self._ask = ask

    async def __anext__(self) -> bytes:
        if self._ask is None:
            raise RuntimeError("A BlockingBody is read by a runtime only: hand it to its handle().")
        piece: bytes
        late, self._late = self._late, None
        if late is None:
            waiting = self._waiting = asyncio.get_running_loop().create_future()
            if not self._asked:
                self._asked = True
                self._ask()
            piece = await waiting
        elif isinstance(late, bytes):
            piece = late
        else:
            raise late
        if piece:
            return piece
        self._late = b""
        raise StopAsyncIteration

    def give(self, piece: bytes | BaseException) -> None:
        """Hand over what was read; on the loop. Keeps it if nobody waits for it any more."""
        self._asked = False
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            self._late = piece
        elif isinstance(piece, bytes):
            waiting.set_result(piece)
        else:
            waiting.set_exception(piece)
