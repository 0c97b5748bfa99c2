"""The unmodified `openai` SDK, chat and responses, with Anthropic and Gemini behind the gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.sdk.messages import (
    GEMINI_SAYS_FINE,
    THINKING_OF_CLAUDE,
    THINKING_OF_GEMINI,
    events_of,
    gemini,
)
from tests.sdk.replay import PIXEL_BASE64, Replay
from tests.sdk.stage import CLIENT_KEY

CLAUDE, GEMINI = "@anthropic/claude-opus-4-6", "@google/gemini-2.5-pro"
HELLO: Any = [{"role": "user", "content": "Hello you"}]
PARAMETERS: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
FLAT_WEATHER: Any = {"type": "function", "name": "weather", "parameters": PARAMETERS}
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
BOTH = pytest.mark.parametrize("model", [CLAUDE, GEMINI], ids=["anthropic", "google"])


class Dog(BaseModel):
    """What a recorded answer holds."""

    name: str
    age: int
    bio: str


class Trip(BaseModel):
    """What a structured answer is to hold."""

    city: str
    nights: int


@pytest.fixture
def client(replay: Replay) -> Iterator[openai.OpenAI]:
    """The `openai` SDK, which does not retry."""
    with openai.OpenAI(base_url=replay.stage.url, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


def thinks(replay: Replay, model: str, streamed: bool) -> None:
    """Let the model think and call a tool, or two of them."""
    if model == CLAUDE and streamed:
        replay.streams(events_of(THINKING_OF_CLAUDE))
    elif model == CLAUDE:
        replay.answers(THINKING_OF_CLAUDE)
    elif streamed:
        replay.streams([gemini(THINKING_OF_GEMINI[:1], None), gemini(THINKING_OF_GEMINI[1:])])
    else:
        replay.answers(gemini(THINKING_OF_GEMINI))


def says_fine(replay: Replay, model: str) -> None:
    """Let the model say "Fine."."""
    fine = {
        **THINKING_OF_CLAUDE,
        "content": [{"type": "text", "text": "Fine."}],
        "stop_reason": "end_turn",
    }
    replay.answers(fine if model == CLAUDE else GEMINI_SAYS_FINE)


def returned(replay: Replay, model: str) -> Any:
    """Return the model's own turn as it came back, and the results after it."""
    body = replay.sent[-1].body
    if model == CLAUDE:
        turn, results = body["messages"][1:3]
        return turn["content"], [block["content"] for block in results["content"]]
    turn, results = body["contents"][1:3]
    parts = [
        {
            "functionCall": {k: v for k, v in part["functionCall"].items() if k != "id"},
            **{key: part[key] for key in part if key == "thoughtSignature"},
        }
        for part in turn["parts"]
        if "functionCall" in part
    ]
    outputs = [part["functionResponse"]["response"]["output"] for part in results["parts"]]
    return parts, outputs


def own_turn(model: str) -> Any:
    """Return the turn that has to come back; Gemini wants its signatures, not its thoughts."""
    return THINKING_OF_CLAUDE["content"] if model == CLAUDE else THINKING_OF_GEMINI[1:]


# ---- chat


def test_what_is_asked_reaches_anthropic(client: openai.OpenAI, replay: Replay) -> None:
    case = "anthropic/messages/tools-legacy"
    replay.plays(case)
    picture = {"url": f"data:image/png;base64,{PIXEL_BASE64}"}
    turns: Any = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": [{"type": "image_url", "image_url": picture}]},
    ]
    answer = client.chat.completions.create(
        model=CLAUDE,
        messages=turns,
        tools=[WEATHER],
        tool_choice="required",
        max_completion_tokens=99,
        stop="END",
    )
    sent = replay.sent[0].body
    calls = answer.choices[0].message.tool_calls or []

    assert replay.recorded(case)["content"][0]["text"] == answer.choices[0].message.content
    assert "tool_calls" == answer.choices[0].finish_reason
    assert ["get_weather", "get_time"] == [c.function.name for c in calls if c.type == "function"]
    assert (514, 152, 666) == _counts(answer.usage)
    assert (99, ["END"], {"type": "any"}) == (
        sent["max_tokens"],
        sent["stop_sequences"],
        sent["tool_choice"],
    )
    assert "Be brief" in str(sent["system"])
    source = sent["messages"][0]["content"][0]["source"]
    assert {"type": "base64", "media_type": "image/png", "data": PIXEL_BASE64} == source
    assert PARAMETERS == sent["tools"][0]["input_schema"]
    assert "2023-06-01" == replay.sent[0].headers["anthropic-version"]


def _counts(usage: Any) -> tuple[int, int, int]:
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens


