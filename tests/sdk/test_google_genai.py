"""The unmodified `google-genai` SDK at Gemini's door, in front of all three formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from tests.sdk.messages import THINKING_OF_CLAUDE
from tests.sdk.messages import gemini as said_by_gemini
from tests.sdk.replay import PIXEL, PIXEL_BASE64, Replay
from tests.sdk.stage import CLIENT_KEY, STORED_KEY

Gemini = Callable[..., genai.Client]

CLAUDE = "claude-opus-4-6"
MODEL = "gemini-2.5-pro"


class Trip(BaseModel):
    """What a structured answer is to hold."""

    city: str
    nights: int


def weather(city: str) -> str:
    """Tells the weather."""
    return f"rain in {city}"


WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="weather",
            description="Tells the weather",
            parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}},
        )
    ]
)
MANUAL = types.AutomaticFunctionCallingConfig(disable=True)


@pytest.fixture
def gemini(replay: Replay) -> Iterator[Gemini]:
    """Returns the SDK in front of a provider; without options it does not retry."""
    with ExitStack() as clients:

        def client(provider: str = "", version: str = "v1beta") -> genai.Client:
            options = types.HttpOptions(
                base_url=replay.origin,
                api_version=version,
                headers={"x-llmgateway-provider": provider} if provider else {},
            )
            return clients.enter_context(genai.Client(api_key=CLIENT_KEY, http_options=options))

        yield client


def asked(replay: Replay, index: int = -1) -> Any:
    """Return what the fake provider was asked."""
    return replay.stage.fake.requests[index].json()


def parts_of(answer: types.GenerateContentResponse) -> list[types.Part]:
    """Return the parts of the only candidate."""
    (candidate,) = answer.candidates or []
    return (candidate.content and candidate.content.parts) or []


def turns_after(answer: types.GenerateContentResponse, *results: types.Part) -> Any:
    """Return the history that gives every call its result."""
    first = types.Content(role="user", parts=[types.Part(text="Oslo")])
    (candidate,) = answer.candidates or []
    return [first, candidate.content, types.Content(role="user", parts=list(results))]


# ---- in front of OpenAI's format


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_content_is_generated_and_streamed(gemini: Gemini, version: str) -> None:
    models = gemini("openai", version).models
    answer = models.generate_content(model="fake", contents="Hello you")
    pieces = list(models.generate_content_stream(model="fake", contents="Hello you"))
    texts = [piece.text for piece in pieces if piece.text]

    assert "You said: Hello you" == answer.text
    assert ["You", " said:", " Hello", " you"] == texts
    for last in (answer, pieces[-1]):
        assert last.candidates and types.FinishReason.STOP == last.candidates[0].finish_reason
        assert last.usage_metadata and 6 == last.usage_metadata.total_token_count
        assert "fake" == last.model_version


async def test_async_content_is_generated_and_streamed(gemini: Gemini) -> None:
    async with gemini("openai").aio as client:
        answer = await client.models.generate_content(model="fake", contents="Hello you")
        stream = await client.models.generate_content_stream(model="fake", contents="Hello you")
        texts = [piece.text or "" async for piece in stream]

    assert "You said: Hello you" == answer.text == "".join(texts)


@pytest.mark.parametrize(
    ("behind", "model", "expected"),
    [
        ("openai", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("openai", "models/fake", "fake"),
        ("", "@openai/fake", "fake"),
        ("", "@openai/org/gpt", "org/gpt"),
        ("openai", "ft:gpt-4o:acme::id", "ft:gpt-4o:acme::id"),
    ],
    ids=["slash", "models-prefix", "provider", "provider-and-slash", "colons"],
)
@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_a_model_may_have_any_name(
    gemini: Gemini, replay: Replay, behind: str, model: str, expected: str, version: str
) -> None:
    models = gemini(behind, version).models
    models.generate_content(model=model, contents="Hello you")
    models.embed_content(model=model, contents="Hello you")

    assert [expected] * 2 == [asked(replay, index)["model"] for index in (0, 1)]


def test_what_is_asked_reaches_a_chat(gemini: Gemini, replay: Replay) -> None:
    picture = types.Part.from_bytes(data=PIXEL, mime_type="image/png")
    answer = gemini("openai").models.generate_content(
        model="fake",
        contents=["Hello", picture],
        config=types.GenerateContentConfig(
            system_instruction="Be brief",
            stop_sequences=["END"],
            max_output_tokens=50,
            temperature=0.5,
        ),
    )
    sent = asked(replay)

    assert "You said: Hello [image_url]" == answer.text
    assert {"role": "system", "content": "Be brief"} == sent["messages"][0]
    image = {"url": f"data:image/png;base64,{PIXEL_BASE64}"}
    assert image == sent["messages"][1]["content"][1]["image_url"]
    assert (["END"], 50, 0.5) == (sent["stop"], sent["max_completion_tokens"], sent["temperature"])


@pytest.mark.parametrize("form", ["schema", "json_schema"])
def test_a_structured_answer_is_parsed(gemini: Gemini, replay: Replay, form: str) -> None:
    schema: Any = (
        {"response_schema": Trip}
        if form == "schema"
        else {"response_json_schema": Trip.model_json_schema()}
    )
    answer = gemini("openai").models.generate_content(
        model="fake",
        contents="Oslo",
        config=types.GenerateContentConfig(response_mime_type="application/json", **schema),
    )
    sent = asked(replay)["response_format"]["json_schema"]["schema"]

    assert Trip(city="You said: Oslo", nights=1) == Trip.model_validate_json(answer.text or "")
    assert {"city": "string", "nights": "integer"} == {
        name: kind["type"] for name, kind in sent["properties"].items()
    }


def test_a_function_is_called_by_hand(gemini: Gemini, replay: Replay) -> None:
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=MANUAL)
    models = gemini("openai").models
    answer = models.generate_content(model="fake", contents="Oslo", config=config)
    (call,) = answer.function_calls or []
    result = types.Part.from_function_response(name="weather", response={"result": "rain"})
    told = models.generate_content(
        model="fake", contents=turns_after(answer, result), config=config
    )

    assert ("weather", {"city": "Oslo"}) == (call.name, call.args)
    assert told.text is not None and "rain" in told.text
    turns = asked(replay)["messages"]
    assert ["user", "assistant", "tool"] == [turn["role"] for turn in turns]
    assert turns[1]["tool_calls"][0]["id"] == turns[2]["tool_call_id"]


def test_a_function_is_called_by_the_sdk_itself(gemini: Gemini, replay: Replay) -> None:
    config = types.GenerateContentConfig(tools=[weather])
    answer = gemini("openai").chats.create(model="fake", config=config).send_message("Oslo")

    assert answer.text is not None and "rain in Oslo" in answer.text
    assert ["user", "assistant", "tool"] == [turn["role"] for turn in asked(replay)["messages"]]


def test_a_function_call_is_streamed(gemini: Gemini) -> None:
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=MANUAL)
    pieces = list(
        gemini("openai").models.generate_content_stream(
            model="fake", contents="Oslo", config=config
        )
    )
    (call,) = [call for piece in pieces for call in piece.function_calls or []]

    assert ("weather", {"city": "Oslo"}) == (call.name, call.args)


@pytest.mark.parametrize(
    ("mode", "expected"), [("AUTO", "auto"), ("ANY", "required"), ("NONE", "none")]
)
def test_the_choice_of_functions_is_translated(
    gemini: Gemini, replay: Replay, mode: str, expected: str
) -> None:
    chosen = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode(mode))
    config = types.GenerateContentConfig(
        tools=[WEATHER],
        automatic_function_calling=MANUAL,
        tool_config=types.ToolConfig(function_calling_config=chosen),
    )
    gemini("openai").models.generate_content(model="fake", contents="Oslo", config=config)

    assert expected == asked(replay)["tool_choice"]


def test_a_chat_remembers(gemini: Gemini, replay: Replay) -> None:
    chat = gemini("openai").chats.create(model="fake")
    first = chat.send_message("Hello")
    second = "".join(piece.text or "" for piece in chat.send_message_stream("you"))
    chat.send_message("again")

    assert ("You said: Hello", "You said: you") == (first.text, second)
    texts = [turn["content"] for turn in asked(replay)["messages"] if turn["role"] == "user"]
    assert ["Hello", "you", "again"] == texts


@pytest.mark.parametrize("contents", ["a", ["a", "b"]], ids=["one", "several"])
def test_contents_are_embedded(gemini: Gemini, replay: Replay, contents: Any) -> None:
    answer = gemini("openai").models.embed_content(
        model="fake",
        contents=contents,
        config=types.EmbedContentConfig(output_dimensionality=4),
    )
    vectors = [embedding.values for embedding in answer.embeddings or []]

    assert [4] * len(contents) == [len(vector or []) for vector in vectors]
    assert 4 == asked(replay)["dimensions"]


def test_a_count_is_an_estimate_where_nobody_counts(gemini: Gemini) -> None:
    count = gemini("openai").models.count_tokens(model="fake", contents="Hello you")

    assert count.total_tokens and 0 < count.total_tokens < 20
    assert count.sdk_http_response and count.sdk_http_response.headers
    assert "estimate" == count.sdk_http_response.headers["x-llmgateway-token-count"]


# ---- in front of Anthropic


def test_recorded_parallel_calls_of_anthropic_and_their_results(
    gemini: Gemini, replay: Replay
) -> None:
    replay.plays("anthropic/messages/tools-legacy", "anthropic/messages/async-with-max-tokens")
    config = types.GenerateContentConfig(tools=[WEATHER], automatic_function_calling=MANUAL)
    models = gemini("anthropic").models
    answer = models.generate_content(model=CLAUDE, contents="Oslo", config=config)
    calls = answer.function_calls or []
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"result": text}
            )
        )
        for call, text in zip(calls, ["rain", "noon"], strict=True)
    ]
    told = models.generate_content(
        model=CLAUDE, contents=turns_after(answer, *results), config=config
    )
    sent = replay.sent[1].body["messages"]

    assert ["get_weather", "get_time"] == [call.name for call in calls]
    assert "# The Last Song of Vaelthys" == told.text
    assert told.candidates
    assert types.FinishReason.MAX_TOKENS == told.candidates[0].finish_reason
    uses = [block["id"] for block in sent[1]["content"] if block["type"] == "tool_use"]
    assert uses == [block["tool_use_id"] for block in sent[2]["content"]]
    assert ["toolu_012r6TBCWjRHG71j6zruYyUL", "toolu_01SkeBKkLCNYWNuivqFerGDd"] == uses


def test_a_recorded_stream_of_anthropic_is_read_whole(gemini: Gemini, replay: Replay) -> None:
    case = "anthropic/messages/completion-stream-cache-read"
    replay.plays(case)
    pieces = list(
        gemini("anthropic").models.generate_content_stream(model=CLAUDE, contents="Hello")
    )
    events = replay.recorded(case)
    usage = pieces[-1].usage_metadata

    assert "".join(
        event["delta"]["text"] for event in events if event["type"] == "content_block_delta"
    ) == "".join(piece.text or "" for piece in pieces)
    recorded = events[0]["message"]["usage"]
    assert usage is not None
    assert recorded["cache_read_input_tokens"] == usage.cached_content_token_count
    assert 100 == usage.candidates_token_count


def test_thinking_of_anthropic_comes_back_as_it_was(gemini: Gemini, replay: Replay) -> None:
    replay.answers(THINKING_OF_CLAUDE, THINKING_OF_CLAUDE)
    config = types.GenerateContentConfig(
        tools=[WEATHER],
        automatic_function_calling=MANUAL,
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2048),
    )
    models = gemini("anthropic").models
    answer = models.generate_content(model=CLAUDE, contents="Oslo", config=config)
    result = types.Part.from_function_response(name="weather", response={"result": "rain"})
    models.generate_content(model=CLAUDE, contents=turns_after(answer, result), config=config)

    assert ["Two cities."] == [p.text for p in parts_of(answer) if p.thought and p.text]
    assert THINKING_OF_CLAUDE["content"] == replay.sent[1].body["messages"][1]["content"]


# ---- in front of Gemini itself


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_recorded_content_is_read_as_it_is(gemini: Gemini, replay: Replay, version: str) -> None:
    case = "gemini/chat/agent-run-async"
    replay.plays(case)
    answer = gemini("google", version).models.generate_content(model=MODEL, contents="Hello")
    recorded = replay.recorded(case)["candidates"][0]["content"]["parts"]

    assert [part["functionCall"]["args"] for part in recorded] == [
        call.args for call in answer.function_calls or []
    ]
    assert parts_of(answer)[0].thought_signature
    assert f"/@gemini/v1beta/models/{MODEL}:generateContent" == replay.sent[0].path
    assert STORED_KEY == replay.sent[0].headers["x-goog-api-key"]
    assert CLIENT_KEY not in str(replay.sent[0])


def test_a_recorded_stream_is_read_whole(gemini: Gemini, replay: Replay) -> None:
    case = "gemini/chat/streaming-success-citations"
    replay.plays(case)
    pieces = gemini("google").models.generate_content_stream(model=MODEL, contents="Hello")
    recorded = [p for e in replay.recorded(case) for p in e["candidates"][0]["content"]["parts"]]

    assert [part["text"] for part in recorded] == [piece.text for piece in pieces]
    assert f"/@gemini/v1beta/models/{MODEL}:streamGenerateContent?alt=sse" == replay.sent[0].path


def test_tokens_are_counted_and_contents_embedded_natively(gemini: Gemini, replay: Replay) -> None:
    replay.plays(
        "gemini/count_tokens/google-count-tokens-6",
        "gemini/embeddings/embedding-gemini-embedding-2",
    )
    models = gemini().models
    count = models.count_tokens(model=f"@google/{MODEL}", contents="Hello")
    embedded = models.embed_content(model="@google/gemini-embedding-2", contents="Hello")

    assert 11 == count.total_tokens
    assert [3072] == [len(vector.values or []) for vector in embedded.embeddings or []]
    assert "models/gemini-embedding-2" == replay.sent[1].body["requests"][0]["model"]


# ---- errors


STATUSES: Any = {
    400: (errors.ClientError, "INVALID_ARGUMENT"),
    404: (errors.ClientError, "NOT_FOUND"),
    429: (errors.ClientError, "RESOURCE_EXHAUSTED"),
    500: (errors.ServerError, "INTERNAL"),
    503: (errors.ServerError, "UNAVAILABLE"),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("behind", ["openai", "anthropic"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_status_is_an_exception_class_when_translated(
    gemini: Gemini, replay: Replay, behind: str, status: int, streamed: bool
) -> None:
    replay.fails(status)
    models = gemini(behind).models
    ask: Any = {"model": f"fake-{status}", "contents": "Hello"}
    kind, word = STATUSES[status]
    with pytest.raises(kind) as caught:
        if streamed:
            list(models.generate_content_stream(**ask))
        else:
            models.generate_content(**ask)

    assert (status, word) == (caught.value.code, caught.value.status)
    assert f"{behind} error: " in str(caught.value.message)


def test_an_error_of_geminis_keeps_its_words(gemini: Gemini, replay: Replay) -> None:
    replay.plays("gemini/embeddings/embed-error")
    with pytest.raises(errors.ClientError) as caught:
        gemini("google").models.embed_content(model="m", contents="Hello")

    assert (404, "NOT_FOUND") == (caught.value.code, caught.value.status)
    assert "google error: models/nonexistent-model is not found" in str(caught.value.message)


def test_an_unknown_key_is_refused(replay: Replay) -> None:
    options = types.HttpOptions(base_url=replay.origin)
    with (
        genai.Client(api_key="wrong", http_options=options) as client,
        pytest.raises(errors.ClientError) as caught,
    ):
        client.models.generate_content(model="@openai/fake", contents="Hello")

    assert (401, "UNAUTHENTICATED") == (caught.value.code, caught.value.status)


def test_an_error_within_a_translated_stream_raises_after_its_words(gemini: Gemini) -> None:
    texts: list[str | None] = []
    with pytest.raises(errors.ServerError) as caught:
        texts.extend(
            piece.text
            for piece in gemini("openai").models.generate_content_stream(
                model="fake-stream-error", contents="Hello"
            )
        )

    assert ["You", " said:"] == texts
    assert (500, "INTERNAL") == (caught.value.code, caught.value.status)


def test_an_error_within_geminis_own_stream_raises(gemini: Gemini, replay: Replay) -> None:
    fault = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    replay.streams([said_by_gemini([{"text": "Hel"}], None), {"error": fault}])
    with pytest.raises(errors.ServerError) as caught:
        list(gemini("google").models.generate_content_stream(model=MODEL, contents="Hello"))

    assert 503 == caught.value.code
