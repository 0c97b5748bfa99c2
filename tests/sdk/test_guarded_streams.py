"""What unmodified SDKs make of guarded streams: masks, denials on the way, reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors as genai_errors
from google.genai import types
from portkey_ai import Portkey
from portkey_ai._vendor import openai as vendored

from tests.sdk.stage import CLIENT_KEY, Stage

SAID = "Please write to ann@b.example.com about the pears"
MASKED = "You said: Please write to [EMAIL_ADDRESS] about the pears"
MASKS = {"output_guardrails": [{"default.pii": {"categories": ["EMAIL_ADDRESS"], "redact": True}}]}
DENIES = {
    "output_guardrails": [
        {"default.contains": {"operator": "none", "words": ["about"]}, "deny": True}
    ]
}
BEFORE = "You said: Please write to ann@b.example.com "
HELLO: Any = [{"role": "user", "content": SAID}]


def head(config: Any) -> dict[str, str]:
    """Return the header that states a config."""
    return {"x-portkey-config": json.dumps(config)}


def passed(results: Any) -> list[bool]:
    """Return the verdicts of the output's guardrails."""
    return [hook["verdict"] for hook in results["after_request_hooks"]]


# ---- openai


def read_chat(stream: Any) -> tuple[str, list[Any], list[Any]]:
    """Return a stream's text, reasons to finish and results, up to its error or end."""
    text, finishes, results = "", [], []
    try:
        for chunk in stream:
            results += [chunk.hook_results] if getattr(chunk, "hook_results", None) else []
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finishes += [choice.finish_reason] if choice.finish_reason else []
    except (openai.APIError, vendored.APIError) as error:
        results.append(error)
    return text, finishes, results


def test_a_masked_chat(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="fake", messages=HELLO, stream=True, extra_headers=head(MASKS)
    )
    text, finishes, (results,) = read_chat(stream)

    assert (MASKED, ["stop"], [True]) == (text, finishes, passed(results))


def test_a_masked_chat_put_together_by_the_sdk(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="fake", messages=HELLO, extra_headers=head(MASKS)
    ) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion()

    assert MASKED == answer.choices[0].message.content


def test_a_denied_chat(client: openai.OpenAI, stage: Stage) -> None:
    stream = client.chat.completions.create(
        model="fake", messages=HELLO, stream=True, extra_headers=head(DENIES)
    )
    text, finishes, (results, error) = read_chat(stream)

    assert text and BEFORE.startswith(text)
    assert (["content_filter"], [False]) == (finishes, passed(results))
    assert isinstance(error, openai.APIError)
    assert "guardrail checks" in error.message
    assert 1 == len(stage.fake.requests)


def test_a_chat_denied_before_the_release(client: openai.OpenAI) -> None:
    config = {"output_guardrails": [{**DENIES["output_guardrails"][0], "stream_mode": "hold"}]}
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(
            model="fake", messages=HELLO, stream=True, extra_headers=head(config)
        )

    assert 446 == caught.value.status_code


def test_a_masked_response(client: openai.OpenAI) -> None:
    with client.responses.stream(model="fake", input=SAID, extra_headers=head(MASKS)) as stream:
        events = list(stream)
        answer = stream.get_final_response()

    assert MASKED == answer.output_text
    assert "response.completed" == events[-1].type  # what it adds to it the helper leaves out


def test_the_report_of_a_response(client: openai.OpenAI) -> None:
    stream = client.responses.create(
        model="fake", input=SAID, stream=True, extra_headers=head(MASKS)
    )
    *_, last = stream
    told: Any = last

    assert [True] == passed(told.hook_results)


def test_a_denied_response(client: openai.OpenAI) -> None:
    stream = client.responses.create(
        model="fake", input=SAID, stream=True, extra_headers=head(DENIES)
    )
    events: list[Any] = []
    with pytest.raises(openai.APIError, match="guardrail checks"):
        for event in stream:
            events.append(event)

    assert "response.incomplete" == events[-1].type
    assert "content_filter" == events[-1].response.incomplete_details.reason
    assert [False] == passed(events[-1].hook_results)


# ---- portkey


@pytest.mark.parametrize("config", [MASKS, DENIES], ids=["masked", "denied"])
def test_portkey(config: Any, stage: Stage) -> None:
    client: Any = Portkey(base_url=stage.url, api_key=CLIENT_KEY, provider="openai", config=config)
    stream = client.chat.completions.create(model="fake", messages=HELLO, stream=True)
    text, finishes, (results, *errors) = read_chat(stream)
    client.close()
    client.openai_client.close()

    if config is MASKS:
        assert (MASKED, ["stop"], []) == (text, finishes, errors)
    else:
        assert (["content_filter"], 1) == (finishes, len(errors))
        assert BEFORE.startswith(text)
    assert [config is MASKS] == passed(results)


# ---- anthropic


@pytest.fixture
def claude(stage: Stage) -> Iterator[anthropic.Anthropic]:
    """The `anthropic` SDK, which does not retry."""
    origin = stage.url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=origin, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


def test_a_masked_message(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(
        model="fake", max_tokens=99, messages=HELLO, extra_headers=head(MASKS)
    ) as stream:
        message = stream.get_final_message()

    assert [MASKED] == [block.text for block in message.content if block.type == "text"]
    assert "end_turn" == message.stop_reason


def test_the_report_of_a_message(claude: anthropic.Anthropic) -> None:
    stream = claude.messages.create(
        model="fake", max_tokens=99, messages=HELLO, stream=True, extra_headers=head(MASKS)
    )
    *_, last = stream
    told: Any = last

    assert "message_stop" == told.type
    assert [True] == passed(told.hook_results)


def test_a_denied_message(claude: anthropic.Anthropic) -> None:
    stream = claude.messages.create(
        model="fake", max_tokens=99, messages=HELLO, stream=True, extra_headers=head(DENIES)
    )
    events: list[Any] = []
    with pytest.raises(anthropic.APIError, match="guardrail checks"):
        for event in stream:
            events.append(event)

    assert ["content_block_stop", "message_delta"] == [event.type for event in events[-2:]]
    assert "refusal" == events[-1].delta.stop_reason
    assert [False] == passed(events[-1].hook_results)


# ---- google-genai


def generated(stage: Stage, config: Any) -> Iterator[types.GenerateContentResponse]:
    """Ask for a stream with the `google-genai` SDK."""
    options = types.HttpOptions(
        base_url=stage.url.removesuffix("/v1"),
        headers={**head(config), "authorization": f"Bearer {CLIENT_KEY}"},
    )
    with genai.Client(api_key=CLIENT_KEY, http_options=options) as client:
        yield from client.models.generate_content_stream(model="fake", contents=SAID)


def test_a_masked_candidate(stage: Stage) -> None:
    chunks = list(generated(stage, MASKS))

    assert MASKED == "".join(chunk.text or "" for chunk in chunks if chunk.candidates)


def test_a_denied_candidate(stage: Stage) -> None:
    chunks = []
    with pytest.raises(genai_errors.APIError, match="guardrail checks"):
        for chunk in generated(stage, DENIES):
            chunks.append(chunk)

    assert chunks[-1].candidates
    assert types.FinishReason.SAFETY == chunks[-1].candidates[0].finish_reason
