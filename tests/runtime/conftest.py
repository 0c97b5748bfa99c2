"""A loop of the test's own, and a gateway with a scripted transport."""

from __future__ import annotations

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from tests.scripted import ScriptedTransport
from tests.shared_fixtures import loop, records, transport

__all__ = ["chat_request", "gateway", "loop", "records", "transport"]


def chat_request(*, stream: bool = False) -> HTTPRequest:
    """Return a chat request."""
    headers = Headers.of(
        host="localhost",
        content_type="application/json",
        x_portkey_provider="openai",
        authorization="Bearer sk-own",
    )
    body = orjson.dumps({"model": "m", "messages": [], "stream": stream})
    return HTTPRequest("POST", "/v1/chat/completions", "", headers, body)


@pytest.fixture
def gateway(transport: ScriptedTransport, records: MemoryRecords) -> Gateway:
    """A gateway in local mode."""
    return Gateway({"access": "local"}, transport=lambda: transport, records=records)
