"""A gateway whose callers state guardrails, and what came of a request to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from llmgateway import Gateway
from llmgateway.errors import StreamAborted
from llmgateway.stores import MemoryDocuments, MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.record import Record
from tests.scripted import Clock, ScriptedTransport, world

CHAT = "/v1/chat/completions"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Apple or Bat?"}]}


@dataclass
class Answered:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    is_cut: bool
    record: Record
    transport: ScriptedTransport
    clock: Clock
    reads: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> Any:
        """The JSON of a whole answer."""
        return orjson.loads(self.raw)

    @property
    def sent(self) -> Any:
        """The body that the provider got last."""
        return orjson.loads(self.transport.bodies[-1])

    @property
    def events(self) -> list[Any]:
        """The data of a stream's events, parsed where they are JSON."""
        found: list[Any] = []
        for block in self.raw.split(b"\n\n"):
            for line in block.splitlines():
                if line.startswith(b"data: "):
                    data = line[6:]
                    found.append(orjson.loads(data) if data.startswith(b"{") else data.decode())
        return found

    @property
    def text(self) -> str:
        """What a chat stream said in its first choice."""
        return "".join(
            choice.get("delta", {}).get("content") or ""
            for event in self.events
            if isinstance(event, dict)
            for choice in event.get("choices", ())
            if choice.get("index", 0) == 0
        )


async def ask(
    config: Mapping[str, Any] | None,
    *script: Any,
    body: Mapping[str, Any] | None = None,
    path: str = CHAT,
    settings: Mapping[str, Any] | None = None,
    documents: MemoryDocuments | None = None,
    query: str = "",
    **head: str,
) -> Answered:
    """Send one request; `config` is put in front of the caller's own key for openai."""
    transport, clock, records = ScriptedTransport(*script), Clock(), MemoryRecords()
    gateway = Gateway(
        {"access": "open", **(settings or {})},
        records=records,
        documents=documents,
        transport=lambda: transport,
        world=world(transport, clock),
    )
    fields = {"content_type": "application/json", "authorization": "Bearer sk-own", **head}
    if config is not None:
        whole = {"provider": "openai", **config}
        fields["x_portkey_config"] = orjson.dumps(whole).decode()
    else:
        fields.setdefault("x_portkey_provider", "openai")
    raw = orjson.dumps(ASKED if body is None else body)
    response = await gateway.handle(HTTPRequest("POST", path, query, Headers.of(**fields), raw))
    reads: list[bytes] = []
    is_cut = False
    if isinstance(response.body, bytes):
        reads.append(response.body)
    else:
        try:
            async for piece in response.body:
                reads.append(piece)
        except StreamAborted:
            is_cut = True
    await gateway.aclose()
    (record,) = records.all()
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return Answered(
        response.status, headers, b"".join(reads), is_cut, record, transport, clock, reads
    )
