"""The unmodified npm `openai` package, run by Node.

`node/package.json` asks for its major version 6, since 7 needs a newer Node than Debian has.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.node_runner import run_node
from tests.sdk.stage import Stage


@pytest.fixture(scope="module")
def seen(keyed: Stage) -> dict[str, Any]:
    """What the SDK saw in all scenarios; Node is started once."""
    keyed.fake.requests.clear()
    seen = run_node("scenarios.mjs", keyed.url, "openai")
    tries = sum(received.model == "fake-503" for received in keyed.fake.requests)
    return {**seen, "tries": tries}


def test_a_chat_is_answered(seen: dict[str, Any]) -> None:
    chat = seen["chat"]

    assert ("You said: Hello you", 6, "openai") == (chat["text"], chat["total"], chat["provider"])
    assert chat["requestId"].startswith("fake-")


def test_a_chat_is_streamed_with_the_usage_that_was_asked_for(seen: dict[str, Any]) -> None:
    assert {"text": "word1 word2 word3 word4 word5", "total": 7} == seen["stream"]


def test_a_tool_is_called_in_a_stream_and_its_result_is_read(seen: dict[str, Any]) -> None:
    assert {
        "name": "weather",
        "arguments": {"city": "Hello you"},
        "text": "The tool said: rain",
    } == seen["tools"]


def test_embeddings_are_the_same_packed_and_plain(seen: dict[str, Any]) -> None:
    assert {"lengths": [16, 16], "same": True} == seen["embeddings"]


def test_a_response_is_streamed(seen: dict[str, Any]) -> None:
    assert {"text": "You said: Hello you", "last": "response.completed"} == seen["responses"]


def test_a_file_comes_and_goes(seen: dict[str, Any]) -> None:
    assert {"content": "line\r\n", "deleted": True} == seen["files"]


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (503, "InternalServerError"),
    ],
)
def test_a_status_is_an_exception_class(seen: dict[str, Any], status: int, name: str) -> None:
    error = seen["errors"][str(status)]

    assert (name, status, True) == (error["name"], error["status"], error["isAPIError"])
    assert status == 401 or "This failure was asked for by the model's name." in error["message"]


def test_a_stream_that_breaks_in_the_middle_raises_after_its_words(seen: dict[str, Any]) -> None:
    broken = seen["brokenStream"]

    assert "word1 word2" == broken["text"]
    assert (True, "upstream_protocol_error") == (
        broken["error"]["isAPIError"],
        broken["error"]["code"],
    )


def test_what_the_gateway_retried_the_sdk_does_not(seen: dict[str, Any]) -> None:
    assert "InternalServerError" == seen["retries"]["name"]
    assert 1 + 2 == seen["tries"], "one in `errors`, and two for the try and its retry"
