"""Calls whose caller and provider speak different formats, through the whole gateway."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.errors import StreamAborted
from llmgateway.types.http import Headers, HTTPRequest, HTTPResponse
from tests.scripted import Scripted, ScriptedTransport, chat, delta, events, failure, stream, world

KEYS = {
    "providers": {
        "openai": {"api_key": "sk-openai"},
        "anthropic": {"api_key": "sk-ant"},
        "google": {"api_key": "goog"},
    },
    "access": "local",
}

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}

GEMINI = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
    "modelVersion": "gemini-2.5-flash",
}

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
MESSAGES = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
RESPONSES = {"model": "m", "input": "Hi"}


async def call(
    transport: ScriptedTransport,
    path: str,
    body: object,
    provider: str,
    query: str = "",
    **head: str,
) -> tuple[HTTPResponse, bytes]:
    """Send one request through a gateway; return the answer with its body read."""
    gateway = Gateway(KEYS, transport=lambda: transport, world=world(transport))
    headers = Headers.of(
        host="localhost", content_type="application/json", x_portkey_provider=provider, **head
    )
    request = HTTPRequest("POST", path, query, headers, orjson.dumps(body))
    response = await gateway.handle(request)
    if isinstance(response.body, bytes):
        return response, response.body
    return response, b"".join([piece async for piece in response.body])


def whole(body: object) -> Scripted:
    return Scripted(chunks=[orjson.dumps(body)])


ANSWERS = {"openai": chat("Hello"), "anthropic": whole(MESSAGE), "google": whole(GEMINI)}

DOORS: dict[str, tuple[str, Any, Any]] = {
    "chat": (
        "/v1/chat/completions",
        CHAT,
        lambda body: body["choices"][0]["message"]["content"],
    ),
    "messages": ("/v1/messages", MESSAGES, lambda body: body["content"][0]["text"]),
    "responses": (
        "/v1/responses",
        RESPONSES,
        lambda body: body["output"][0]["content"][0]["text"],
    ),
    "generate_content": (
        "/v1beta/models/m:generateContent",
        CONTENTS,
        lambda body: body["candidates"][0]["content"]["parts"][0]["text"],
    ),
}


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
@pytest.mark.parametrize("door", DOORS)
async def test_every_door_reaches_every_provider(door: str, provider: str) -> None:
    path, body, text_of = DOORS[door]
    if (door, provider) == ("responses", "openai"):
        pytest.skip("openai serves it natively; the SDK suite covers that")
    answer = ANSWERS[provider]
    transport = ScriptedTransport(Scripted(200, answer.chunks, answer.head))

    response, raw = await call(transport, path, body, provider)

    assert 200 == response.status, raw
    assert "Hello" == text_of(orjson.loads(raw))


ERRORS = {
    "chat": lambda body: (body["error"]["message"], body["error"]["type"]),
    "messages": lambda body: (body["error"]["message"], body["type"]),
    "generate_content": lambda body: (body["error"]["message"], body["error"]["status"]),
}


@pytest.mark.parametrize("door", ERRORS)
async def test_an_error_is_told_in_the_doors_shape(door: str) -> None:
    path, body, _ = DOORS[door]
    transport = ScriptedTransport(failure(429, "slow down"))

    response, raw = await call(transport, path, body, "openai")

    message, kind = ERRORS[door](orjson.loads(raw))
    assert 429 == response.status
    assert "openai error: slow down" == message
    assert kind


async def test_a_refusal_before_any_target_has_the_doors_shape() -> None:
    response, raw = await call(ScriptedTransport(), "/v1/messages", MESSAGES, "nobody")

    assert (400, "error") == (response.status, orjson.loads(raw)["type"])


async def test_a_stream_crosses_from_messages_to_openai() -> None:
    transport = ScriptedTransport(
        stream(*events(delta(), delta("Hel"), delta("lo"), delta(finish="stop")))
    )

    _, raw = await call(transport, "/v1/messages", {**MESSAGES, "stream": True}, "openai")

    names = [line[7:] for line in raw.decode().splitlines() if line.startswith("event: ")]
    assert ["message_start", "content_block_start"] == names[:2]
    assert ["content_block_stop", "message_delta", "message_stop"] == names[-3:]


async def test_a_stream_crosses_from_chat_to_anthropic() -> None:
    chunks: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**MESSAGE, "content": []}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hello"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]
    sse = [
        f"event: {chunk['type']}\n".encode() + b"data: " + orjson.dumps(chunk) + b"\n\n"
        for chunk in chunks
    ]

    _, raw = await call(
        ScriptedTransport(stream(*sse)),
        "/v1/chat/completions",
        {**CHAT, "stream": True},
        "anthropic",
    )

    lines = [line for line in raw.decode().splitlines() if line]
    pieces = [orjson.loads(line[6:]) for line in lines[:-1]]
    text = "".join(p["choices"][0]["delta"].get("content") or "" for p in pieces if p["choices"])
    assert ("Hello", "data: [DONE]") == (text, lines[-1])


async def test_geminis_stream_is_an_array_unless_events_are_asked_for() -> None:
    sse = b"data: " + orjson.dumps(GEMINI) + b"\r\n\r\n"
    path = "/v1beta/models/m:streamGenerateContent"

    array, raw = await call(ScriptedTransport(stream(sse)), path, CONTENTS, "google")
    _, raw_events = await call(
        ScriptedTransport(stream(sse)), path, CONTENTS, "google", query="alt=sse"
    )

    assert [GEMINI] == orjson.loads(raw)
    assert b"application/json" == dict(array.headers)[b"content-type"]
    assert sse == raw_events


async def test_a_native_call_keeps_its_bytes_and_the_path_its_model() -> None:
    transport = ScriptedTransport(whole(GEMINI))

    await call(transport, "/v1beta/models/gemini-2.5-flash:generateContent", CONTENTS, "google")

    assert orjson.dumps(CONTENTS) == transport.bodies[0]
    assert transport.requests[0].url.endswith("/v1beta/models/gemini-2.5-flash:generateContent")
    assert (b"x-goog-api-key", b"goog") in transport.requests[0].headers


async def test_a_native_call_takes_its_version_and_betas_along() -> None:
    transport = ScriptedTransport(whole(MESSAGE))

    await call(
        transport,
        "/v1/messages",
        MESSAGES,
        "anthropic",
        anthropic_version="2023-06-01",
        anthropic_beta="a-beta",
    )

    head = dict(transport.requests[0].headers)
    assert (b"2023-06-01", b"a-beta") == (head[b"anthropic-version"], head[b"anthropic-beta"])


async def test_a_count_that_nobody_can_take_is_an_estimate_and_says_so() -> None:
    response, raw = await call(ScriptedTransport(), "/v1/messages/count_tokens", MESSAGES, "openai")

    assert 0 < orjson.loads(raw)["input_tokens"] < 20
    assert b"estimate" == dict(response.headers)[b"x-portkey-token-count"]


@pytest.mark.parametrize(
    ("policy", "status", "sent"),
    [("drop", 200, False), ("pass", 200, True), ("refuse", 400, False)],
)
async def test_unsupported_params_decides_what_has_no_place(
    policy: str, status: int, sent: bool
) -> None:
    transport = ScriptedTransport(whole(MESSAGE))

    response, _ = await call(
        transport,
        "/v1/chat/completions",
        {**CHAT, "seed": 7},
        "anthropic",
        x_portkey_unsupported_params=policy,
    )

    assert status == response.status
    assert sent is any(b'"seed":7' in body for body in transport.bodies)
    dropped = dict(response.headers).get(b"x-portkey-dropped-params")
    assert (b"seed" if policy == "drop" else None) == dropped


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("@openai/org/gpt", None),
        ("m", {"provider": "openai", "override_params": {"model": "org/gpt"}}),
    ],
    ids=["written", "overridden"],
)
async def test_a_model_of_the_path_may_be_replaced(model: str, config: Any) -> None:
    transport = ScriptedTransport(chat("Hello"))
    gateway = Gateway(KEYS, transport=lambda: transport, world=world(transport))
    headers = Headers.of(host="localhost", content_type="application/json")
    if config is not None:
        headers = Headers((*headers, (b"x-portkey-config", orjson.dumps(config))))
    path = f"/v1beta/models/{model}:generateContent"

    response = await gateway.handle(HTTPRequest("POST", path, "", headers, orjson.dumps(CONTENTS)))

    assert 200 == response.status, response.body
    assert "org/gpt" == orjson.loads(transport.bodies[0])["model"]


async def test_an_error_that_ends_a_stream_without_a_frame_is_not_lost() -> None:
    error = {"error": {"code": 499, "message": "cut off", "status": "CANCELLED"}}
    sse = b"data: " + orjson.dumps(GEMINI) + b"\n\n"
    transport = ScriptedTransport(stream(sse, orjson.dumps(error)))

    gateway = Gateway(KEYS, transport=lambda: transport, world=world(transport))
    headers = Headers.of(
        host="localhost", content_type="application/json", x_portkey_provider="google"
    )
    body = orjson.dumps({**CHAT, "stream": True})
    response = await gateway.handle(HTTPRequest("POST", "/v1/chat/completions", "", headers, body))
    pieces = []
    with pytest.raises(StreamAborted):
        async for piece in response.body:  # type: ignore[union-attr]  # a stream, as asked for
            pieces.append(piece)

    assert b"cut off" in b"".join(pieces)
