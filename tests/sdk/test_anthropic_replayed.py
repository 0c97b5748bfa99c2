"""The unmodified `anthropic` SDK at the Messages door, in front of recorded providers."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import ThinkingBlock

from tests.sdk.messages import (
    CLAUDE,
    GEMINI,
    GEMINI_SAYS_FINE,
    HELLO,
    PICTURE,
    THINKING_OF_CLAUDE,
    THINKING_OF_GEMINI,
    WEATHER,
    Sdk,
    ask,
    calls_of,
    events_of,
    gemini,
    results_of,
    text_of,
)
from tests.sdk.replay import PIXEL_BASE64, Replay
from tests.sdk.stage import CLIENT_KEY, STORED_KEY

# ---- Anthropic


def test_a_recorded_message_is_read_as_it_is(sdk: Sdk, replay: Replay) -> None:
    replay.plays("anthropic/messages/tools-legacy")
    message = sdk("anthropic").messages.create(messages=HELLO, tools=[WEATHER], **CLAUDE)

    assert replay.recorded("anthropic/messages/tools-legacy") == message.to_dict()
    assert ["get_weather", "get_time"] == [call.name for call in calls_of(message)]
    assert STORED_KEY == replay.sent[0].headers["x-api-key"]
    assert CLIENT_KEY not in str(replay.sent[0])


def test_a_recorded_stream_is_read_whole(sdk: Sdk, replay: Replay) -> None:
    case = "anthropic/messages/completion-stream-cache-read"
    replay.plays(case)
    with sdk("anthropic").messages.stream(messages=HELLO, **CLAUDE) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()

    events = replay.recorded(case)
    assert [e["delta"]["text"] for e in events if e["type"] == "content_block_delta"] == texts
    assert ("max_tokens", 100) == (final.stop_reason, final.usage.output_tokens)
    assert final.usage.cache_read_input_tokens


def test_versions_and_betas_pass_natively(sdk: Sdk, replay: Replay) -> None:
    replay.answers(THINKING_OF_CLAUDE, THINKING_OF_CLAUDE)
    client = sdk("anthropic")
    client.beta.messages.create(messages=HELLO, betas=["context-1m-2025-08-07"], **CLAUDE)
    client.messages.create(
        messages=HELLO, extra_headers={"anthropic-version": "2023-01-01"}, **CLAUDE
    )
    first, second = replay.sent

    assert "context-1m-2025-08-07" == first.headers["anthropic-beta"]
    assert "2023-01-01" == second.headers["anthropic-version"]
    assert "/@anthropic/v1/messages" == first.path.split("?")[0]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_thinking_and_its_signature_are_kept_across_turns_natively(
    sdk: Sdk, replay: Replay, streamed: bool
) -> None:
    if streamed:
        replay.streams(events_of(THINKING_OF_CLAUDE))
    else:
        replay.answers(THINKING_OF_CLAUDE)
    client = sdk("anthropic")
    thinking: Any = {"type": "adaptive"}
    asked = ask(client, streamed, messages=HELLO, tools=[WEATHER], thinking=thinking, **CLAUDE)
    replay.answers(THINKING_OF_CLAUDE)
    turns: Any = [
        *HELLO,
        {"role": "assistant", "content": asked.content},
        results_of(asked, "rain"),
    ]
    client.messages.create(messages=turns, tools=[WEATHER], thinking=thinking, **CLAUDE)

    assert THINKING_OF_CLAUDE["content"] == [
        {key: value for key, value in block.items() if value is not None}
        for block in replay.sent[1].body["messages"][1]["content"]
    ]


def test_a_count_is_anthropics_own(sdk: Sdk, replay: Replay) -> None:
    replay.plays("anthropic/count_tokens/token-count-complete-exceeds-new-2")
    raw = sdk("anthropic").messages.with_raw_response.count_tokens(
        model="claude-opus-4-6", messages=HELLO
    )

    assert 36 == raw.parse().input_tokens
    assert "x-llmgateway-token-count" not in raw.headers
    assert "/@anthropic/v1/messages/count_tokens" == replay.sent[0].path


# ---- Gemini


def test_what_is_asked_reaches_gemini(sdk: Sdk, replay: Replay) -> None:
    replay.answers(gemini([{"text": "Hi."}]))
    turns: Any = [{"role": "user", "content": [{"type": "text", "text": "Hello"}, PICTURE]}]
    message = sdk("google").messages.create(
        system=[{"type": "text", "text": "Be brief"}],
        messages=turns,
        stop_sequences=["END"],
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "weather"},
        **GEMINI,
    )
    sent = replay.sent[0].body

    assert ("Hi.", "end_turn") == (text_of(message), message.stop_reason)
    assert (9, 7) == (message.usage.input_tokens, message.usage.output_tokens)
    assert [{"text": "Be brief"}] == sent["systemInstruction"]["parts"]
    picture = {"mimeType": "image/png", "data": PIXEL_BASE64}
    assert [{"text": "Hello"}, {"inlineData": picture}] == sent["contents"][0]["parts"]
    assert ["END"] == sent["generationConfig"]["stopSequences"]
    assert ["weather"] == sent["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"]


def test_a_recorded_stream_of_gemini_is_read_whole(sdk: Sdk, replay: Replay) -> None:
    case = "gemini/chat/streaming-success-citations"
    replay.plays(case)
    with sdk("google").messages.stream(messages=HELLO, **GEMINI) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    parts = [p for e in replay.recorded(case) for p in e["candidates"][0]["content"]["parts"]]
    assert "".join(part["text"] for part in parts) == text == text_of(final)
    assert "end_turn" == final.stop_reason
    assert 15 == final.usage.input_tokens


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_thinking_and_parallel_calls_of_gemini_come_back_as_they_were(
    sdk: Sdk, replay: Replay, streamed: bool
) -> None:
    if streamed:
        first, *others = THINKING_OF_GEMINI
        replay.streams([gemini([first], None), gemini(others)])
    else:
        replay.answers(gemini(THINKING_OF_GEMINI))
    client = sdk("google")
    thinking: Any = {"type": "enabled", "budget_tokens": 2048}
    options = {**GEMINI, "tools": [WEATHER], "thinking": thinking}
    asked = ask(client, streamed, messages=HELLO, **options)
    replay.answers(GEMINI_SAYS_FINE)
    turns: Any = [
        *HELLO,
        {"role": "assistant", "content": asked.content},
        results_of(asked, "rain", "sun"),
    ]
    told = client.messages.create(messages=turns, **options)
    sent = replay.sent[1].body["contents"]

    assert ["Two cities."] == [b.thinking for b in asked.content if isinstance(b, ThinkingBlock)]
    assert [{"city": "Oslo"}, {"city": "Rome"}] == [call.input for call in calls_of(asked)]
    assert "tool_use" == asked.stop_reason
    calls = [part for part in sent[1]["parts"] if "functionCall" in part]
    assert ["c2lnbmVk", None] == [part.get("thoughtSignature") for part in calls]
    assert ["Oslo", "Rome"] == [part["functionCall"]["args"]["city"] for part in calls]
    results = [part["functionResponse"] for part in sent[2]["parts"]]
    assert ["weather", "weather"] == [result["name"] for result in results]
    assert "rain" in str(results[0]) and "sun" in str(results[1])
    assert "Fine." == text_of(told)


def test_a_recorded_call_of_gemini_keeps_its_signature(sdk: Sdk, replay: Replay) -> None:
    case = "gemini/chat/agent-run-async"
    replay.plays(case)
    asked = sdk("google").messages.create(messages=HELLO, **GEMINI)
    replay.answers(GEMINI_SAYS_FINE)
    turns: Any = [
        *HELLO,
        {"role": "assistant", "content": asked.content},
        results_of(asked, "a", "b"),
    ]
    sdk("google").messages.create(messages=turns, **GEMINI)

    recorded = replay.recorded(case)["candidates"][0]["content"]["parts"]
    returned = replay.sent[1].body["contents"][1]["parts"]
    assert [part["functionCall"]["args"] for part in recorded] == [
        part["functionCall"]["args"] for part in returned
    ]
    assert [part.get("thoughtSignature") for part in recorded] == [
        part.get("thoughtSignature") for part in returned
    ]


def test_a_count_is_geminis_own(sdk: Sdk, replay: Replay) -> None:
    replay.plays("gemini/count_tokens/google-count-tokens-6")
    raw = sdk("google").messages.with_raw_response.count_tokens(
        model="gemini-2.5-pro", messages=HELLO
    )

    assert 11 == raw.parse().input_tokens
    assert "x-llmgateway-token-count" not in raw.headers
