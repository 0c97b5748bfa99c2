"""The unmodified `openai` SDK reads recordings through the gateway, and misses nothing of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import openai
import pytest

from tests.cassettes.conftest import CALLERS_KEY, Replayed
from tests.cassettes.corpus import Exchange, params
from tests.cassettes.expected import Event, events_of, stream_of

READ = {"chat", "completions", "responses", "embeddings"}
"""Endpoints whose answers have words or vectors to compare."""

CLASSES = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
}


def is_read(exchange: Exchange) -> bool:
    """Tell whether a recording is one that the SDK can be asked for."""
    return exchange.endpoint in READ and not exchange.suffix


@pytest.fixture(scope="module")
def sdk(replayed: Replayed) -> Iterator[openai.OpenAI]:
    """The SDK in front of the gateway, with the caller's own provider key."""
    url = f"{replayed.client.base_url}/v1".replace("//v1", "/v1")
    with openai.OpenAI(base_url=url, api_key=CALLERS_KEY, max_retries=0) as client:
        yield client


def ask(sdk: openai.OpenAI, replayed: Replayed, exchange: Exchange) -> Any:
    """Ask for a recording by the SDK's own method for it."""
    resources: dict[str, Any] = {
        "chat": sdk.chat.completions,
        "completions": sdk.completions,
        "responses": sdk.responses,
        "embeddings": sdk.embeddings,
    }
    request = exchange.request or {}
    passed = {k: v for k, v in exchange.headers.items() if k not in ("accept", "content-type")}
    needed = {"chat": "messages", "completions": "prompt", "embeddings": "input"}
    options: dict[str, Any] = {needed[exchange.endpoint]: ""} if exchange.endpoint in needed else {}
    if exchange.case.stream:
        options["stream"] = True
    if "encoding_format" in request:
        options["encoding_format"] = request["encoding_format"]  # else the SDK unpacks it
    return resources[exchange.endpoint].create(
        **options,
        model="m",
        extra_body=request,
        extra_headers={**passed, **replayed.head(exchange, uuid.uuid4().hex)},
    )


def as_dict(answer: Any) -> dict[str, Any]:
    """Return what the SDK read as plain data; it warns of what is not as its types say."""
    read: dict[str, Any] = answer.to_dict(warnings=False)
    return read


@pytest.mark.parametrize(
    "exchange", params(lambda e: is_read(e) and e.status < 400 and not e.is_stream)
)
def test_a_body_is_read(exchange: Exchange, sdk: openai.OpenAI, replayed: Replayed) -> None:
    assert exchange.case.response["body"] == as_dict(ask(sdk, replayed, exchange))


@pytest.mark.parametrize("exchange", params(lambda e: is_read(e) and e.is_stream))
def test_a_stream_is_read(exchange: Exchange, sdk: openai.OpenAI, replayed: Replayed) -> None:
    """All of it, and a bad end raises; what comes behind a `[DONE]` the SDK does not look at."""
    expected = stream_of(exchange)
    recorded = events_of(expected.body)
    told = takewhile(lambda event: not event.is_error, recorded)
    seen: list[Any] = []
    broken: openai.OpenAIError | None = None
    try:
        seen.extend(as_dict(chunk) for chunk in ask(sdk, replayed, exchange))
    except openai.OpenAIError as error:
        broken = error

    assert [event.body for event in told if event.body] == seen
    assert (expected.ends_well or _has_done(recorded)) is (broken is None)


def _has_done(events: list[Event]) -> bool:
    return any(event.data == "[DONE]" for event in events)


@pytest.mark.parametrize("exchange", params(lambda e: is_read(e) and e.status >= 400))
def test_an_error_is_raised(exchange: Exchange, sdk: openai.OpenAI, replayed: Replayed) -> None:
    with pytest.raises(CLASSES[exchange.status]) as caught:
        ask(sdk, replayed, exchange)

    assert exchange.status == caught.value.status_code
    assert f"{exchange.row.name} error: " in caught.value.message
