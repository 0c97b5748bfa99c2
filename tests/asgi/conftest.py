"""An ASGI server that does exactly as a test says, and a gateway with a scripted transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.stores import MemoryRecords
from llmgateway_asgi.app import Message, Scope
from llmgateway_asgi.front import ASGIApp
from tests.scripted import ScriptedTransport
from tests.shared_fixtures import records, transport

__all__ = ["records", "transport"]

SETTINGS = {"access": "local"}


def chat_scope(path: str = "/v1/chat/completions", **changes: Any) -> Scope:
    """Return the scope of a chat request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"x-portkey-provider", b"openai"),
            (b"authorization", b"Bearer sk-own"),
        ],
        "client": ("127.0.0.1", 5),
        **changes,
    }


BODY = orjson.dumps({"model": "m", "messages": []})
STREAMED = orjson.dumps({"model": "m", "messages": [], "stream": True})


@dataclass
class Server:
    """One exchange: what the app receives is put in, what it sends is kept."""

    app: ASGIApp
    inbox: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    sent: list[Message] = field(default_factory=list)
    on_send: Callable[[Message], Any] | None = None
    """Called with each message before it is kept; awaited if it can be."""

    def gives(self, *bodies: bytes, more: bool = False) -> Server:
        """Let the client send its body in these pieces."""
        for index, body in enumerate(bodies):
            follows = more or index + 1 < len(bodies)
            self.inbox.put_nowait({"type": "http.request", "body": body, "more_body": follows})
        return self

    def leaves(self) -> Server:
        """Let the client leave."""
        self.inbox.put_nowait({"type": "http.disconnect"})
        return self

    async def serve(self, scope: Scope) -> Server:
        """Run the app to its end."""
        await self.app(scope, self.inbox.get, self.keep)
        return self

    async def keep(self, message: Message) -> None:
        """Take one message of the app's."""
        if message["type"] == "http.response.cut":
            raise RuntimeError("Servers refuse what they do not know, and go on.")
        if self.on_send is not None:
            waits = self.on_send(message)
            if waits is not None:
                await waits
        self.sent.append(message)

    @property
    def status(self) -> int:
        """The status that was sent."""
        status: int = self.sent[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        """The body that was sent."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def ended(self) -> bool:
        """Whether the body was ended as it should."""
        return self.sent[-1].get("more_body", False) is False and len(self.sent) > 1


@pytest.fixture
def gateway(transport: ScriptedTransport, records: MemoryRecords) -> Gateway:
    """A gateway in local mode."""
    return Gateway(SETTINGS, transport=lambda: transport, records=records)


@pytest.fixture
def impatient(transport: ScriptedTransport, records: MemoryRecords) -> Gateway:
    """The same, but readers have so little time that the machine must not pause meanwhile."""
    settings = {**SETTINGS, "limits": {"stalled_reader_s": 0.05}}
    return Gateway(settings, transport=lambda: transport, records=records)
