"""One request on one connection: who holds it, how far it has come, and how it ends."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import httpcore

from llmgateway.transport.faults import Progress
from llmgateway.transport.http1 import Http1
from llmgateway.transport.httpcore_faults import translate
from llmgateway.transport.limits import Phase, Stopwatch
from llmgateway.transport.message import Body, Message
from llmgateway.transport.network import Bound, Stream
from llmgateway.transport.pool import Lease
from llmgateway.transport.proxy import Proxy
from llmgateway.transport.url import Origin
from llmgateway.types.upstream import UpstreamRequest


class Http(Protocol):
    """A version of HTTP on one connection, one exchange at a time."""

    @property
    def answered(self) -> bool:
        """Whether any part of the last request's answer has come."""
        ...

    async def ask(self, message: Message, watch: Stopwatch, write_s: float) -> httpcore.Response:
        """Send a request; return when the response head has arrived.

        The body of the answer is an async generator. `write_s` bounds each wait while the other
        side takes nothing.
        """
        ...

    def expect_body(self, length: int | None, *, chunked: bool, bound: Bound) -> None:
        """Say how the body is framed, and what bounds each wait for more of it."""
        ...

    def ended_cleanly(self) -> bool:
        """Tell whether the last exchange leaves the connection fit for another one."""
        ...

    def is_reusable(self) -> bool:
        """Tell whether the last exchange ended well and nothing has come since."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """How connections of one transport are made."""

    connect: Callable[[Origin], Awaitable[Stream]]
    """Returns a stream to where the policy lets it, not yet in TLS."""
    proxy: Proxy | None = None
    """Who is in between, if anyone is."""
    http2: Callable[[Stream], Http] | None = None
    """Speaks HTTP/2 where TLS agreed on it; None: it is not offered."""


class Connection:
    """One connection of the pool: the stream, and what is spoken on it."""

    def __init__(self, origin: Origin, route: Route, tls: ssl.SSLContext | None) -> None:
        self.stream: Stream | None = None
        self.http: Http | None = None
        self._origin = origin
        self._route = route
        self._tls = tls

    async def open(self) -> None:
        """Make the connection; raises `TransportError` and `OSError`. The exchange bounds it."""
        origin, route = self._origin, self._route
        self.stream = await route.connect(origin)
        if self._tls is None:
            # A proxy reads requests to http origins, and answers some itself.
            self.http = Http1(origin, self.stream, route.proxy)
            return
        await self.stream.start_tls(self._tls, server_hostname=origin.host)
        agreed = self.stream.get_extra_info("ssl_object").selected_alpn_protocol()
        if route.http2 is not None and agreed == "h2":
            self.http = route.http2(self.stream)
        else:
            self.http = Http1(origin, self.stream, None)

    def is_reusable(self) -> bool:
        """Tell whether the last exchange ended well and nothing has come since."""
        return self.http is not None and self.http.is_reusable()

    def abort(self) -> None:
        """Close it at once."""
        if self.stream is not None:
            self.stream.abort()


class Exchange:
    """One request and what has become of it: who holds which connection, since when."""

    def __init__(self, message: Message, request: UpstreamRequest) -> None:
        self.message = message
        self.max_body_bytes = request.max_body_bytes
        self.watch = Stopwatch(message.origin.authority, request.timeouts, request.deadline)
        self._write_s = request.timeouts.idle_s
        self._lease: Lease[Connection] | None = None

    @property
    def lease(self) -> Lease[Connection]:
        """The connection in use, from `begin` on."""
        assert self._lease is not None
        return self._lease

    @property
    def http(self) -> Http:
        """What is spoken on the connection, once it was made."""
        http = self.lease.connection.http
        assert http is not None
        return http

    async def begin(self, lease: Lease[Connection]) -> None:
        """Take over a connection made before, or make it."""
        self._lease = lease
        self.watch.enter(Phase.CONNECT)
        if not lease.reused:
            await lease.connection.open()

    async def ask(self) -> httpcore.Response:
        """Send the request; return when the response head has arrived."""
        return await self.http.ask(self.message, self.watch, self._write_s)

    def fail(self, exc: BaseException) -> BaseException:
        """Cut the connection; return what to raise in place of `exc`, or `exc` itself."""
        progress = Progress(self.message.origin, self._is_reused(), self._is_answered())
        self.close()
        if isinstance(exc, TimeoutError) and self.watch.expired():
            return self.watch.ran_out()
        body = self.message.body
        if isinstance(body, Body) and body.fault is exc:
            return exc
        return translate(exc, progress) or exc

    def close(self, idle_s: float = 0.0) -> None:
        """Give the connection back for `idle_s`; with 0, cut it. Idempotent."""
        if self._lease is not None:
            self._lease.close(idle_s)

    def _is_reused(self) -> bool:
        return self._lease is not None and self._lease.reused

    def _is_answered(self) -> bool:
        http = None if self._lease is None else self._lease.connection.http
        return http is not None and http.answered
