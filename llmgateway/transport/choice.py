"""Which transport carries a request: each origin may have settings of its own.

Transports with equal settings are one and share its connections; others share nothing, so that no
client certificate and no trust is ever used for an origin that it was not set for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache

from llmgateway.errors import UpstreamUnreachable
from llmgateway.settings import Settings, UpstreamTransport
from llmgateway.transport.base import Transport
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.h1_transport import H1Transport
from llmgateway.transport.pool import PoolBounds
from llmgateway.transport.tls import Contexts, TLSFileFault, contexts_for
from llmgateway.transport.url import Origin, split_url
from llmgateway.types.upstream import UpstreamRequest, UpstreamResponse

Make = Callable[[UpstreamTransport, Contexts], Transport]
"""From settings, and the TLS contexts that were made for them, to a transport."""

_REMEMBERED_ORIGINS = 1024


def transport_of(settings: Settings) -> Transport:
    """Return the transport of the running loop that the settings ask for.

    The bounds of connections hold for each distinct `UpstreamTransport` by itself.
    """
    policy = AddressPolicy(settings.upstreams, settings.allow_loopback_upstreams)
    bounds = PoolBounds(per_origin=settings.limits.max_connections_per_origin)

    def make(way: UpstreamTransport, contexts: Contexts) -> Transport:
        if way.client == "h1":
            return H1Transport(policy, bounds=bounds, ssl_context=contexts.upstream)
        return _httpx_transport(way, contexts, policy, bounds)

    general = settings.upstream_transport
    if settings.upstream_transports or general.needs_contexts:
        return Chooser(make, general, settings.upstream_transports)
    return make(general, Contexts())


def _httpx_transport(
    way: UpstreamTransport, contexts: Contexts, policy: AddressPolicy, bounds: PoolBounds
) -> Transport:
    # httpx takes long to import, and most never need it.
    from llmgateway.transport.httpx_transport import HttpxTransport
    from llmgateway.transport.proxy import Proxy

    address = way.proxy_address
    proxy = address and Proxy(Origin(*address.upstream), address.user, contexts.proxy)
    return HttpxTransport(
        policy, bounds=bounds, ssl_context=contexts.upstream, proxy=proxy, http2=way.http2
    )


class Chooser:
    """Sends each request by the transport of its origin; see `transport.base.Transport`.

    Makes a transport when it is first needed. Bound to one event loop.
    """

    def __init__(
        self,
        make: Make,
        general: UpstreamTransport,
        by_origin: Mapping[str, UpstreamTransport],
    ) -> None:
        self._make = make
        self._general = general
        self._by_origin = {split_url(url)[0]: way for url, way in by_origin.items()}
        self._transports: dict[UpstreamTransport, Transport] = {}
        self._closed = False
        # Callers may name origins without end.
        self._way_to = lru_cache(maxsize=_REMEMBERED_ORIGINS)(self._look_up)

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send one request; raises what the chosen transport raises, and for a URL what it would.

        `UpstreamUnreachable` where a file of the settings cannot be used any more.
        """
        url = request.url
        # An authority ends at the first slash at the latest.
        path = url.find("/", url.find("://") + 3)
        way = self._way_to(url if path < 0 else url[:path])
        transport = self._transports.get(way) or await self._open(way)
        return await transport.send(request)

    async def aclose(self) -> None:
        """Close all transports."""
        self._closed = True
        for transport in self._transports.values():
            await transport.aclose()

    def _look_up(self, start: str) -> UpstreamTransport:
        origin: Origin = split_url(start)[0]
        return self._by_origin.get(origin, self._general)

    async def _open(self, way: UpstreamTransport) -> Transport:
        try:
            # They read files.
            contexts = await asyncio.to_thread(contexts_for, way)
        except TLSFileFault as exc:
            raise UpstreamUnreachable(
                "The gateway cannot read the TLS files that it is set up with for this provider;"
                f" its operator must look at `{exc.key}` of `upstream_transport`."
            ) from exc
        # Another call may have been quicker; one that holds no connection needs no closing.
        transport = self._transports.setdefault(way, self._make(way, contexts))
        if self._closed:
            await transport.aclose()
        return transport
