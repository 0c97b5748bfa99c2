"""Each request on a loop of its own, within the call: for tests."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

from asgiref.sync import async_to_sync

from llmgateway.errors import StreamAborted
from llmgateway.gateway import Gateway
from llmgateway.runtime.base import SyncByteStream, SyncResponse
from llmgateway.runtime.body import BlockingBody
from llmgateway.types.call import Principal
from llmgateway.types.http import ByteStream, HTTPRequest

__all__ = ["InlineLoop"]

T = TypeVar("T")

MAX_BYTES = 64 * 1024 * 1024


class InlineLoop:
    """Runs each call to its end before it returns, as `asgiref.sync.async_to_sync` does.

    Nothing runs behind a test's back, and database work in thread-sensitive mode runs in the
    calling thread, so that a test's transaction holds. A stream is collected whole, within
    `max_bytes`: a loop for each piece would lose what the first one holds.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""

        async def awaited() -> T:
            return await coroutine

        try:
            return async_to_sync(awaited)()
        finally:
            coroutine.close()

    def handle(
        self, gateway: Gateway, request: HTTPRequest, principal: Principal | None = None
    ) -> SyncResponse:
        """Answer one request; a stream is there whole, and the records are stored."""
        return self.run(self.ahandle(gateway, request, principal))

    async def ahandle(
        self, gateway: Gateway, request: HTTPRequest, principal: Principal | None = None
    ) -> SyncResponse:
        """Do as `handle` does, on a loop that runs for this one call."""
        arriving = request.body
        if isinstance(arriving, BlockingBody):
            arriving.attach(lambda: arriving.give(_read(arriving)))
        try:
            response = await gateway.handle(request, principal)
            body = response.body
            whole = body if isinstance(body, bytes) else await self._collect(body)
            return SyncResponse(response.status, response.headers, whole)
        finally:
            await gateway.aclose()

    async def _collect(self, body: ByteStream) -> SyncByteStream:
        pieces: list[bytes] = []
        left = self._max_bytes
        async with aclosing(body):
            try:
                async for piece in body:
                    pieces.append(piece)
                    left -= len(piece)
                    if left < 0:
                        raise RuntimeError(
                            f"A stream is over {self._max_bytes} bytes, too long for an InlineLoop."
                        )
            except StreamAborted:
                return _Collected(pieces, broken=True)
        return _Collected(pieces, broken=False)


def _read(body: BlockingBody) -> bytes | BaseException:
    try:
        return body.read()
    except Exception as error:
        return error


class _Collected:
    """A stream that is already over."""

    def __init__(self, pieces: list[bytes], *, broken: bool) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._broken = broken

    def __iter__(self) -> _Collected:
        return self

    def __next__(self) -> bytes:
        for piece in self._pieces:
            return piece
        if self._broken:
            raise StreamAborted
        raise StopIteration

    def close(self) -> None:
        """Keep the rest back."""
        self._pieces = iter(())
        self._broken = False
