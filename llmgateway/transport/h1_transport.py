"""The fast transport: HTTP/1.1 on asyncio and httptools, with a pool of its own.

A call that finds a connection waits on one future until its answer's head is there, and on none
if the body came with it. Bound to one event loop.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import partial

from llmgateway.errors import UpstreamTimeout
from llmgateway.transport.dial import Dialer, Resolver, resolve_by_system
from llmgateway.transport.faults import Progress, translate
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.h1_connection import H1Connection, connect
from llmgateway.transport.h1_request import Heads, write_at_once, write_request
from llmgateway.transport.h1_response import H1Response
from llmgateway.transport.limits import Phase
from llmgateway.transport.pool import Lease, Pool, PoolBounds
from llmgateway.transport.tls import trusted_by_system
from llmgateway.transport.url import Origin
from llmgateway.transport.wheel import NEVER, TaskLimit
from llmgateway.types.upstream import UpstreamRequest


class H1Transport:
    """Sends requests over HTTP/1.1, to where its policy lets it; see `transport.base.Transport`."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        bounds: PoolBounds | None = None,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = resolve_by_system,
    ) -> None:
        self._dialer = Dialer(policy, resolver)
        self._tls = ssl_context and _offering(ssl_context)
        self._pool: Pool[H1Connection] = Pool(bounds or PoolBounds())
        self._heads = Heads()
        self._loop = asyncio.get_running_loop()

    async def send(self, request: UpstreamRequest) -> H1Response:
        """Send one request and return when the response head has arrived.

        Raises a `TransportError`, `InvalidRequest` for what cannot be sent as HTTP, and whatever
        the request's body iterator raises. `UpstreamTooLarge` comes at once if the response
        announces more than `max_body_bytes`. The response must be closed.
        """
        origin, head = self._heads.encode(request)
        limits = request.timeouts
        ends_at = NEVER
        if request.deadline is not None:
            left_s = request.deadline - time.monotonic()
            if left_s <= 0:
                raise _too_late(origin, Phase.TOTAL)
            # A loop's clock need not be the monotonic one (uvloop's stands still within a tick).
            ends_at = self._loop.time() + left_s
        lease = self._pool.try_lease(origin)
        if lease is None:
            lease = await self._open(origin, limits.connect_s, ends_at)
        try:
            connection = lease.connection
            connection.begin(request.method == "HEAD", lease.reused, ends_at)
            if not write_at_once(connection, request.body, head):
                await write_request(connection, request, head)
            answers = connection.answers
            while not answers.is_head_done:
                connection.check()
                # Nothing less than a head or a fault ends the wait: the limit is for all of it.
                await connection.wait(Phase.HEAD, limits.first_byte_s)
            return H1Response(lease, request)
        except BaseException:
            lease.close()
            raise

    async def aclose(self) -> None:
        """Close the idle connections; those in use close with their responses."""
        self._pool.close()

    @property
    def in_use(self) -> int:
        """How many calls hold a connection or wait for one."""
        return self._pool.in_use

    @property
    def idle(self) -> int:
        """How many connections are kept for the next calls."""
        return self._pool.idle

    async def _open(self, origin: Origin, connect_s: float, ends_at: float) -> Lease[H1Connection]:
        """Wait for a slot, and connect if no connection is left over; all within one limit."""
        left_s = ends_at - self._loop.time()
        limit = TaskLimit()
        phase = Phase.SLOT
        lease: Lease[H1Connection] | None = None
        try:
            with limit.within(min(connect_s, left_s)):
                tls = await self._context() if origin.scheme == "https" else None
                lease = await self._pool.lease(origin, partial(H1Connection, origin))
                if not lease.reused:
                    phase = Phase.CONNECT
                    lease.connection = await self._connect(origin, tls)
            return lease
        except BaseException as exc:
            if lease is not None:
                lease.close()
            if isinstance(exc, TimeoutError):
                raise _too_late(origin, Phase.TOTAL if left_s < connect_s else phase) from exc
            raise
        finally:
            limit.close()

    async def _connect(self, origin: Origin, tls: ssl.SSLContext | None) -> H1Connection:
        try:
            return await connect(origin, self._dialer, tls)
        except OSError as exc:
            error = translate(exc, Progress(origin, reused=False, answered=False))
            assert error is not None, "every OSError is in the table"
            raise error from exc

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # It reads some 150 files.
            self._tls = _offering(await asyncio.to_thread(trusted_by_system))
        return self._tls


def _offering(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    return context


def _too_late(origin: Origin, phase: Phase) -> UpstreamTimeout:
    return UpstreamTimeout(phase.value.format(host=origin.authority))
