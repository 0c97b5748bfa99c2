"""The unmodified `anthropic` SDK at the Messages door, in front of OpenAI's format."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from tests.sdk.messages import (
    FAKE,
    HELLO,
    PICTURE,
    WEATHER,
    Sdk,
    Trip,
    ask,
    calls_of,
    results_of,
    text_of,
)
from tests.sdk.replay import PIXEL_BASE64, Replay
from tests.sdk.stage import CLIENT_KEY


def test_a_message_is_answered(sdk: Sdk, replay: Replay) -> None:
    message = sdk("openai").messages.create(messages=HELLO, **FAKE)

    assert ("You said: Hello you", "end_turn", "fake") == (
        text_of(message),
        message.stop_reason,
        message.model,
    )
    assert (2, 4) == (message.usage.input_tokens, message.usage.output_tokens)
    assert message.id.startswith("msg_") and message._request_id


async def test_an_async_message_is_answered_and_streamed(replay: Replay) -> None:
    async with anthropic.AsyncAnthropic(
        base_url=replay.origin, api_key=CLIENT_KEY, max_retries=0
    ) as client:
        ask: Any = {**FAKE, "model": "@openai/fake", "messages": HELLO}
        message = await client.messages.create(**ask)
        async with client.messages.stream(**ask) as stream:
            streamed = [text async for text in stream.text_stream]

    assert "You said: Hello you" == text_of(message) == "".join(streamed)


def test_a_message_is_streamed(sdk: Sdk) -> None:
    with sdk("openai").messages.stream(messages=HELLO, **FAKE) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()

    assert ["You", " said:", " Hello", " you"] == texts
    assert ("You said: Hello you", "end_turn") == (text_of(final), final.stop_reason)
    assert (2, 4) == (final.usage.input_tokens, final.usage.output_tokens)


def test_raw_events_follow_the_grammar(sdk: Sdk) -> None:
    kinds = [
        event.type for event in sdk("openai").messages.create(messages=HELLO, stream=True, **FAKE)
    ]

    assert ["message_start", "content_block_start"] == kinds[:2]
    assert ["content_block_stop", "message_delta", "message_stop"] == kinds[-3:]
    assert {"content_block_delta"} == set(kinds[2:-3]) - {"ping"}


def test_what_is_asked_reaches_a_chat(sdk: Sdk, replay: Replay) -> None:
    system: Any = [{"type": "text", "text": "Be brief"}, {"type": "text", "text": "Be kind"}]
    turns: Any = [{"role": "user", "content": [{"type": "text", "text": "Hello"}, PICTURE]}]
    message = sdk("openai").messages.create(
        system=system,
        messages=turns,
        stop_sequences=["END"],
        extra_body={"temperature": 0.5},
        **FAKE,
    )
    sent = replay.stage.fake.requests[0].json()

    assert "You said: Hello [image_url]" == text_of(message)
    assert ["Be brief", "Be kind"] == _texts(sent["messages"][0])
    image = {"url": f"data:image/png;base64,{PIXEL_BASE64}"}
    assert {"type": "image_url", "image_url": image} == sent["messages"][1]["content"][1]
    assert (["END"], 0.5, 64) == (sent["stop"], sent["temperature"], sent["max_completion_tokens"])


def _texts(message: dict[str, Any]) -> list[str]:
    assert message["role"] == "system"
    content = message["content"]
    return content.split("\n\n") if isinstance(content, str) else [p["text"] for p in content]


def test_what_finds_no_place_is_named(sdk: Sdk) -> None:
    raw = sdk("openai").messages.with_raw_response.create(
        messages=HELLO, extra_body={"top_k": 5}, **FAKE
    )

    assert "top_k" in raw.headers.get("x-llmgateway-dropped-params", "")


def test_the_end_for_want_of_tokens_is_told(sdk: Sdk) -> None:
    message = sdk("openai").messages.create(model="fake", max_tokens=2, messages=HELLO)

    assert ("You said:", "max_tokens") == (text_of(message), message.stop_reason)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_is_called_and_its_result_is_read(sdk: Sdk, replay: Replay, streamed: bool) -> None:
    client = sdk("openai")
    asked = ask(client, streamed, messages=HELLO, tools=[WEATHER], **FAKE)
    (call,) = calls_of(asked)
    turns: Any = [
        *HELLO,
        {"role": "assistant", "content": asked.content},
        results_of(asked, "rain"),
    ]
    told = ask(client, streamed, messages=turns, tools=[WEATHER], **FAKE)

    assert ("tool_use", "weather", {"city": "Hello you"}) == (
        asked.stop_reason,
        call.name,
        call.input,
    )
    assert "The tool said: rain" == text_of(told)
    roles = [message["role"] for message in replay.stage.fake.requests[-1].json()["messages"]]
    assert ["user", "assistant", "tool"] == roles


def test_results_of_parallel_calls_reach_a_chat_in_order(sdk: Sdk, replay: Replay) -> None:
    uses = [
        {"type": "tool_use", "id": f"toolu_{city}", "name": "weather", "input": {"city": city}}
        for city in ("Oslo", "Rome")
    ]
    results: Any = [
        {"type": "tool_result", "tool_use_id": "toolu_Oslo", "content": "rain"},
        {
            "type": "tool_result",
            "tool_use_id": "toolu_Rome",
            "is_error": True,
            "content": [{"type": "text", "text": "no such city"}],
        },
        {"type": "text", "text": "And now?"},
    ]
    turns: Any = [*HELLO, {"role": "assistant", "content": uses}, _user(results)]
    message = sdk("openai").messages.create(
        messages=turns, tools=[WEATHER], tool_choice={"type": "none"}, **FAKE
    )
    sent = replay.stage.fake.requests[0].json()["messages"]

    assert "You said: And now?" == text_of(message)
    assert ["user", "assistant", "tool", "tool", "user"] == [turn["role"] for turn in sent]
    assert ["toolu_Oslo", "toolu_Rome"] == [turn["tool_call_id"] for turn in sent[2:4]]
    assert ["toolu_Oslo", "toolu_Rome"] == [call["id"] for call in sent[1]["tool_calls"]]


def _user(content: Any) -> Any:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        (
            {"type": "tool", "name": "weather"},
            {"type": "function", "function": {"name": "weather"}},
        ),
    ],
    ids=["auto", "any", "none", "tool"],
)
def test_the_choice_of_tools_is_translated(
    sdk: Sdk, replay: Replay, choice: Any, expected: Any
) -> None:
    sdk("openai").messages.create(messages=HELLO, tools=[WEATHER], tool_choice=choice, **FAKE)

    assert expected == replay.stage.fake.requests[0].json()["tool_choice"]


def test_a_structured_answer_is_parsed(sdk: Sdk, replay: Replay) -> None:
    parsed = sdk("openai").messages.parse(messages=HELLO, output_format=Trip, **FAKE)

    assert Trip(city="You said: Hello you", nights=1) == parsed.parsed_output
    assert "json_schema" == replay.stage.fake.requests[0].json()["response_format"]["type"]


def test_a_count_is_an_estimate_where_nobody_counts(sdk: Sdk) -> None:
    raw = sdk("openai").messages.with_raw_response.count_tokens(model="fake", messages=HELLO)

    assert 0 < raw.parse().input_tokens < 20
    assert "estimate" == raw.headers["x-llmgateway-token-count"]
