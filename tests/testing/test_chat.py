"""Chat and completions through the unmodified `openai` SDK, over real sockets."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from llmgateway.testing import FakeProvider

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 2},
                "unit": {"enum": ["C", "F"]},
            },
        },
    },
}


def test_an_answer_repeats_what_was_said(client: openai.OpenAI, fake: FakeProvider) -> None:
    answer = client.chat.completions.create(model="fake", messages=HELLO, n=2)

    assert ["You said: Hello there"] * 2 == [c.message.content for c in answer.choices]
    assert answer.usage is not None
    assert (2, 8, 10) == (
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
        answer.usage.total_tokens,
    )
    assert "Bearer sk-any" == fake.requests[-1].headers.get("authorization")
    assert "fake" == fake.requests[-1].json()["model"] == fake.requests[-1].model


async def test_the_async_sdk_gets_the_same_answer(async_client: openai.AsyncOpenAI) -> None:
    first = await async_client.chat.completions.create(model="fake", messages=HELLO)
    second = await async_client.chat.completions.create(model="fake", messages=HELLO)

    assert first == second


def test_a_stream_has_a_chunk_a_word_and_usage_if_asked(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="fake", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    words = [c.choices[0].delta.content for c in chunks if c.choices]

    assert ["", "You", " said:", " Hello", " there", None] == words
    assert [None] * 6 == [c.usage for c in chunks[:-1]]
    assert chunks[-1].usage is not None and 6 == chunks[-1].usage.total_tokens


async def test_a_stream_has_no_usage_unless_asked(async_client: openai.AsyncOpenAI) -> None:
    stream = await async_client.chat.completions.create(model="fake", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]

    assert all("usage" not in chunk.model_fields_set for chunk in chunks)


def test_a_tool_is_called_after_a_users_turn_and_its_result_is_told(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="fake", messages=HELLO, tools=[WEATHER])
    message = answer.choices[0].message
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert "function" == call.type
    arguments = json.loads(call.function.arguments)

    assert "tool_calls" == answer.choices[0].finish_reason
    assert {"city": "Hello there", "days": 2, "unit": "C"} == arguments

    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}
    history: Any = [*HELLO, message.model_dump(exclude_none=True), result]
    final = client.chat.completions.create(model="fake", messages=history, tools=[WEATHER])

    assert "The tool said: Sunny." == final.choices[0].message.content


def test_a_streamed_tool_call_adds_up(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="fake", messages=HELLO, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None

    assert "Hello there" == json.loads(message.tool_calls[0].function.arguments)["city"]


@pytest.mark.parametrize(
    ("choice", "role", "expected"),
    [
        ("none", "user", False),
        ("auto", "user", True),
        ("auto", "assistant", False),
        ("required", "assistant", True),
        ({"type": "function", "function": {"name": "weather"}}, "assistant", True),
    ],
)
def test_the_tool_choice_decides(
    client: openai.OpenAI, choice: Any, role: Any, expected: bool
) -> None:
    answer = client.chat.completions.create(
        model="fake",
        messages=[{"role": role, "content": "Hi"}],
        tools=[WEATHER],
        tool_choice=choice,
    )

    assert expected == bool(answer.choices[0].message.tool_calls)


def test_json_mode_gives_json(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="fake", messages=HELLO, response_format={"type": "json_object"}
    )

    assert {"reply": "You said: Hello there"} == json.loads(answer.choices[0].message.content or "")


class Step(BaseModel):
    """A part of a plan that has parts itself."""

    text: str
    done: bool
    steps: list[Step] | None


def test_a_schema_is_followed(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(model="fake", messages=HELLO, response_format=Step)
    step = answer.choices[0].message.parsed

    assert step is not None
    assert "You said: Hello there" == step.text
    assert step.done and step.steps


def test_a_limit_of_tokens_cuts_the_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="fake", messages=HELLO, max_tokens=2)

    assert ("You said:", "length") == (
        answer.choices[0].message.content,
        answer.choices[0].finish_reason,
    )


def test_a_long_answer_can_be_asked_for(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="fake-tokens-1000",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    assert 1000 == sum(1 for c in chunks if c.choices and c.choices[0].delta.content)
    assert chunks[-1].usage is not None and 1000 == chunks[-1].usage.completion_tokens


def test_completions_are_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="fake", prompt=["One", "Two"])
    stream = client.completions.create(
        model="fake", prompt="One", stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)

    assert ["You said: One", "You said: Two"] == [choice.text for choice in whole.choices]
    assert "You said: One" == "".join(c.choices[0].text for c in chunks if c.choices)
    assert "stop" == chunks[-2].choices[0].finish_reason
    assert chunks[-1].usage is not None


@pytest.mark.parametrize(
    "body",
    [
        {"messages": HELLO},
        {"model": "fake"},
        {"model": "fake", "messages": []},
        {"model": "fake", "messages": HELLO, "n": 0},
        {"model": "fake", "messages": HELLO, "max_tokens": 0},
    ],
)
def test_a_bad_body_is_refused(client: openai.OpenAI, body: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", body=body, cast_to=object)
