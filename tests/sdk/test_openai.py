"""The unmodified `openai` SDK: chat, completions, embeddings, models, responses."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.sdk.stage import CLIENT_KEY, STORED_KEY, Stage

HELLO: Any = [{"role": "user", "content": "Hello you"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        },
    },
}


class Trip(BaseModel):
    """What a structured answer is to hold."""

    city: str
    nights: int


# ---- chat


def test_a_chat_is_answered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="fake", messages=HELLO)

    assert "You said: Hello you" == answer.choices[0].message.content
    assert "stop" == answer.choices[0].finish_reason
    assert answer.usage is not None and 6 == answer.usage.total_tokens


async def test_an_async_chat_is_answered(async_client: openai.AsyncOpenAI) -> None:
    answer = await async_client.chat.completions.create(model="fake", messages=HELLO)

    assert "You said: Hello you" == answer.choices[0].message.content


def test_the_provider_gets_the_stored_key_and_never_the_callers(
    client: openai.OpenAI, stage: Stage
) -> None:
    client.chat.completions.create(model="fake", messages=HELLO)
    (received,) = stage.fake.requests

    assert f"Bearer {STORED_KEY}" == received.headers.get("authorization")
    assert all(CLIENT_KEY.encode() not in value for _, value in received.headers)


def test_parameters_that_nobody_knows_reach_the_provider(
    client: openai.OpenAI, stage: Stage
) -> None:
    client.chat.completions.create(
        model="fake", messages=HELLO, logprobs=True, top_logprobs=2, extra_body={"novel": [1.50]}
    )
    sent = stage.fake.requests[0].json()

    assert (True, 2, [1.5]) == (sent["logprobs"], sent["top_logprobs"], sent["novel"])


def test_a_model_may_name_its_provider(client: openai.OpenAI, stage: Stage) -> None:
    answer = client.chat.completions.create(model="@fake/fake", messages=HELLO)

    assert "fake" == answer.model == stage.fake.requests[0].json()["model"]
    assert stage.fake.requests[0].headers.get("authorization") is None


def test_several_choices_are_answered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="fake", messages=HELLO, n=3)

    assert [0, 1, 2] == [choice.index for choice in answer.choices]
    assert {"You said: Hello you"} == {choice.message.content for choice in answer.choices}


def test_json_mode_and_a_schema_are_obeyed(client: openai.OpenAI) -> None:
    free = client.chat.completions.create(
        model="fake", messages=HELLO, response_format={"type": "json_object"}
    )
    parsed = client.chat.completions.parse(model="fake", messages=HELLO, response_format=Trip)

    assert {"reply": "You said: Hello you"} == json.loads(free.choices[0].message.content or "")
    assert Trip(city="You said: Hello you", nights=1) == parsed.choices[0].message.parsed


# ---- chat, streamed


@pytest.mark.parametrize("asks", [False, True], ids=["without-usage", "with-usage"])
def test_a_stream_has_usage_only_where_it_is_asked_for(
    client: openai.OpenAI, stage: Stage, asks: bool
) -> None:
    """The gateway asks in any case, for its log, and keeps the answer to itself."""
    options: Any = {"stream_options": {"include_usage": True}} if asks else {}
    trace = f"usage-{asks}"
    stream = client.chat.completions.create(
        model="fake",
        messages=HELLO,
        stream=True,
        extra_headers={"x-llmgateway-trace-id": trace},
        **options,
    )
    chunks = list(stream)
    totals = [chunk.usage.total_tokens for chunk in chunks if chunk.usage]

    assert "You said: Hello you" == said(chunks)
    assert ([6] if asks else []) == totals
    assert asks == any(not chunk.choices for chunk in chunks)
    assert {"include_usage": True} == stage.fake.requests[0].json()["stream_options"]
    assert 6 == stage.records.of(trace).usage.total


async def test_an_async_stream_is_whole(async_client: openai.AsyncOpenAI) -> None:
    stream = await async_client.chat.completions.create(
        model="fake-tokens-40", messages=HELLO, stream=True
    )
    chunks = [chunk async for chunk in stream]

    assert " ".join(f"word{number}" for number in range(1, 41)) == said(chunks)


def test_several_choices_are_streamed(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="fake", messages=HELLO, stream=True, n=3)
    chunks = list(stream)
    finished = {c.index for chunk in chunks for c in chunk.choices if c.finish_reason}

    assert {0, 1, 2} == finished
    assert {"You said: Hello you"} == {said(chunks, index) for index in range(3)}


def test_the_sdks_own_stream_helper_works(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="fake", messages=HELLO, response_format=Trip
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()

    assert {"content.delta", "content.done"} <= kinds
    assert Trip(city="You said: Hello you", nights=1) == final.choices[0].message.parsed


def test_a_stream_that_lacks_its_done_gets_one(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="fake-no-done", messages=HELLO, stream=True
    ) as response:
        lines = list(response.iter_lines())

    assert ["data: [DONE]", ""] == lines[-2:]


def said(chunks: list[Any], index: int = 0) -> str:
    """Return the text of one choice of a streamed chat."""
    choices = (choice for chunk in chunks for choice in chunk.choices)
    return "".join(c.delta.content or "" for c in choices if c.index == index)


# ---- tools


def test_a_tool_is_called_and_its_result_is_read(client: openai.OpenAI) -> None:
    asked = client.chat.completions.create(model="fake", messages=HELLO, tools=[WEATHER])
    message = asked.choices[0].message
    (call,) = message.tool_calls or []
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    turns: Any = [*HELLO, message.to_dict(), result]
    told = client.chat.completions.create(model="fake", messages=turns, tools=[WEATHER])

    assert "tool_calls" == asked.choices[0].finish_reason and call.type == "function"
    assert {"city": "Hello you", "days": 1} == json.loads(call.function.arguments)
    assert "The tool said: rain" == told.choices[0].message.content


def test_a_tool_that_is_demanded_is_called(client: openai.OpenAI) -> None:
    other: Any = {"type": "function", "function": {"name": "other"}}
    answer = client.chat.completions.create(
        model="fake",
        messages=HELLO,
        tools=[WEATHER, other],
        tool_choice={"type": "function", "function": {"name": "other"}},
    )
    (call,) = answer.choices[0].message.tool_calls or []

    assert call.type == "function" and "other" == call.function.name


def test_the_arguments_of_a_tool_are_streamed(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="fake", messages=HELLO, tools=[WEATHER], stream=True
    )
    choices = [choice for chunk in stream for choice in chunk.choices]
    calls = [call for choice in choices for call in choice.delta.tool_calls or []]
    arguments = [call.function.arguments or "" for call in calls if call.function]

    assert [calls[0].id] == [call.id for call in calls if call.id]
    assert len(arguments) > 2
    assert {"city": "Hello you", "days": 1} == json.loads("".join(arguments))
    assert "tool_calls" == choices[-1].finish_reason


# ---- completions, embeddings, moderations, models


@pytest.mark.parametrize("prompt", ["Hello you", ["Hello you", "there"]], ids=["one", "two"])
def test_completions_are_answered_and_streamed(client: openai.OpenAI, prompt: Any) -> None:
    whole = client.completions.create(model="fake", prompt=prompt)
    chunks = list(client.completions.create(model="fake", prompt=prompt, stream=True))
    streamed = [
        "".join(c.text for chunk in chunks for c in chunk.choices if c.index == index)
        for index in range(len(whole.choices))
    ]

    assert "You said: Hello you" == whole.choices[0].text
    assert [choice.text for choice in whole.choices] == streamed
    assert not any(chunk.usage for chunk in chunks)


def test_embeddings_are_the_same_packed_and_plain(client: openai.OpenAI, stage: Stage) -> None:
    packed = client.embeddings.create(model="fake", input=["a", "b"])
    plain = client.embeddings.create(model="fake", input=["a", "b"], encoding_format="float")
    formats = [received.json()["encoding_format"] for received in stage.fake.requests]

    assert ["base64", "float"] == formats
    assert [item.embedding for item in plain.data] == [item.embedding for item in packed.data]
    assert plain.data[0].embedding != plain.data[1].embedding


async def test_async_embeddings_are_answered(async_client: openai.AsyncOpenAI) -> None:
    answer = await async_client.embeddings.create(model="fake", input="a", dimensions=4)

    assert 4 == len(answer.data[0].embedding)


def test_moderations_are_answered(client: openai.OpenAI) -> None:
    results = client.moderations.create(input=["fine", "a forbidden one"]).results

    assert [False, True] == [result.flagged for result in results]


def test_models_of_all_providers_are_listed_by_names_that_can_be_called(
    client: openai.OpenAI,
) -> None:
    ids = [model.id for model in client.models.list()]
    answer = client.chat.completions.create(model="@openai/fake-tokens-1000", messages=HELLO)

    assert {"@fake/fake", "@openai/fake-tokens-1000"} <= set(ids)
    assert "fake-tokens-1000" == answer.model


def test_models_of_one_provider_are_listed_as_it_names_them(client: openai.OpenAI) -> None:
    named = {"x-llmgateway-provider": "fake"}

    assert "fake" in {model.id for model in client.models.list(extra_headers=named)}
    assert "fake-503" == client.models.retrieve("fake-503").id


# ---- responses


def test_a_response_is_kept_until_it_is_deleted(client: openai.OpenAI) -> None:
    made = client.responses.create(model="fake", input="Hello", instructions="Be brief")

    assert "You said: Hello" == made.output_text
    assert made == client.responses.retrieve(made.id)
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_what_is_only_fetched_counts_no_usage(client: openai.OpenAI, stage: Stage) -> None:
    made = client.responses.create(model="fake", input="Hello")
    fetched = client.responses.retrieve(made.id, extra_headers={"x-llmgateway-trace-id": "fetched"})

    assert fetched.usage is not None and 0 < fetched.usage.total_tokens
    assert 0 == stage.records.of("fetched").usage.total


def test_the_input_of_a_response_is_listed(client: openai.OpenAI) -> None:
    made = client.responses.create(model="fake", input="Hello")
    items = client.responses.input_items.list(made.id, limit=5)

    assert ["message"] == [item.type for item in items]


def test_a_streamed_response_follows_its_grammar(client: openai.OpenAI, stage: Stage) -> None:
    trace = "streamed-response"
    with client.responses.stream(
        model="fake", input="Hello you", extra_headers={"x-llmgateway-trace-id": trace}
    ) as stream:
        events = list(stream)
        final = stream.get_final_response()

    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert "response.completed" == events[-1].type
    assert "You said: Hello you" == final.output_text
    assert 6 == stage.records.of(trace).usage.total


async def test_an_async_response_calls_a_function(async_client: openai.AsyncOpenAI) -> None:
    tool: Any = {"type": "function", **WEATHER["function"]}
    async with async_client.responses.stream(model="fake", input="Oslo", tools=[tool]) as stream:
        deltas = [event async for event in stream if event.type.endswith("arguments.delta")]
        call = (await stream.get_final_response()).output[0]

    assert call.type == "function_call" and len(deltas) > 1
    assert {"city": "Oslo", "days": 1} == json.loads(call.arguments)


def test_a_structured_response_is_parsed(client: openai.OpenAI) -> None:
    parsed = client.responses.parse(model="fake", input="Oslo", text_format=Trip)

    assert Trip(city="You said: Oslo", nights=1) == parsed.output_parsed


# ---- heads


def test_raw_responses_show_the_gateways_headers(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="fake", messages=HELLO, extra_headers={"x-llmgateway-trace-id": "my-trace"}
    )
    head = raw.headers

    assert "You said: Hello you" == raw.parse().choices[0].message.content
    assert "my-trace" == head["x-llmgateway-trace-id"]
    assert ("config", "openai") == (
        head["x-llmgateway-last-used-option-index"],
        head["x-llmgateway-provider"],
    )
    assert ("0", "DISABLED") == (
        head["x-llmgateway-retry-attempt-count"],
        head["x-llmgateway-cache-status"],
    )
    assert "private, no-store" == head["cache-control"]
    assert raw.request_id is not None and raw.request_id.startswith("fake-")


def test_a_trace_id_is_made_where_none_is_sent(client: openai.OpenAI) -> None:
    heads = [client.models.with_raw_response.retrieve("fake").headers for _ in range(2)]
    made = {head["x-llmgateway-trace-id"] for head in heads}

    assert 2 == len(made) and all(len(trace) >= 16 for trace in made)


def test_a_streamed_body_can_be_read_raw(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="fake", messages=HELLO, stream=True
    ) as response:
        body = b"".join(response.iter_bytes())

    assert response.headers["content-type"].startswith("text/event-stream")
    assert body.endswith(b"\n\ndata: [DONE]\n\n")
    assert b'"usage"' not in body.replace(b'"usage":null', b"")
