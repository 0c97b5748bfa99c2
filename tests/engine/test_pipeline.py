"""The two rings as a whole, where no table of a part shows it."""

from __future__ import annotations

import orjson
import pytest

from llmgateway import Gateway, Principal
from llmgateway.errors import ConnectionLost
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.record import Record
from tests.scripted import ScriptedTransport, chat, world

BODY = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})


async def one_record(transport: ScriptedTransport, **settings: object) -> Record:
    """Send one chat call with the caller's own key and return what the log says of it."""
    records = MemoryRecords()
    gateway = Gateway(
        {"access": "open", **settings},
        records=records,
        transport=lambda: transport,
        world=world(transport),
    )
    headers = Headers.of(
        content_type="application/json",
        authorization="Bearer sk-own",
        x_portkey_provider="openai",
    )
    await gateway.handle(HTTPRequest("POST", "/v1/chat/completions", "", headers, BODY))
    await gateway.aclose()
    (record,) = records.all()
    return record


@pytest.mark.parametrize(
    ("reused", "settings", "resent"),
    [
        pytest.param(True, {}, [False, True], id="a-pooled-connection-had-died"),
        pytest.param(False, {}, [False], id="a-fresh-one-broke"),
        pytest.param(True, {"resend_lost": False}, [False], id="switched-off"),
    ],
)
async def test_a_request_is_sent_once_more_only_after_a_dead_pooled_connection(
    reused: bool, settings: dict[str, object], resent: list[bool]
) -> None:
    lost = ConnectionLost("gone", reused=reused)

    record = await one_record(ScriptedTransport(lost, chat()), **settings)

    assert resent == [attempt.resent for attempt in record.attempts]
    assert (200 if len(resent) == 2 else 502) == record.status


async def test_who_is_vouched_for_is_asked_for_no_host() -> None:
    """An app that calls the gateway in its own process has no Host to name."""
    transport = ScriptedTransport(chat())
    gateway = Gateway({"access": "local"}, transport=lambda: transport, world=world(transport))
    headers = Headers.of(content_type="application/json", x_portkey_provider="openai",
                         authorization="Bearer sk-own")  # fmt: skip
    request = HTTPRequest("POST", "/v1/chat/completions", "", headers, BODY)
    user = Principal("user:7", brings_provider_key=True)

    assert 200 == (await gateway.handle(request, user)).status
    assert 403 == (await gateway.handle(request)).status
