"""The compatible transport: httpx's own engine, httpcore, with our connections and our pool.

What httpx adds on top of httpcore (redirects, cookies, proxy variables, unbounded decoding) is
what a gateway must not do, so httpcore is used as it is. Its connection pool is not: it walks
through all connections for each request (96 ms of CPU per request at 256 in flight, where one
connection costs 0.6), and a call cancelled at the wrong moment keeps its slot for ever.
Bound to one event loop. Importing this module imports httpcore, so it is imported on first use.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from functools import partial

from llmgateway.transport.dial import Dialer, Resolver, resolve_by_system
from llmgateway.transport.exchange import Connection, Exchange, Route
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.limits import Phase
from llmgateway.transport.message import compose
from llmgateway.transport.network import Stream
from llmgateway.transport.pool import Lease, Pool, PoolBounds
from llmgateway.transport.proxy import Proxy, ProxyRoute
from llmgateway.transport.response import Response
from llmgateway.transport.tls import trusted_by_system
from llmgateway.transport.url import Origin
from llmgateway.types.upstream import UpstreamRequest, UpstreamResponse


class HttpxTransport:
    """Sends requests over HTTP/1.1, to where its policy lets it; see `transport.base.Transport`.

    With a `proxy`, by way of that one. With `http2`, in HTTP/2 where TLS agrees on it; a
    connection carries one exchange at a time all the same.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        bounds: PoolBounds | None = None,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = resolve_by_system,
        proxy: Proxy | None = None,
        http2: bool = False,
    ) -> None:
        if proxy is None:
            route = Route(partial(Dialer(policy, resolver).dial, factory=Stream))
        else:
            route = Route(ProxyRoute(proxy, policy, resolver).connect, proxy)
        self._protocols = ["http/1.1"]
        if http2:
            # Its package is optional.
            from llmgateway.transport.http2 import Http2

            route = replace(route, http2=Http2)
            self._protocols = ["h2", "http/1.1"]
        self._route = route
        self._tls = ssl_context and self._offering(ssl_context)
        self._pool: Pool[Connection] = Pool(bounds or PoolBounds())

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request and return when the response head has arrived.

        Raises a `TransportError`, `InvalidRequest` for what cannot be sent as HTTP, and whatever
        the request's body iterator raises. `UpstreamTooLarge` comes at once if the response
        announces more than `max_body_bytes`. The response must be closed.
        """
        message = compose(request)
        exchange = Exchange(message, request)
        try:
            async with exchange.watch.bound(Phase.SLOT):
                await exchange.begin(await self._lease(message.origin))
                answer = await exchange.ask()
            return Response(exchange, answer)
        except BaseException as exc:
            error = exchange.fail(exc)
            if error is exc:
                raise
            raise error from exc

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

    async def _lease(self, origin: Origin) -> Lease[Connection]:
        tls = await self._context() if origin.scheme == "https" else None
        return await self._pool.lease(origin, lambda: Connection(origin, self._route, tls))

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # It reads some 150 files.
            self._tls = self._offering(await asyncio.to_thread(trusted_by_system))
        return self._tls

    def _offering(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.set_alpn_protocols(self._protocols)
        return context
