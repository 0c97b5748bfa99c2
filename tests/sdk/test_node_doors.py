"""The unmodified npm `@anthropic-ai/sdk` and Vercel's `ai`, run by Node.

The former calls the Messages door, the latter's `openai("m")` the Responses door. Of `ai`
`node/package.json` asks for the major version 6, since 7 needs a newer Node than Debian has.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.node_runner import run_node
from tests.sdk.replay import Replay

WHOLE = "anthropic/messages/research-workflow-generates-steps-2"
STREAM = "anthropic/messages/completion-stream-cache-read"


@pytest.fixture(scope="module")
def seen(translating: Replay) -> dict[str, Any]:
    """What the SDKs saw in all scenarios; Node is started once."""
    translating.state.queue.clear()
    translating.stage.fake.requests.clear()
    translating.plays(WHOLE, STREAM)
    return run_node("doors.mjs", translating.stage.url, "@anthropic-ai/sdk", "ai", "@ai-sdk/openai")


def test_a_message_is_answered(seen: dict[str, Any]) -> None:
    expected = {"text": "You said: Hello you", "stop": "end_turn", "output": 4}

    assert {**expected, "hasRequestId": True} == seen["message"]


def test_a_message_is_streamed(seen: dict[str, Any]) -> None:
    texts = ["You", " said:", " Hello", " you"]

    assert {"texts": texts, "final": "You said: Hello you"} == seen["stream"]


def test_a_tool_is_called_and_its_result_is_read(seen: dict[str, Any]) -> None:
    assert {
        "name": "weather",
        "input": {"city": "Hello you"},
        "text": "The tool said: rain",
    } == seen["tools"]


def test_tokens_are_counted(seen: dict[str, Any]) -> None:
    assert 0 < seen["count"] < 20


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (404, "NotFoundError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (529, None),
    ],
)
def test_a_status_is_an_exception_class(
    seen: dict[str, Any], status: int, name: str | None
) -> None:
    """Of 529 the SDK's versions differ: a class of its own, or that of all above 500."""
    error = seen["errors"][str(status)]

    assert (name or error["name"], status) == (error["name"], error["status"])
    assert status == 401 or "This failure was asked for by the model's name." in error["message"]


def test_an_error_within_a_stream_raises(seen: dict[str, Any]) -> None:
    assert "failed in the middle" in seen["errors"]["stream"]["message"]


def test_text_is_generated_and_streamed_by_a_provider_without_responses(
    seen: dict[str, Any], translating: Replay
) -> None:
    text = "You said: Hello you"

    assert {"text": text, "finishReason": "stop", "input": 2, "output": 4} == seen["generated"]
    assert {"text": text, "finishReason": "stop", "usage": 4} == seen["streamed"]
    assert {"/v1/chat/completions"} == {r.path for r in translating.stage.fake.requests}


def test_tools_are_run_by_the_sdk(seen: dict[str, Any]) -> None:
    text = "The tool said: rain in Oslo"

    assert {"text": text, "steps": 2, "input": {"city": "Oslo"}} == seen["agent"]


def test_a_structured_answer_is_parsed(seen: dict[str, Any]) -> None:
    assert {"city": "You said: Oslo"} == seen["structured"]


def test_errors_reach_the_caller_of_the_ai_sdk(seen: dict[str, Any]) -> None:
    broken = seen["brokenStream"]

    assert 429 == seen["refused"]["status"]
    assert "This failure was asked for" in seen["refused"]["message"]
    assert "You said:" == broken["text"]
    assert ["cerebras error: The model failed in the middle of its answer."] == broken["failures"]


def test_text_of_anthropic_is_generated_and_streamed(
    seen: dict[str, Any], translating: Replay
) -> None:
    whole, streamed = seen["generatedByAnthropic"], seen["streamedByAnthropic"]
    recorded = translating.recorded(WHOLE)
    deltas = (event.get("delta", {}) for event in translating.recorded(STREAM))

    assert recorded["content"][0]["text"] == whole["text"]
    assert (1455, 129) == (whole["input"], whole["output"])
    assert "".join(delta.get("text", "") for delta in deltas) == streamed["text"]
    assert ("length", 100) == (streamed["finishReason"], streamed["usage"])
