"""Sends one request through a whole gateway, in front of a provider that follows a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from llmgateway import Gateway
from llmgateway.errors import StreamAborted
from llmgateway.types.http import ByteStream, Headers, HTTPRequest
from tests.codecs.generate_content import schemas as gemini_schemas
from tests.codecs.messages import schemas as messages_schemas
from tests.crossings.closed import check_chat_request
from tests.crossings.doors import DOORS, streaming
from tests.scripted import Scripted, ScriptedTransport, world

JSON = dict[str, Any]

CROSSINGS: Final = (
    ("messages", "google"),
    ("messages", "openai"),
    ("responses", "anthropic"),
    ("responses", "google"),
    ("generate_content", "anthropic"),
    ("generate_content", "openai"),
    ("chat", "anthropic"),
    ("chat", "google"),
)
MODELS: Final = {
    "anthropic": "claude-sonnet-4-5",
    "google": "gemini-3-flash-preview",
    "openai": "gpt-5-mini",
}
_KEYS: Final = {
    "providers": {name: {"api_key": f"key-of-{name}"} for name in MODELS},
    "access": "local",
}
_NO_HEAD: Final[Mapping[str, str]] = {}


@dataclass(frozen=True)
class Answer:
    """What came back, and what had been sent for it."""

    status: int
    raw: bytes
    headers: dict[str, str]
    sent: tuple[bytes, ...]
    is_cut: bool
    """Whether the stream ended badly, so that its connection is cut."""

    @property
    def body(self) -> Any:
        """The answer's JSON."""
        return orjson.loads(self.raw)

    @property
    def asked(self) -> JSON:
        """The request that the provider got."""
        found: JSON = orjson.loads(self.sent[-1])
        return found

    @property
    def dropped(self) -> list[str]:
        """The parameters that are named as left out."""
        return _names(self.headers.get("x-portkey-dropped-params"))

    @property
    def adjusted(self) -> list[str]:
        """The parameters that are named as said otherwise."""
        return _names(self.headers.get("x-portkey-adjusted-params"))


def _names(field: str | None) -> list[str]:
    return field.split(", ") if field else []


async def send(
    door: str,
    provider: str,
    request: JSON,
    *steps: Scripted,
    stream: bool = False,
    head: Mapping[str, str] = _NO_HEAD,
    stored_key: bool = True,
) -> Answer:
    """Send a request; the steps are what the provider answers."""
    transport = ScriptedTransport(*steps)
    settings = _KEYS if stored_key else {"access": "local"}
    gateway = Gateway(settings, transport=lambda: transport, world=world(transport))
    path, query = DOORS[door].path(request.get("model", MODELS[provider]), stream)
    fields = {"content_type": "application/json", "x_portkey_provider": provider, **head}
    body = orjson.dumps(streaming(door, request) if stream else request)
    asked = HTTPRequest("POST", path, query, Headers.of(host="localhost", **fields), body)
    response = await gateway.handle(asked)
    raw, is_cut = await _read(response.body)
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return Answer(response.status, raw, headers, tuple(transport.bodies), is_cut)


async def _read(body: bytes | ByteStream) -> tuple[bytes, bool]:
    """Return a body, and whether the connection is to be cut after it."""
    if isinstance(body, bytes):
        return body, False
    pieces: list[bytes] = []
    try:
        async for piece in body:
            pieces.append(piece)
    except StreamAborted:
        return b"".join(pieces), True
    return b"".join(pieces), False


def whole(raw: bytes) -> Scripted:
    """Return the step of a whole answer."""
    return Scripted(chunks=[raw])


def stream_of(pieces: Iterable[bytes]) -> Scripted:
    """Return the step of a streamed answer."""
    return Scripted(200, list(pieces), {"content-type": "text/event-stream"})


def recut(events: list[bytes], size: int) -> list[bytes]:
    """Return a stream's bytes in pieces of `size`; none at all leaves it as it is."""
    if not size:
        return events
    raw = b"".join(events)
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def _google_request(body: JSON) -> None:
    gemini_schemas.check("GenerateContentRequest", body)


CHECK_REQUEST: Final = {
    "anthropic": messages_schemas.check_request,
    "google": _google_request,
    "openai": check_chat_request,
}
"""Holds what a provider is sent against its closed schema."""
