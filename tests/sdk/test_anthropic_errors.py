"""The unmodified `anthropic` SDK at the Messages door: keys, and its exception classes."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from tests.sdk.messages import (
    CLAUDE,
    FAKE,
    GEMINI,
    HELLO,
    THINKING_OF_CLAUDE,
    Sdk,
    events_of,
    gemini,
)
from tests.sdk.replay import Replay
from tests.sdk.stage import CLIENT_KEY, STORED_KEY


@pytest.mark.parametrize("place", ["api_key", "auth_token"])
@pytest.mark.parametrize("behind", ["openai", "anthropic"])
def test_the_client_key_is_taken_in_either_header(replay: Replay, place: str, behind: str) -> None:
    replay.answers(THINKING_OF_CLAUDE)
    with anthropic.Anthropic(
        base_url=replay.origin,
        max_retries=0,
        **{place: CLIENT_KEY},  # type: ignore[arg-type]  # one of two strings
    ) as client:
        message = client.messages.create(
            model=f"@{behind}/claude-opus-4-6", max_tokens=9, messages=HELLO
        )

    assert "assistant" == message.role
    (seen,) = [str(sent.headers) for sent in replay.sent] or [
        str(list(received.headers)) for received in replay.stage.fake.requests
    ]
    assert CLIENT_KEY not in seen and STORED_KEY in seen


@pytest.mark.parametrize("place", ["api_key", "auth_token"])
def test_an_unknown_key_is_refused(replay: Replay, place: str) -> None:
    with (
        anthropic.Anthropic(base_url=replay.origin, max_retries=0, **{place: "sk-wrong"}) as client,  # type: ignore[arg-type]  # one of two strings
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(messages=HELLO, **FAKE)

    assert "authentication_error" == _body(caught.value)["error"]["type"]
    assert "Unknown API key" in caught.value.message
    assert caught.value.request_id == _body(caught.value)["request_id"]


def _body(error: anthropic.APIStatusError) -> Any:
    return error.body


CLASSES: Any = {
    400: (anthropic.BadRequestError, "invalid_request_error"),
    404: (anthropic.NotFoundError, "not_found_error"),
    413: (anthropic.RequestTooLargeError, "request_too_large"),
    422: (anthropic.UnprocessableEntityError, "invalid_request_error"),
    429: (anthropic.RateLimitError, "rate_limit_error"),
    500: (anthropic.InternalServerError, "api_error"),
    503: (anthropic.ServiceUnavailableError, "overloaded_error"),
    529: (anthropic.OverloadedError, "overloaded_error"),
}


@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize("behind", ["openai", "google"])
def test_a_status_is_an_exception_class_when_translated(
    sdk: Sdk, replay: Replay, behind: str, status: int
) -> None:
    replay.fails(status)
    with pytest.raises(CLASSES[status][0]) as caught:
        sdk(behind).messages.create(model=f"fake-{status}", max_tokens=9, messages=HELLO)

    assert status == caught.value.status_code
    assert CLASSES[status][1] == caught.value.body["error"]["type"]
    assert f"{behind} error: " in caught.value.message


@pytest.mark.parametrize("status", CLASSES)
def test_a_status_is_an_exception_class_natively(sdk: Sdk, replay: Replay, status: int) -> None:
    replay.fails(status)
    with pytest.raises(CLASSES[status][0]) as caught:
        sdk("anthropic").messages.create(messages=HELLO, **CLAUDE)

    assert (status, "error") == (caught.value.status_code, caught.value.body["type"])


def test_an_error_of_anthropics_keeps_its_words(sdk: Sdk, replay: Replay) -> None:
    replay.plays("anthropic/messages/client-error")
    with pytest.raises(anthropic.NotFoundError) as caught:
        sdk("anthropic").messages.create(messages=HELLO, **CLAUDE)

    error = _body(caught.value)["error"]
    assert "not_found_error" == error["type"]
    assert "anthropic error: model: there-is-no-such-model" == error["message"]


def test_a_body_that_is_no_message_is_refused(sdk: Sdk) -> None:
    with pytest.raises(anthropic.BadRequestError):
        sdk("openai").messages.create(model="fake", max_tokens=9, messages=[])


def test_an_error_within_a_translated_stream_raises_after_its_words(sdk: Sdk) -> None:
    texts: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        sdk("openai").messages.stream(
            model="fake-stream-error", max_tokens=9, messages=HELLO
        ) as stream,
    ):
        texts.extend(stream.text_stream)

    assert ["You", " said:"] == texts
    assert "stream_failed" == _body(caught.value)["error"]["code"]


def test_an_error_within_anthropics_own_stream_raises(sdk: Sdk, replay: Replay) -> None:
    begun = list(events_of(THINKING_OF_CLAUDE))[:3]
    error = {"type": "overloaded_error", "message": "Overloaded"}
    replay.streams([*begun, {"type": "error", "error": error}])
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        sdk("anthropic").messages.stream(messages=HELLO, **CLAUDE) as stream,
    ):
        stream.until_done()

    assert error == _body(caught.value)["error"]


def test_an_error_within_geminis_stream_raises(sdk: Sdk, replay: Replay) -> None:
    fault = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    replay.streams([gemini([{"text": "Hel"}], None), {"error": fault}])
    texts: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        sdk("google").messages.stream(messages=HELLO, **GEMINI) as stream,
    ):
        texts.extend(stream.text_stream)

    assert ["Hel"] == texts
    assert "overloaded_error" == _body(caught.value)["error"]["type"]


def test_a_stream_that_breaks_off_raises(sdk: Sdk, replay: Replay) -> None:
    replay.plays("anthropic/messages/completion-stream-cache-read", fault="drop=50%")
    with (
        pytest.raises(anthropic.APIError),
        sdk("anthropic").messages.stream(messages=HELLO, **CLAUDE) as stream,
    ):
        stream.until_done()
