"""A response over an `H1Connection`: its body decoded under a cap, its connection given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from llmgateway.errors import UpstreamProtocolError
from llmgateway.transport.base import body_too_large, read_whole
from llmgateway.transport.decoding import Decoder, Identity, decoder_for
from llmgateway.transport.h1_connection import H1Connection
from llmgateway.transport.limits import Phase
from llmgateway.transport.pool import Lease
from llmgateway.types.http import Headers
from llmgateway.types.upstream import UpstreamRequest

_OF_THE_CODED_BODY = frozenset({b"content-encoding", b"content-length"})


class H1Response:
    """See `types.upstream.UpstreamResponse`. Read by one task at a time.

    Each piece is all that has come since the last one, so reading cannot keep other calls from
    their turn: after it there is nothing left until the loop has gone round.
    """

    __slots__ = (
        "_answers",
        "_connection",
        "_count",
        "_decoder",
        "_ended",
        "_idle_s",
        "_lease",
        "_max_bytes",
        "_open",
        "headers",
        "status",
    )

    def __init__(self, lease: Lease[H1Connection], request: UpstreamRequest) -> None:
        """Take over a lease whose answer's head has come; raises what is wrong with that."""
        connection = lease.connection
        answers = connection.answers
        max_bytes = request.max_body_bytes
        if max_bytes is not None and (answers.length or 0) > max_bytes:
            raise body_too_large(max_bytes)
        self.status = answers.status
        fields = tuple(answers.fields)
        self._decoder: Decoder | None = None
        if b"content-encoding" in answers.first:
            headers = Headers.lowered(fields)
            decoder = decoder_for(headers.get_all("content-encoding"))
            if not isinstance(decoder, Identity):
                self._decoder = decoder
                fields = tuple(field for field in fields if field[0] not in _OF_THE_CODED_BODY)
        self.headers = Headers.lowered(fields)
        self._lease = lease
        self._connection = connection
        self._answers = answers
        self._idle_s = request.timeouts.idle_s
        self._max_bytes = max_bytes
        self._count = 0
        self._open = True
        self._ended = False
        """Whether the whole body was read."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded body as it arrives; raises a `TransportError` if it is cut."""
        return self

    async def read(self, max_bytes: int) -> bytes:
        """Return the whole decoded body."""
        answers = self._answers
        if self._decoder is not None or not (self._open and answers.complete):
            return await read_whole(self, max_bytes)
        cap = max_bytes if self._max_bytes is None else min(max_bytes, self._max_bytes)
        if answers.size > cap:
            self._cut()
            raise body_too_large(cap)
        data = self._connection.take() if answers.size else b""
        self._finish()
        return data

    def __aiter__(self) -> H1Response:
        return self

    async def __anext__(self) -> bytes:
        try:
            if self._decoder is not None:
                data = await self._decoded(self._decoder)
            else:
                # Every piece of a stream passes here: looked at in place, without a call.
                while not (self._open and self._answers.size) and not self._has_part():
                    await self._connection.wait(Phase.BODY, self._idle_s)
                data = self._take_part()
            if not data:
                raise StopAsyncIteration
            if self._max_bytes is not None:
                self._count += len(data)
                if self._count > self._max_bytes:
                    raise body_too_large(self._max_bytes)
            return data
        except StopAsyncIteration:
            raise
        except BaseException:
            self._cut()
            raise

    async def aclose(self) -> None:
        """Give the connection back if the body was read to its end, else cut it. Idempotent."""
        if self._open:
            self._connection.fail(_closed())
            self._cut()

    async def _decoded(self, decoder: Decoder) -> bytes:
        fed = False
        while True:
            data = decoder.read()
            if data:
                if not fed:
                    # Unfolding waits for nothing, so it must make room for other calls itself.
                    await asyncio.sleep(0)
                return data
            while not self._has_part():
                await self._connection.wait(Phase.BODY, self._idle_s)
            part = self._take_part()
            if not part:
                decoder.close()
                return b""
            decoder.feed(part)
            fed = True

    def _has_part(self) -> bool:
        """Tell whether some of the body has come, or its end; raises what broke it."""
        answers = self._answers
        if self._open:
            if answers.size or answers.complete:
                return True
            fault = answers.fault or self._connection.fault
            if fault is not None:
                raise fault
            return False
        if self._ended:
            return True
        # Not the end: what was closed half-way must not look like a whole body.
        raise _closed()

    def _take_part(self) -> bytes:
        """Return what has come; b"" at the end. The last part gives the connection back."""
        if self._ended:
            return b""
        answers = self._answers
        data = self._connection.take() if answers.size else b""
        if answers.complete:
            self._finish()
        return data

    def _finish(self) -> None:
        """Give the connection back: the whole body has been taken."""
        self._open = False
        self._ended = True
        self._lease.close(self._connection.finish())

    def _cut(self) -> None:
        if self._open:
            self._open = False
            self._lease.close()


def _closed() -> UpstreamProtocolError:
    return UpstreamProtocolError("The response was closed before its end was read.")
