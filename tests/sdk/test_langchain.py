"""LangChain's unmodified clients: ChatOpenAI and ChatAnthropic, in front of every format."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from tests.sdk.messages import THINKING_OF_CLAUDE, events_of, gemini
from tests.sdk.replay import Replay
from tests.sdk.stage import CLIENT_KEY

CLAUDE, GEMINI = "@anthropic/claude-opus-4-6", "@google/gemini-2.5-pro"
BY_BUDGET = "@anthropic/claude-opus-4-5"
"""A model that wants its thinking back before the results of its tools."""


class Trip(BaseModel):
    """What a structured answer is to hold."""

    city: str
    nights: int


@tool
def weather(city: str) -> str:
    """Tells the weather."""
    return f"rain in {city}"


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is traced, and no setting of this machine counts."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")


def chat_openai(replay: Replay, model: str, **options: Any) -> ChatOpenAI:
    """Return LangChain's client of OpenAI's format."""
    return ChatOpenAI(
        model=model,
        base_url=replay.stage.url,
        api_key=SecretStr(CLIENT_KEY),
        max_retries=0,
        **options,
    )


def chat_anthropic(replay: Replay, model: str, **options: Any) -> ChatAnthropic:
    """Return LangChain's client of Anthropic's format."""
    given: Any = {
        "model": model,
        "anthropic_api_url": replay.origin,
        "api_key": CLIENT_KEY,
        "max_tokens": 4096,
        "max_retries": 0,
        **options,
    }
    return ChatAnthropic(**given)


def of_kind(replay: Replay, kind: str, model: str, **options: Any) -> BaseChatModel:
    """Return one of the two clients."""
    return (chat_openai if kind == "openai" else chat_anthropic)(replay, model, **options)


def text_of(message: Any) -> str:
    """Return the words of a message, in whichever form LangChain has them."""
    return str(message.text)


KINDS = pytest.mark.parametrize("kind", ["openai", "anthropic"])


# ---- in front of OpenAI's format


@KINDS
def test_a_chat_is_answered_and_streamed(replay: Replay, kind: str) -> None:
    model = of_kind(replay, kind, "@openai/fake")
    turns = [SystemMessage("Be brief"), HumanMessage("Hello you")]
    answer = model.invoke(turns)
    pieces = list(model.stream(turns))

    assert "You said: Hello you" == text_of(answer)
    assert "You said: Hello you" == "".join(text_of(piece) for piece in pieces)
    assert answer.usage_metadata is not None
    assert 4 == answer.usage_metadata["output_tokens"]
    assert "system" == replay.stage.fake.requests[0].json()["messages"][0]["role"]


@KINDS
async def test_a_chat_is_answered_and_streamed_async(replay: Replay, kind: str) -> None:
    model = of_kind(replay, kind, "@openai/fake")
    answer = await model.ainvoke("Hello you")
    texts = [text_of(piece) async for piece in model.astream("Hello you")]

    assert "You said: Hello you" == text_of(answer) == "".join(texts)


@KINDS
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_is_called_and_its_result_is_read(replay: Replay, kind: str, streamed: bool) -> None:
    model = of_kind(replay, kind, "@openai/fake").bind_tools([weather])
    turns: list[Any] = [HumanMessage("Oslo")]
    asked: Any = _ask(model, streamed, turns)
    results: list[ToolMessage] = [weather.invoke(call) for call in asked.tool_calls]
    told = _ask(model, streamed, [*turns, asked, *results])

    assert [("weather", {"city": "Oslo"})] == [(c["name"], c["args"]) for c in asked.tool_calls]
    assert "The tool said: rain in Oslo" == text_of(told)


def _ask(model: Any, streamed: bool, turns: Any) -> Any:
    if not streamed:
        return model.invoke(turns)
    first, *others = model.stream(turns)
    for piece in others:
        first = first + piece
    return first


@KINDS
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_a_structured_answer_is_parsed(replay: Replay, kind: str, method: str) -> None:
    model = of_kind(replay, kind, "@openai/fake")
    parsed = model.with_structured_output(Trip, method=method).invoke("Oslo")
    text = "Oslo" if method == "function_calling" else "You said: Oslo"

    assert Trip(city=text, nights=1) == parsed


def test_texts_are_embedded_without_a_tokenizer(replay: Replay) -> None:
    """It would be downloaded; `check_embedding_ctx_length` switches that off."""
    embeddings = OpenAIEmbeddings(
        model="@openai/fake",
        base_url=replay.stage.url,
        api_key=SecretStr(CLIENT_KEY),
        max_retries=0,
        check_embedding_ctx_length=False,
    )
    one, two = embeddings.embed_documents(["a", "b"])

    assert len(one) == len(two) and one != two


# ---- in front of Anthropic and Gemini


@KINDS
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_of_anthropic_is_called_and_its_result_is_read(
    replay: Replay, kind: str, streamed: bool
) -> None:
    """Thinking goes back with its signature, or, where the client loses it, not at all."""
    if streamed:
        replay.streams(events_of(THINKING_OF_CLAUDE))
    else:
        replay.answers(THINKING_OF_CLAUDE)
    name = CLAUDE if kind == "anthropic" else BY_BUDGET
    model = of_kind(replay, kind, name, **_thinking(kind)).bind_tools([weather])
    turns: list[Any] = [HumanMessage("Oslo")]
    asked = _ask(model, streamed, turns)
    replay.answers({**THINKING_OF_CLAUDE, "content": [{"type": "text", "text": "Fine."}]})
    results: list[ToolMessage] = [weather.invoke(call) for call in asked.tool_calls]
    told = model.invoke([*turns, asked, *results])
    sent = replay.sent[1].body

    assert [("weather", {"city": "Oslo"})] == [(c["name"], c["args"]) for c in asked.tool_calls]
    assert "Fine." == text_of(told)
    blocks = sent["messages"][1]["content"]
    kinds = [block["type"] for block in blocks]
    if kind == "anthropic":
        assert THINKING_OF_CLAUDE["content"] == [_plain(block) for block in blocks]
    else:
        # Else Anthropic would refuse the turn; with adaptive thinking it does not ask.
        assert ["tool_use"] == kinds
        assert ["enabled", "disabled"] == [
            s.body.get("thinking", {}).get("type") for s in replay.sent
        ]
    assert "toolu_1" == sent["messages"][2]["content"][0]["tool_use_id"]


def _thinking(kind: str) -> dict[str, Any]:
    if kind == "openai":
        return {"reasoning_effort": "low", "use_responses_api": False}
    return {"thinking": {"type": "adaptive"}}


def _plain(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block without what LangChain adds to it."""
    return {key: value for key, value in block.items() if key != "index" and value is not None}


