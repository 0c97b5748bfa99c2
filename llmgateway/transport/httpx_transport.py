"""The compatible transport: httpx's own engine, httpcore, with our connections and our pool.

What httpx adds on top of httpcore (redirects, cookies, proxy variables, unbounded decoding) is
what a gateway must not do, so httpcore is used as it is. Its connection pool is not: it walks
through all connections for each request (96 ms of CPU per request at 256 in flight, where one
connection costs 0.6), and a call cancelled at the wrong moment keeps its slot for ever.
Bound to one event loop. Importing this module imports httpcore, so it is imported on first use.
"""

from __future__ import annotations

import asyncio
import os
import ssl

import httpcore

from llmgateway.transport.dial import Dialer, Resolver, resolve_by_system
from llmgateway.transport.exchange import Connection, Exchange
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.limits import Phase
from llmgateway.transport.message import compose
from llmgateway.transport.pool import Lease, Pool, PoolBounds
from llmgateway.transport.response import Response
from llmgateway.transport.url import Origin
from llmgateway.types.upstream import UpstreamRequest, UpstreamResponse


class HttpxTransport:
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
        self._tls = ssl_context
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
                exchange.begin(await self._lease(message.origin))
                answer = await exchange.lease.connection.http.handle_async_request(
                    exchange.for_httpcore()
                )
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
        if origin.scheme == "https" and self._tls is None:
            self._tls = await asyncio.to_thread(trusted_by_system)  # reads some 150 files
        return await self._pool.lease(origin, lambda: Connection(origin, self._dialer, self._tls))


def trusted_by_system() -> ssl.SSLContext:
    """Return a TLS context that trusts what the machine trusts, else certifi's list.

    Reads files. `SSL_CERT_FILE` and `SSL_CERT_DIR` are OpenSSL's own and count as the machine's.
    """
    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    if context.cert_store_stats()["x509_ca"] or (folder and os.listdir(folder)):
        return context
    return httpcore.default_ssl_context()