@pytest.mark.parametrize("asks", [False, True], ids=["without-usage", "with-usage"])
def test_a_recorded_stream_has_the_usage_that_is_asked_for(
    client: openai.OpenAI, replay: Replay, asks: bool
) -> None:
    """With the cached tokens among those read, as OpenAI counts them."""
    case = "anthropic/messages/completion-stream-cache-read"
    replay.plays(case)
    options: Any = {"stream_options": {"include_usage": True}} if asks else {}
    chunks = list(
        client.chat.completions.create(model=CLAUDE, messages=HELLO, stream=True, **options)
    )
    text = "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)
    used = [chunk.usage for chunk in chunks if chunk.usage]
    start, *events = replay.recorded(case)
    read = start["message"]["usage"]

    assert "".join(e["delta"]["text"] for e in events if "text" in e.get("delta", {})) == text
    assert ["length"] == [c.finish_reason for k in chunks for c in k.choices if c.finish_reason]
    assert asks == bool(used)
    for usage in used:
        cached = read["cache_read_input_tokens"]
        assert usage.prompt_tokens_details and cached == usage.prompt_tokens_details.cached_tokens
        assert (cached + read["input_tokens"], 100) == _counts(usage)[:2]


def test_a_recorded_stream_of_gemini_is_read_whole(client: openai.OpenAI, replay: Replay) -> None:
    case = "gemini/chat/streaming-success-citations"
    replay.plays(case)
    with client.chat.completions.stream(model=GEMINI, messages=HELLO) as stream:
        final = stream.get_final_completion().choices[0]
    parts = [p for e in replay.recorded(case) for p in e["candidates"][0]["content"]["parts"]]

    assert "".join(part["text"] for part in parts) == final.message.content
    assert "stop" == final.finish_reason


def test_usage_of_gemini_counts_thoughts_and_what_was_cached(
    client: openai.OpenAI, replay: Replay
) -> None:
    case = "gemini/chat/research-workflow-generates-steps-5"
    replay.plays(case)
    usage = client.chat.completions.create(model=GEMINI, messages=HELLO).usage
    recorded = replay.recorded(case)["usageMetadata"]

    assert usage and usage.prompt_tokens_details and usage.completion_tokens_details
    assert (557, 143, 700) == _counts(usage)
    assert recorded["cachedContentTokenCount"] == usage.prompt_tokens_details.cached_tokens
    assert recorded["thoughtsTokenCount"] == usage.completion_tokens_details.reasoning_tokens


