"""Errors of a provider, in the shape of the door; also within a stream that began well."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from tests.codecs.grammar import sse
from tests.codecs.messages import schemas as messages_schemas
from tests.crossings import answers
from tests.crossings.answers import TEXT
from tests.crossings.asks import request
from tests.crossings.doors import DOORS
from tests.crossings.gateway import CROSSINGS, MODELS, send, stream_of
from tests.scripted import Scripted

JSON = dict[str, Any]

crossings = pytest.mark.parametrize(("door", "provider"), CROSSINGS)
WORDS = "Something is amiss."
STATUSES = [400, 401, 429, 529]
PROVIDERS_KINDS: dict[str, dict[int, str]] = {
    "anthropic": {
        400: "invalid_request_error",
        401: "authentication_error",
        429: "rate_limit_error",
        529: "overloaded_error",
    },
    "google": {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        429: "RESOURCE_EXHAUSTED",
        529: "UNAVAILABLE",
    },
    "openai": {
        400: "invalid_request_error",
        401: "invalid_request_error",
        429: "rate_limit_exceeded",
        529: "overloaded_error",
    },
}
DOORS_KINDS: dict[str, dict[int, str]] = {
    "messages": {
        400: "invalid_request_error",
        401: "authentication_error",
        429: "rate_limit_error",
        529: "overloaded_error",
    },
    "generate_content": {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        429: "RESOURCE_EXHAUSTED",
        529: "UNAVAILABLE",
    },
}
"""The kind of each status where the door has words of its own; OpenAI's keep the provider's."""
CALLERS_KEY = {"authorization": "Bearer key-of-the-caller"}


def error_of(provider: str, status: int) -> JSON:
    """Return an error as the provider writes it."""
    kind = PROVIDERS_KINDS[provider][status]
    match provider:
        case "anthropic":
            error = {"type": kind, "message": WORDS}
            return {"type": "error", "error": error, "request_id": "req_1"}
        case "google":
            return {"error": {"code": status, "message": WORDS, "status": kind}}
    return {"error": {"message": WORDS, "type": kind, "param": None, "code": None}}


def failed(provider: str, status: int) -> Scripted:
    """Return an answer that is an error."""
    return Scripted(status, [orjson.dumps(error_of(provider, status))])


@crossings
@pytest.mark.parametrize("status", STATUSES)
async def test_an_error_has_the_doors_shape(door: str, provider: str, status: int) -> None:
    asked = request(door, "plain", MODELS[provider])

    answer = await send(
        door, provider, asked, failed(provider, status), head=CALLERS_KEY, stored_key=False
    )

    message, kind = DOORS[door].error(answer.body)
    assert status == answer.status
    assert f"{provider} error: {WORDS}" == message
    assert kind == DOORS_KINDS.get(door, {}).get(status, kind)
    assert "application/json" == answer.headers["content-type"]
    if door == "messages":
        messages_schemas.check_error(answer.body)


@crossings
async def test_a_stored_key_that_is_refused_is_the_operators_affair(
    door: str, provider: str
) -> None:
    answer = await send(
        door, provider, request(door, "plain", MODELS[provider]), failed(provider, 401)
    )

    message, kind = DOORS[door].error(answer.body)
    assert 502 == answer.status
    assert WORDS not in message and kind


def error_event(provider: str) -> bytes:
    """Return an error in the middle of a stream."""
    name = "event: error\n" if provider == "anthropic" else ""
    return f"{name}data: {json.dumps(error_of(provider, 529))}\n\n".encode()


def told_before(provider: str) -> list[bytes]:
    """Return the events of a stream up to some text."""
    events = answers.streamed(provider, "plain")
    place = next(at for at, event in enumerate(events) if TEXT[:7].encode() in event)
    return events[: place + 1]


@crossings
async def test_an_error_before_any_content_is_the_answer(door: str, provider: str) -> None:
    """The provider's 200 counts for nothing then."""
    asked = request(door, "plain", MODELS[provider])
    before = told_before(provider)[:-1]

    step = stream_of([*before, error_event(provider)])
    answer = await send(door, provider, asked, step, stream=True)

    message, _ = DOORS[door].error(answer.body)
    assert answer.status >= 500
    assert message.endswith(WORDS)


@crossings
async def test_an_error_event_within_a_stream_has_the_doors_shape(door: str, provider: str) -> None:
    asked = request(door, "plain", MODELS[provider])
    events = [*told_before(provider), error_event(provider)]

    answer = await send(door, provider, asked, stream_of(events), stream=True)

    told = sse(answer.raw)
    texts = [data for _, data in told[:-1]]
    name, data = told[-1]
    body = json.loads(data)
    assert (200, True) == (answer.status, answer.is_cut)
    assert any(TEXT[:7] in text for text in texts)
    assert WORDS in data
    match door:
        case "messages":
            assert "error" == name == body["type"]
            assert "overloaded_error" == body["error"]["type"]
        case "responses":
            assert "error" == name == body["type"]
            assert isinstance(body["sequence_number"], int)
        case _:
            DOORS[door].error(body)
