"""The way to an origin through the operator's HTTP proxy.

An https origin is reached through a tunnel (CONNECT, RFC 9110, section 9.3.6), in which TLS is
the origin's own; requests to an http origin are handed to the proxy with their whole URL (RFC
9112, section 3.2.2). Who uses a proxy leaves it to the proxy where the connection really goes: it
resolves the name. What can be judged on this side still is: an address in the URL, and a name as
far as it resolves here too.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from dataclasses import dataclass, field

import httpcore

from llmgateway.errors import UpstreamProtocolError, UpstreamTooLarge, UpstreamUnreachable
from llmgateway.transport.dial import Dialer, Resolver
from llmgateway.transport.guard import AddressPolicy, is_address
from llmgateway.transport.network import MAX_HEAD_BYTES, Stream
from llmgateway.transport.url import Origin

LOOKUP_S = 1.0
"""How long a name may take to resolve here; then it is the proxy's alone. Networks whose only way
out is a proxy often resolve no foreign names, some by never answering."""

PROXY_AUTHENTICATION_REQUIRED = 407

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})[ \r\n]")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy, and what it must be told."""

    origin: Origin
    user: tuple[str, str] | None = field(default=None, repr=False)
    """Name and password."""
    ssl_context: ssl.SSLContext | None = None
    """For a proxy that is itself spoken to in TLS: https."""

    @property
    def authorization(self) -> list[tuple[bytes, bytes]]:
        """The header field that the proxy asks for, if any. Source: RFC 7617, section 2."""
        if self.user is None:
            return []
        return [(b"Proxy-Authorization", b"Basic " + b64encode(":".join(self.user).encode()))]


class ProxyRoute:
    """Makes connections to origins by way of a proxy."""

    def __init__(self, proxy: Proxy, policy: AddressPolicy, resolver: Resolver) -> None:
        self._proxy = proxy
        self._policy = policy
        self._resolver = resolver
        # Its address is the operator's own choice, so it may be any.
        self._dialer = Dialer(AddressPolicy(frozenset({proxy.origin})), resolver)

    async def connect(self, origin: Origin) -> Stream:
        """Return a stream to `origin`, without its TLS; for http, one to the proxy itself.

        Raises `AddressRefused` before the proxy hears of it, and `UpstreamUnreachable` where there
        is no way through; it never tells the proxy's address, which is nothing to callers.
        """
        await self._judge(origin)
        stream = await self._connect_proxy(origin)
        if origin.scheme == "https":
            try:
                await self._open_tunnel(stream, origin)
            except BaseException:
                stream.abort()
                raise
        return stream

    async def _judge(self, origin: Origin) -> None:
        if origin in self._policy.allowed:
            return
        if is_address(origin.host):
            self._policy.check(origin, (origin.host,))
            return
        try:
            async with asyncio.timeout(LOOKUP_S):
                addresses = await self._resolver(origin.host, origin.port)
        except OSError:
            return
        self._policy.check(origin, addresses)

    async def _connect_proxy(self, origin: Origin) -> Stream:
        proxy = self._proxy
        try:
            stream = await self._dialer.dial(proxy.origin, Stream)
            if proxy.ssl_context is not None:
                await stream.start_tls(proxy.ssl_context, server_hostname=proxy.origin.host)
        except OSError as exc:
            raise UpstreamUnreachable(
                f"The proxy on the way to {origin.authority} could not be reached; the gateway's"
                " operator must check that it is up, and its URL in `upstream_transport`."
            ) from exc
        return stream

    async def _open_tunnel(self, stream: Stream, origin: Origin) -> None:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        target = f"{host}:{origin.port}".encode("ascii")
        fields = [(b"Host", target), *self._proxy.authorization]
        head = b"".join(b"%b: %b\r\n" % pair for pair in fields)
        try:
            await stream.write(b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (target, head))
            status = await _read_status(stream)
        except (httpcore.NetworkError, UpstreamProtocolError, UpstreamTooLarge) as exc:
            raise UpstreamUnreachable(
                f"The proxy on the way to {origin.authority} gave no answer that HTTP knows; the"
                " gateway's operator must check that it takes CONNECT."
            ) from exc
        if not 200 <= status <= 299:
            raise refused_by_proxy(origin, status)


async def _read_status(stream: Stream) -> int:
    """Return the final status of the answer to CONNECT; with 2xx the tunnel begins after it."""
    while True:
        head = await stream.read(MAX_HEAD_BYTES)
        match = _STATUS.match(head)
        if match is None or not head.endswith((b"\n\r\n", b"\n\n")):
            raise UpstreamProtocolError("The proxy's answer is not HTTP/1.1.")
        status = int(match[1])
        if status >= 200:
            return status


def refused_by_proxy(origin: Origin, status: int) -> UpstreamUnreachable:
    """Return the error for what a proxy answered in place of letting a call through."""
    advice = (
        "its user and password in `upstream_transport` are missing or wrong."
        if status == PROXY_AUTHENTICATION_REQUIRED
        else "the gateway's operator must ask why at the proxy."
    )
    return UpstreamUnreachable(
        f"The proxy on the way to {origin.authority} refused with the status {status}; {advice}"
    )
