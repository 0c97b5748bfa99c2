"""HTTP/1.1 as httpcore speaks it, on one stream of ours."""

from __future__ import annotations

import httpcore

from llmgateway.transport.limits import Stopwatch
from llmgateway.transport.message import Message
from llmgateway.transport.network import Bound, Stream
from llmgateway.transport.proxy import PROXY_AUTHENTICATION_REQUIRED, Proxy, refused_by_proxy
from llmgateway.transport.url import Origin


class Http1:
    """One connection to an origin, or to a proxy that reads the requests; see `exchange.Http`."""

    def __init__(self, origin: Origin, stream: Stream, proxy: Proxy | None) -> None:
        self._stream = stream
        self._proxy = proxy
        self._http = httpcore.AsyncHTTP11Connection(
            httpcore.Origin(origin.scheme.encode(), origin.host.encode(), origin.port), stream
        )
        self._received_before = stream.received

    @property
    def answered(self) -> bool:
        """Whether any byte of an answer has come."""
        return self._stream.received > self._received_before

    async def ask(self, message: Message, watch: Stopwatch, write_s: float) -> httpcore.Response:
        """Send a request; return when the response head has arrived."""
        self._received_before = self._stream.received
        self._stream.expect_head()
        answer = await self._http.handle_async_request(self._request(message, watch, write_s))
        if self._proxy is not None and answer.status == PROXY_AUTHENTICATION_REQUIRED:
            raise refused_by_proxy(message.origin, answer.status)
        return answer

    def expect_body(self, length: int | None, *, chunked: bool, bound: Bound) -> None:
        """Say how the body is framed, and what bounds each wait for more of it."""
        self._stream.expect_body(length, chunked=chunked, bound=bound)

    def ended_cleanly(self) -> bool:
        """Tell whether the last exchange leaves the connection fit for another one."""
        return self._http.is_idle() and self._stream.ended_cleanly()

    def is_reusable(self) -> bool:
        """Tell whether the last exchange ended well and nothing has come since."""
        return self._http.is_available() and not self._http.has_expired()

    def _request(self, message: Message, watch: Stopwatch, write_s: float) -> httpcore.Request:
        """Return the request as httpcore takes it: nothing is added to it but what proxies need."""
        origin, target, headers = message.origin, message.target, message.headers
        if self._proxy is not None:
            target = str(origin).encode("ascii") + target
            headers = [*headers, *self._proxy.authorization]
        return httpcore.Request(
            message.method,
            httpcore.URL(
                scheme=origin.scheme.encode(),
                host=origin.host.encode(),
                port=origin.port,
                target=target,
            ),
            headers=headers,
            content=message.body,
            extensions={"timeout": {"write": write_s}, "trace": watch.trace},
        )
