"""A gateway with virtual keys, saved configs and a caller whose policy a test chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from llmgateway import Gateway
from llmgateway.settings import client_key_digest
from llmgateway.stores import MemoryDocuments, MemoryKeyStore, MemoryRecords, StoredKey
from llmgateway.types.call import CallerPolicy
from llmgateway.types.documents import SavedConfig, VirtualKey
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.record import Record
from tests.scripted import Scripted, ScriptedTransport, chat, world

CLIENT = "a-client-key-of-this-test"
SETTINGS = {
    "default_provider": "openai",
    "providers": {"openai": {"api_key": "sk-of-the-settings"}},
    "limits": {"max_tries": 8},
}


@dataclass
class Answered:
    """What came of a request."""

    status: int
    body: dict[str, Any]
    transport: ScriptedTransport
    record: Record

    @property
    def message(self) -> str:
        """The words of an error."""
        return str(self.body["error"]["message"])

    @property
    def authorization(self) -> bytes | None:
        """What the provider was called with."""
        return dict(self.transport.requests[0].headers).get(b"authorization")

    @property
    def sent(self) -> Any:
        """The body that the provider got."""
        return orjson.loads(self.transport.bodies[0])


class Saved:
    """Asks such a gateway."""

    def __init__(
        self, *documents: VirtualKey | SavedConfig, policy: CallerPolicy | None = None
    ) -> None:
        self.documents = MemoryDocuments()
        for document in documents:
            self.documents.put("1", document)
        self.policy = policy or CallerPolicy()

    async def ask(
        self,
        body: dict[str, Any] | None = None,
        *script: Scripted,
        config: object = None,
        method: str = "POST",
        path: str = "/v1/chat/completions",
        raw: bytes | None = None,
        client: str | None = None,
        **head: str,
    ) -> Answered:
        """Send one request with a client key of the workspace 1."""
        transport = ScriptedTransport(*(script or (chat(),)))
        records = MemoryRecords()
        gateway = Gateway(
            SETTINGS,
            keys=MemoryKeyStore(
                [StoredKey("key:1", client_key_digest(CLIENT), "1", policy=self.policy)]
            ),
            documents=self.documents,
            records=records,
            transport=lambda: transport,
            world=world(transport),
        )
        if config is not None:
            head["x_portkey_config"] = (
                config if isinstance(config, str) else orjson.dumps(config).decode()
            )
        head = {"content_type": "application/json", **head}
        headers = Headers.of(authorization=f"Bearer {CLIENT}", **head)
        if raw is None:
            raw = b"" if method == "GET" else orjson.dumps({"model": "gpt-4o", **(body or {})})
        async with gateway:
            answer = await gateway.handle(HTTPRequest(method, path, "", headers, raw, client))
            text = answer.body
            if not isinstance(text, bytes):
                text = b"".join([piece async for piece in text])
        (record,) = records.all()
        return Answered(answer.status, orjson.loads(text), transport, record)
