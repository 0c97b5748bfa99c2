"""The unmodified `openai` SDK when things fail: its exception classes, broken streams, retries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from llmgateway.providers import PLANNED
from tests.sdk.stage import CLIENT_KEY, Stage

HELLO: Any = [{"role": "user", "content": "Hello you"}]


def chat(client: openai.OpenAI, model: str, **options: Any) -> Any:
    """Ask for a chat, and read it to its end if it is a stream."""
    answer = client.chat.completions.create(model=model, messages=HELLO, **options)
    return list(answer) if options.get("stream") else answer


def head(**fields: Any) -> dict[str, Any]:
    """Return SDK options with the gateway's own headers."""
    named = {f"x-llmgateway-{name.replace('_', '-')}": value for name, value in fields.items()}
    return {
        "extra_headers": {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in named.items()
        }
    }


# ---- exception classes


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (408, openai.APIStatusError),
        (409, openai.ConflictError),
        (413, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (502, openai.InternalServerError),
        (503, openai.InternalServerError),
        (504, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_a_providers_error_keeps_its_status_words_type_and_code(
    client: openai.OpenAI, status: int, expected: type[openai.APIStatusError], stream: bool
) -> None:
    with pytest.raises(expected) as caught:
        chat(client, f"@fake/fake-{status}", stream=stream)
    error = caught.value
    body: Any = error.body

    assert (status, expected) == (error.status_code, type(error))
    assert "fake error: This failure was asked for by the model's name." == body["message"]
    assert (body["type"], body["code"]) == (error.type, error.code)
    assert error.type in ("invalid_request_error", "rate_limit_error", "server_error")
    assert error.response.headers["x-llmgateway-trace-id"] == body["request_id"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_stored_key_that_is_refused_is_not_the_callers_fault(
    client: openai.OpenAI, status: int
) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(client, f"fake-{status}")

    assert (502, "upstream_auth_failed") == (caught.value.status_code, caught.value.code)


def test_an_unknown_key_is_refused(stage: Stage) -> None:
    with openai.OpenAI(base_url=stage.url, api_key="sk-wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as caught:
            chat(stranger, "fake")

    assert "invalid_api_key" == caught.value.code
    assert not stage.fake.requests


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"provider": "opnai"}, "Did you mean openai?", id="provider"),
        pytest.param({"provider": min(PLANNED)}, "not available yet", id="planned-provider"),
        pytest.param({"config": "{"}, "valid json", id="config-no-json"),
        pytest.param({"config": {"retry": {"attempts": "2"}}}, "retry.attempts", id="config"),
        pytest.param({"metadata": "[]"}, "a JSON object", id="metadata"),
        pytest.param({"request_timeout": "soon"}, "an integer", id="timeout"),
    ],
)
def test_a_header_that_cannot_be_used_is_a_bad_request(
    client: openai.OpenAI, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, "fake", **head(**fields))

    assert words.lower() in caught.value.message.lower()


def test_a_slug_that_is_not_in_the_workspace_is_not_found(client: openai.OpenAI) -> None:
    for fields in ({"virtual_key": "mine"}, {"config": "pc-mine"}):
        with pytest.raises(openai.NotFoundError, match="in this workspace"):
            chat(client, "fake", **head(**fields))


def test_an_endpoint_that_the_provider_lacks_is_a_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="m", input="a", **head(provider="groq"))

    assert "endpoint_not_supported" == caught.value.code


def test_an_unknown_route_is_not_found(client: openai.OpenAI, stage: Stage) -> None:
    lost = client.with_options(base_url=stage.url.replace("/v1", "/v9"))
    with pytest.raises(openai.NotFoundError, match="the API is below /v1/"):
        chat(lost, "fake")


def test_a_provider_without_any_credential_is_a_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, "m", **head(provider="groq"))

    assert "api_key" == caught.value.param


@pytest.mark.parametrize("fault", ["html", "bad-json", "empty", "cut"])
def test_an_answer_that_is_none_is_a_bad_gateway(client: openai.OpenAI, fault: str) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(client, f"fake-{fault}")

    assert (502, "upstream_protocol_error") == (caught.value.status_code, caught.value.code)


# ---- time limits


