"""An origin that speaks HTTP/2: h2 as a server, on a provider's connection."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded

from llmgateway.errors import GatewayError
from llmgateway.transport.guard import AddressPolicy
from llmgateway.transport.httpx_transport import HttpxTransport
from tests.transport.conftest import Serve
from tests.transport.provider import PATIENCE_S, Peer, Provider, Script, ask, fetch
from tests.transport.test_tls import NAME, to_this_machine

Fields = Sequence[tuple[str, str]]
OK_HEAD: Fields = [(":status", "200"), ("content-length", "2")]


class H2Peer:
    """One connection in HTTP/2."""

    def __init__(self, peer: Peer, *, strict: bool = True) -> None:
        self.peer = peer
        config = H2Configuration(
            client_side=False,
            header_encoding="ascii",
            validate_outbound_headers=strict,
            normalize_outbound_headers=strict,
        )
        self.h2 = H2Connection(config)
        self.stream_id = 0
        self.head: dict[str, str] = {}

    async def open(self) -> None:
        """Say hello."""
        self.h2.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        """Send what h2 has made."""
        await self.peer.send(self.h2.data_to_send())

    async def events(self) -> list[Event]:
        """Wait for bytes; raises `ConnectionError` at the end."""
        data = await self.peer.take()
        if not data:
            raise ConnectionResetError
        found = self.h2.receive_data(data)
        await self.flush()
        return found

    async def request(self, upto: type[Event] = StreamEnded) -> bytes:
        """Read a request as far as an event of this kind; return its body."""
        body = b""
        while True:
            found = await self.events()
            for event in found:
                if isinstance(event, RequestReceived):
                    self.stream_id = event.stream_id or 0
                    self.head = {str(k): str(v) for k, v in event.headers or ()}
                elif isinstance(event, DataReceived):
                    body += event.data or b""
                    size = event.flow_controlled_length or 0
                    self.h2.acknowledge_received_data(size, self.stream_id)
            await self.flush()
            if any(isinstance(event, upto) for event in found):
                return body

    async def answer(self, head: Fields = OK_HEAD, body: bytes | None = b"ok") -> None:
        """Answer the request; with None in place of a body, leave it open."""
        self.h2.send_headers(self.stream_id, head)
        if body is not None:
            self.h2.send_data(self.stream_id, body, end_stream=True)
        await self.flush()


def h2_script(serve: Callable[[H2Peer], Awaitable[None]], *, strict: bool = True) -> Script:
    """Return the script of a connection in HTTP/2."""

    async def script(peer: Peer) -> None:
        h2_peer = H2Peer(peer, strict=strict)
        await h2_peer.open()
        await serve(h2_peer)

    return script


async def answer_all(peer: H2Peer) -> None:
    """Answer each request of the connection with what it was asked, in short."""
    while True:
        body = await peer.request()
        said = f"{peer.head[':method']} {peer.head[':path']} {len(body)}".encode()
        await peer.answer([(":status", "200"), ("x-a", "1")], said)


def h2_side(certificate: trustme.LeafCert, *protocols: str) -> ssl.SSLContext:
    """The server's side of TLS; without a word it takes nothing but HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(list(protocols or ("h2",)))
    return context


class Http2Origin:
    """An origin in HTTP/2, and a transport that may reach it."""

    def __init__(self, provider: Provider, context: ssl.SSLContext, **more: Any) -> None:
        self.provider = provider
        self.url = f"https://{NAME}:{provider.port}/v1?key=secret"
        self.transport = HttpxTransport(
            AddressPolicy(allow_loopback=True),
            ssl_context=context,
            resolver=to_this_machine,
            http2=True,
            **more,
        )

    async def fetch(self, *args: Any, **more: Any) -> tuple[int, bytes]:
        return await fetch(self.transport, ask(self.url, *args, **more))

    async def fails(self, kind: type[GatewayError], **more: Any) -> GatewayError:
        """Fetch and fail; nothing may be left of it."""
        with pytest.raises(kind) as caught:
            await self.fetch(body=b"secret", **{"first_byte_s": PATIENCE_S, **more})

        assert type(caught.value) is kind
        assert "secret" not in caught.value.message
        assert (0, 0) == (self.transport.in_use, self.transport.idle)
        await self.provider.until(lambda it: it.open == 0)
        return caught.value


Start = Callable[[Callable[[H2Peer], Awaitable[None]]], Awaitable[Http2Origin]]


@pytest.fixture
async def start(
    serve: Serve, authority: trustme.CA, trusting: ssl.SSLContext
) -> AsyncIterator[Start]:
    """Starts an origin that is served so."""
    made: list[Http2Origin] = []

    async def origin(
        script: Callable[[H2Peer], Awaitable[None]], *, strict: bool = True
    ) -> Http2Origin:
        provider = await serve(
            h2_script(script, strict=strict), h2_side(authority.issue_cert(NAME))
        )
        made.append(Http2Origin(provider, trusting))
        return made[-1]

    yield origin
    for one in made:
        await one.transport.aclose()
