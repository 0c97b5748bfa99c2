"""One request on one connection: who holds it, how far it has come, and how it ends."""

from __future__ import annotations

import ssl

import httpcore

from llmgateway.transport.dial import Dialer
from llmgateway.transport.faults import Progress, translate
from llmgateway.transport.limits import Phase, Stopwatch
from llmgateway.transport.message import Body, Message
from llmgateway.transport.network import GuardedBackend, Stream
from llmgateway.transport.pool import Lease
from llmgateway.transport.url import Origin
from llmgateway.types.upstream import UpstreamRequest


class Connection:
    """One connection of the pool: httpcore's, and the stream under it."""

    def __init__(self, origin: Origin, dialer: Dialer, tls: ssl.SSLContext | None) -> None:
        self.backend = GuardedBackend(origin.scheme, dialer)
        self.http = httpcore.AsyncHTTPConnection(
            httpcore.Origin(origin.scheme.encode(), origin.host.encode(), origin.port),
            ssl_context=tls,
            network_backend=self.backend,
        )

    def is_reusable(self) -> bool:
        """Tell whether the last exchange ended well and nothing has come since."""
        return self.http.is_available() and not self.http.has_expired()

    def abort(self) -> None:
        """Close it at once."""
        self.backend.abort()


class Exchange:
    """One request and what has become of it: who holds which connection, since when."""

    def __init__(self, message: Message, request: UpstreamRequest) -> None:
        self.message = message
        self.max_body_bytes = request.max_body_bytes
        self.watch = Stopwatch(message.origin.authority, request.timeouts, request.deadline)
        self._write_s = request.timeouts.idle_s
        self._lease: Lease[Connection] | None = None
        self._received_before = 0

    @property
    def lease(self) -> Lease[Connection]:
        """The connection in use, from `begin` on."""
        assert self._lease is not None
        return self._lease

    @property
    def stream(self) -> Stream:
        """The stream of the connection, once it was made."""
        stream = self.lease.connection.backend.stream
        assert stream is not None
        return stream

    def begin(self, lease: Lease[Connection]) -> None:
        """Take over a connection, to be made or made before."""
        self._lease = lease
        if lease.reused:
            self._received_before = self.stream.received
            self.stream.expect_head()
        self.watch.enter(Phase.CONNECT)

    def for_httpcore(self) -> httpcore.Request:
        """Return the request as httpcore takes it: nothing is added to it."""
        origin, body = self.message.origin, self.message.body
        return httpcore.Request(
            self.message.method,
            httpcore.URL(
                scheme=origin.scheme.encode(),
                host=origin.host.encode(),
                port=origin.port,
                target=self.message.target,
            ),
            headers=self.message.headers,
            content=body,
            extensions={"timeout": {"write": self._write_s}, "trace": self.watch.trace},
        )

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
        stream = None if self._lease is None else self._lease.connection.backend.stream
        return stream is not None and stream.received > self._received_before