@KINDS
def test_a_recorded_stream_of_anthropic_is_read_whole(replay: Replay, kind: str) -> None:
    case = "anthropic/messages/completion-stream-cache-read"
    replay.plays(case)
    pieces = list(of_kind(replay, kind, CLAUDE).stream("Hello"))
    deltas = (event.get("delta", {}) for event in replay.recorded(case))

    assert "".join(delta.get("text", "") for delta in deltas) == "".join(map(text_of, pieces))


@KINDS
def test_a_recorded_stream_of_gemini_is_read_whole(replay: Replay, kind: str) -> None:
    case = "gemini/chat/streaming-success-citations"
    replay.plays(case)
    pieces = list(of_kind(replay, kind, GEMINI).stream("Hello"))
    parts = [p for e in replay.recorded(case) for p in e["candidates"][0]["content"]["parts"]]

    assert "".join(part["text"] for part in parts) == "".join(map(text_of, pieces))


@KINDS
def test_a_structured_answer_of_gemini_is_parsed(replay: Replay, kind: str) -> None:
    replay.answers(gemini([{"text": '{"city": "Oslo", "nights": 2}'}]))
    model = of_kind(replay, kind, GEMINI)
    parsed = model.with_structured_output(Trip, method="json_schema").invoke("Oslo")

    assert Trip(city="Oslo", nights=2) == parsed


def test_reasoning_items_of_the_responses_api_come_back_whole(replay: Replay) -> None:
    replay.answers(THINKING_OF_CLAUDE)
    model = chat_openai(
        replay,
        CLAUDE,
        use_responses_api=True,
        output_version="responses/v1",
        store=False,
        include=["reasoning.encrypted_content"],
        reasoning={"effort": "low"},
    ).bind_tools([weather])
    turns: list[Any] = [HumanMessage("Oslo")]
    asked = model.invoke(turns)
    replay.answers(THINKING_OF_CLAUDE)
    model.invoke([*turns, asked, *[weather.invoke(call) for call in asked.tool_calls]])

    assert THINKING_OF_CLAUDE["content"] == replay.sent[1].body["messages"][1]["content"]


# ---- errors


@pytest.mark.parametrize("behind", [CLAUDE, GEMINI, "@openai/fake-429"])
@KINDS
def test_an_error_is_the_sdks_own(replay: Replay, kind: str, behind: str) -> None:
    replay.fails(429)
    with pytest.raises((openai.RateLimitError, anthropic.RateLimitError)) as caught:
        of_kind(replay, kind, behind).invoke("Hello")

    assert kind in type(caught.value).__module__ or kind in str(type(caught.value).__mro__)