def test_the_time_limit_of_a_request_is_a_timeout(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        chat(client, "fake-hang", **head(request_timeout="50"))

    assert (408, "timeout_error") == (caught.value.status_code, caught.value.type)
    assert "Request exceeded the timeout sent in the request: 50ms" in caught.value.message


def test_a_provider_that_never_answers_is_a_gateway_timeout(hasty_client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(hasty_client, "fake-hang")

    assert (504, "upstream_timeout") == (caught.value.status_code, caught.value.code)


def test_a_stream_that_falls_silent_raises(hasty_client: openai.OpenAI) -> None:
    stream = hasty_client.chat.completions.create(
        model="fake-stall-tokens-9", messages=HELLO, stream=True
    )
    words, error = read_until_error(stream)

    assert "word1 word2" == words
    assert "upstream_timeout" == error.code


@pytest.fixture
def hasty_client(hasty: Stage) -> Iterator[openai.OpenAI]:
    """The SDK in front of the gateway with short limits."""
    with openai.OpenAI(base_url=hasty.url, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


# ---- broken streams


def read_until_error(stream: Any) -> tuple[str, openai.APIError]:
    """Return the text of a chat stream and what it raised in the end."""
    words = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            words += "".join(choice.delta.content or "" for choice in chunk.choices)
    return words, caught.value


@pytest.mark.parametrize(
    ("fault", "message", "code"),
    [
        ("cut", None, "upstream_protocol_error"),
        ("stream-error", "The model failed in the middle of its answer.", "stream_failed"),
    ],
)
def test_a_stream_that_breaks_in_the_middle_raises_after_its_words(
    client: openai.OpenAI, stage: Stage, fault: str, message: str | None, code: str
) -> None:
    trace = f"broken-{fault}"
    stream = client.chat.completions.create(
        model=f"fake-{fault}-tokens-9", messages=HELLO, stream=True, **head(trace_id=trace)
    )
    words, error = read_until_error(stream)
    record = stage.records.of(trace)

    assert "word1 word2" == words
    assert message in (None, error.message)
    assert code == error.code
    assert (200, code) == (record.status, record.error)


async def test_an_async_stream_that_breaks_raises(async_client: openai.AsyncOpenAI) -> None:
    stream = await async_client.chat.completions.create(
        model="fake-cut-tokens-9", messages=HELLO, stream=True
    )
    with pytest.raises(openai.APIError) as caught:
        async for _ in stream:
            pass

    assert "upstream_protocol_error" == caught.value.code


@pytest.mark.parametrize(
    ("fault", "events"),
    [
        pytest.param("cut", [], id="ours-is-raised"),
        pytest.param("stream-error", ["server_error"], id="the-providers-is-passed-on-first"),
    ],
)
def test_a_streamed_response_that_breaks_raises(
    client: openai.OpenAI, fault: str, events: list[str]
) -> None:
    """The SDK hands out an error event of the flat form; the end that follows it is unclean."""
    stream = client.responses.create(model=f"fake-{fault}-tokens-9", input="Hello", stream=True)
    texts, errors = [], []
    with pytest.raises(openai.APIError):
        for event in stream:
            if event.type == "response.output_text.delta":
                texts.append(event.delta)
            elif event.type == "error":
                errors.append(event.code)

    assert ["word1", " word2"] == texts
    assert events == errors


def test_an_error_before_any_content_has_a_status_of_its_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(client, "fake-early-error", stream=True)

    assert "openai error: The model failed in the middle of its answer." in caught.value.message


# ---- whose retries


@pytest.fixture
def eager(stage: Stage) -> Iterator[openai.OpenAI]:
    """The SDK with its own two retries, as it comes."""
    with openai.OpenAI(base_url=stage.url, api_key=CLIENT_KEY) as client:
        yield client


ONCE = {"provider": "openai", "retry": {"attempts": 1}}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_the_gateway_retried_the_sdk_does_not(
    eager: openai.OpenAI, stage: Stage, stream: bool
) -> None:
    """Three tries here and three there would be nine."""
    twice = {"provider": "openai", "retry": {"attempts": 2}}
    with pytest.raises(openai.InternalServerError) as caught:
        chat(eager, "fake-503", stream=stream, **head(config=twice))
    answered = caught.value.response.headers

    assert 3 == len(stage.fake.requests)
    assert [1.0, 2.0] == stage.waits
    assert ("false", "-1") == (
        answered["x-should-retry"],
        answered["x-llmgateway-retry-attempt-count"],
    )


def test_what_the_gateway_fell_back_over_the_sdk_does_not_retry(
    eager: openai.OpenAI, stage: Stage
) -> None:
    both = {"strategy": {"mode": "fallback"}, "targets": [ONCE, {"provider": "fake"}]}
    with pytest.raises(openai.InternalServerError) as caught:
        chat(eager, "fake-503", **head(config=both))

    assert 3 == len(stage.fake.requests)
    assert "fake error: " in caught.value.message


def test_without_retries_of_the_gateway_the_sdk_retries_as_ever(
    eager: openai.OpenAI, stage: Stage
) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        chat(eager, "fake-503-retry-after-10ms")

    assert 3 == len(stage.fake.requests)
    assert "x-should-retry" not in caught.value.response.headers


def test_a_retry_of_the_gateway_stays_unseen(eager: openai.OpenAI, stage: Stage) -> None:
    raw = eager.chat.completions.with_raw_response.create(
        model="fake-503-once", messages=HELLO, **head(config=ONCE)
    )

    assert 2 == len(stage.fake.requests) and 0 == raw.retries_taken
    assert "1" == raw.headers["x-llmgateway-retry-attempt-count"]


def test_a_stream_that_fails_before_its_content_is_retried(
    eager: openai.OpenAI, stage: Stage
) -> None:
    retried = {"provider": "openai", "retry": {"attempts": 2}}
    chunks = chat(eager, "fake-early-error-twice", stream=True, **head(config=retried))

    assert 3 == len(stage.fake.requests)
    assert chunks[-1].choices[0].finish_reason == "stop"