@BOTH
@STREAMED
def test_reasoning_and_calls_come_back_as_they_were(
    client: openai.OpenAI, replay: Replay, model: str, streamed: bool
) -> None:
    thinks(replay, model, streamed)
    ask: Any = {"model": model, "tools": [WEATHER], "reasoning_effort": "low"}
    if streamed:
        with client.chat.completions.stream(messages=HELLO, **ask) as stream:
            choice: Any = stream.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(messages=HELLO, **ask).choices[0]
    calls = choice.message.tool_calls
    says_fine(replay, model)
    results = [{"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in calls]
    turns: Any = [*HELLO, choice.message.to_dict(), *results]
    told = client.chat.completions.create(messages=turns, **ask)

    assert "tool_calls" == choice.finish_reason
    assert "Two cities." == choice.message.reasoning_content
    assert {"city": "Oslo"} == json.loads(calls[0].function.arguments)
    assert (own_turn(model), ["rain"] * len(calls)) == returned(replay, model)
    assert "Fine." == told.choices[0].message.content


def test_a_structured_answer_is_parsed(client: openai.OpenAI, replay: Replay) -> None:
    replay.plays("anthropic/messages/opus-46-schema-stream")
    with client.chat.completions.stream(
        model=CLAUDE, messages=HELLO, response_format=Dog
    ) as stream:
        parsed = stream.get_final_completion().choices[0].message.parsed
    sent = replay.sent[0].body["output_config"]["format"]

    assert parsed is not None and ("Biscuit", 4) == (parsed.name, parsed.age)
    assert ["name", "age", "bio"] == sent["schema"]["required"]


def test_a_structured_answer_of_gemini_is_parsed(client: openai.OpenAI, replay: Replay) -> None:
    replay.answers(gemini([{"text": '{"city": "Oslo", "nights": 2}'}]))
    parsed = client.chat.completions.parse(model=GEMINI, messages=HELLO, response_format=Trip)
    sent = replay.sent[0].body["generationConfig"]

    assert Trip(city="Oslo", nights=2) == parsed.choices[0].message.parsed
    assert "application/json" == sent["responseMimeType"]
    assert ["city", "nights"] == sent["responseJsonSchema"]["required"]


def test_embeddings_of_gemini_are_unpacked(client: openai.OpenAI, replay: Replay) -> None:
    case = "gemini/embeddings/embedding-gemini-embedding-2"
    replay.plays(case)
    answer = client.embeddings.create(model="@google/gemini-embedding-2", input=["Hello"])
    recorded = replay.recorded(case)["embeddings"][0]["values"]

    assert pytest.approx(recorded, rel=1e-5) == answer.data[0].embedding


# ---- responses


@BOTH
@STREAMED
def test_reasoning_items_and_calls_come_back_as_they_were(
    client: openai.OpenAI, replay: Replay, model: str, streamed: bool
) -> None:
    thinks(replay, model, streamed)
    ask: Any = {
        "model": model,
        "tools": [FLAT_WEATHER],
        "reasoning": {"effort": "low"},
        "store": False,
    }
    answer = respond(client, streamed, input="Hello you", **ask)
    items = [item.to_dict() for item in answer.output]
    calls = [item for item in items if item["type"] == "function_call"]
    results = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
        for call in calls
    ]
    says_fine(replay, model)
    turns: Any = [*HELLO, *items, *results]
    told = client.responses.create(input=turns, **ask)

    assert "reasoning" == items[0]["type"]
    assert "Two cities." == items[0]["summary"][0]["text"]
    assert all(item["encrypted_content"] for item in items if item["type"] == "reasoning")
    assert {"city": "Oslo"} == json.loads(calls[0]["arguments"])
    assert (own_turn(model), ["rain"] * len(calls)) == returned(replay, model)
    assert "Fine." == told.output_text


def respond(client: openai.OpenAI, streamed: bool, **ask: Any) -> Any:
    """Ask for a response, as a whole or by the stream helper."""
    if not streamed:
        return client.responses.create(**ask)
    with client.responses.stream(**ask) as stream:
        events: Any = list(stream)
    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert "response.created" == events[0].type
    return events[-1].response  # `get_final_response` knows no incomplete ones


@STREAMED
def test_a_response_of_anthropic_is_read_whole(
    client: openai.OpenAI, replay: Replay, streamed: bool
) -> None:
    case = "completion-stream-cache-read" if streamed else "research-workflow-generates-steps-2"
    replay.plays(f"anthropic/messages/{case}")
    answer = respond(client, streamed, model=CLAUDE, input="Hello", instructions="Be brief")
    recorded = replay.recorded(f"anthropic/messages/{case}")

    if streamed:
        deltas = (event.get("delta", {}) for event in recorded)
        assert "".join(delta.get("text", "") for delta in deltas) == answer.output_text
        assert ("incomplete", "max_output_tokens") == (
            answer.status,
            answer.incomplete_details.reason,
        )
        assert 1031 == answer.usage.input_tokens_details.cached_tokens
    else:
        assert recorded["content"][0]["text"] == answer.output_text
        assert (1455, 129, 1584) == (
            answer.usage.input_tokens,
            answer.usage.output_tokens,
            answer.usage.total_tokens,
        )
    assert "Be brief" in str(replay.sent[0].body["system"])


@BOTH
def test_a_structured_response_is_parsed(client: openai.OpenAI, replay: Replay, model: str) -> None:
    text = '{"city": "Oslo", "nights": 2}'
    claude = {**THINKING_OF_CLAUDE, "content": [{"type": "text", "text": text}]}
    replay.answers(claude if model == CLAUDE else gemini([{"text": text}]))
    parsed = client.responses.parse(model=model, input="Oslo", text_format=Trip)

    assert Trip(city="Oslo", nights=2) == parsed.output_parsed


@STREAMED
def test_a_provider_without_responses_is_reached_by_chat(
    client: openai.OpenAI, replay: Replay, streamed: bool
) -> None:
    answer = respond(client, streamed, model="@cerebras/fake", input="Hello you")

    assert ("You said: Hello you", "completed") == (answer.output_text, answer.status)
    assert "/v1/chat/completions" == replay.stage.fake.requests[0].path


def test_what_needs_a_store_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        client.responses.create(model=CLAUDE, input="Hello", previous_response_id="resp_1")


# ---- errors

CLASSES: Any = {
    400: openai.BadRequestError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    529: openai.InternalServerError,
}


@BOTH
@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize("api", ["chat", "responses"])
@STREAMED
def test_a_status_is_an_exception_class(
    client: openai.OpenAI, replay: Replay, model: str, status: int, api: str, streamed: bool
) -> None:
    replay.fails(status)
    create: Any = client.chat.completions.create if api == "chat" else client.responses.create
    asked: Any = {"messages": HELLO} if api == "chat" else {"input": "Hello"}
    with pytest.raises(CLASSES[status]) as caught:
        create(model=model, stream=streamed, **asked)

    assert status == caught.value.status_code
    assert f"{model[1:].split('/')[0]} error: injected" in caught.value.message


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_error_within_a_stream_raises(client: openai.OpenAI, replay: Replay, api: str) -> None:
    begun = list(events_of(THINKING_OF_CLAUDE))[:3]
    error = {"type": "overloaded_error", "message": "Overloaded"}
    replay.streams([*begun, {"type": "error", "error": error}])
    create: Any = client.chat.completions.create if api == "chat" else client.responses.create
    asked: Any = {"messages": HELLO} if api == "chat" else {"input": "Hello"}
    with pytest.raises(openai.APIError, match="Overloaded"):
        list(create(model=CLAUDE, stream=True, **asked))
