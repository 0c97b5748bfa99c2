"""Providers that lie, repeat our keys, or are asked too often."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.engine.body import check_numbers
from llmgateway.engine.redact import redacted, redacted_bytes
from llmgateway.errors import InvalidRequest, StreamAborted, UpstreamError
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest, HTTPResponse
from llmgateway.types.record import Record
from tests.scripted import Scripted, ScriptedTransport, chat, delta, events, failure, stream, world

SECRET = "sk-operators-own"
KEYS = {
    "access": "local",
    "providers": {"openai": {"api_key": SECRET}, "anthropic": {"api_key": SECRET}},
}
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}


async def ask(
    transport: ScriptedTransport, config: dict[str, Any], *, streamed: bool = False
) -> tuple[HTTPResponse, bytes, Record]:
    """Send one chat call with a config; return the answer, its whole body and its record."""
    records = MemoryRecords()
    gateway = Gateway(KEYS, records=records, transport=lambda: transport, world=world(transport))
    headers = Headers.of(
        host="localhost",
        content_type="application/json",
        x_llmgateway_config=orjson.dumps(config).decode(),
    )
    body = orjson.dumps({**BODY, "stream": streamed})
    response = await gateway.handle(HTTPRequest("POST", "/v1/chat/completions", "", headers, body))
    raw = b""
    if isinstance(response.body, bytes):
        raw = response.body
    else:
        try:
            async for piece in response.body:
                raw += piece
        except StreamAborted:
            raw += b"<cut>"
    await gateway.aclose()
    (record,) = records.all()
    return response, raw, record


LIE = {"type": "message", "role": "assistant", "content": 7, "usage": "none", "stop_reason": []}


async def test_an_answer_that_cannot_be_translated_falls_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise TypeError("a list where a text should be")

    monkeypatch.setattr("llmgateway.engine.translate.Translation.answer", broken)
    message = {**LIE, "content": [{"type": "text", "text": "x"}], "usage": {}}
    transport = ScriptedTransport(Scripted(chunks=[orjson.dumps(message)]), chat())
    targets = [{"provider": "anthropic"}, {"provider": "openai"}]

    response, _, record = await ask(
        transport, {"strategy": {"mode": "fallback"}, "targets": targets}
    )

    assert 200 == response.status
    assert [(502, "upstream_protocol_error"), (200, None)] == [
        (attempt.status, attempt.error) for attempt in record.attempts
    ]


async def test_an_echo_of_our_key_in_an_error_event_is_taken_out() -> None:
    error = {"error": {"message": f"bad {SECRET}", "type": "t", "code": SECRET}}
    transport = ScriptedTransport(
        stream(*events(delta(), delta("He"), error, done=False)),
    )

    _, raw, record = await ask(transport, {"provider": "openai"}, streamed=True)

    assert b"[redacted]" in raw
    assert SECRET.encode() not in raw
    assert SECRET not in repr(record)


def test_every_part_of_an_error_is_redacted() -> None:
    error = UpstreamError(
        f"no {SECRET}", status=401, provider="p", type=SECRET, code=SECRET, param=SECRET,
        extra={"a": [SECRET]},
    )  # fmt: skip

    redacted(error, (SECRET, "abc"))

    assert SECRET not in repr(error.to_openai())
    assert b"[redacted]" == redacted_bytes(SECRET.encode(), (SECRET,))


async def test_one_request_costs_no_more_tries_than_the_limit() -> None:
    targets = [{"provider": "openai", "retry": {"attempts": 10}} for _ in range(100)]
    transport = ScriptedTransport(*[failure(429) for _ in range(100)])

    response, _, record = await ask(
        transport, {"strategy": {"mode": "fallback"}, "targets": targets}
    )

    assert (429, 64) == (response.status, len(record.attempts))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param(b'{"a": [1, 18446744073709551616]}', "a[1]", id="over-64-bits"),
        pytest.param(b'{"a": {"b": -9223372036854775809}}', "a.b", id="under-64-bits"),
        pytest.param(b'{"a": 18446744073709551615}', None, id="just-64-bits"),
        pytest.param(b'{"a": "18446744073709551616"}', None, id="a-text"),
        pytest.param(b'{"a": 0.12345678901234567890123}', None, id="a-fraction"),
        pytest.param(b'{"a": [1, 2]}', None, id="small"),
    ],
)
def test_a_number_that_would_be_rounded_is_named(text: bytes, path: str | None) -> None:
    if path is None:
        check_numbers(text, orjson.loads(text))
        return
    with pytest.raises(InvalidRequest) as caught:
        check_numbers(text, orjson.loads(text))

    assert path == caught.value.param
