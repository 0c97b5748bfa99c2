"""What each format asks for, takes for an answer and says of errors."""

from __future__ import annotations

import copy
from typing import Any

import httpx
import openai
import pytest

from llmgateway.codecs.audio import SPEECH, TRANSCRIPTION
from llmgateway.codecs.base import Format
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.codecs.responses import RESPONSES
from llmgateway.errors import GatewayError, UpstreamError, UpstreamTimeout
from llmgateway.types.usage import Usage

ALL: list[Format] = [
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    RESPONSES,
    IMAGES,
    SPEECH,
    TRANSCRIPTION,
    OPAQUE,
]
BYTES_TOO = {SPEECH.name, TRANSCRIPTION.name, OPAQUE.name}

by_name = pytest.mark.parametrize("wire", ALL, ids=lambda wire: wire.name)


@by_name
def test_success_must_be_json_where_it_always_is(wire: Format) -> None:
    assert (wire.name not in BYTES_TOO) == wire.is_json


def test_names_are_unique() -> None:
    assert len(ALL) == len({wire.name for wire in ALL})


@pytest.mark.parametrize("wire", [CHAT, COMPLETIONS], ids=lambda wire: wire.name)
@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": {}}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False}}, {"include_usage": True}),
        (
            {"stream_options": {"include_obfuscation": False}},
            {"include_obfuscation": False, "include_usage": True},
        ),
    ],
)
def test_usage_is_asked_for(wire: Format, options: dict[str, Any], asked: dict[str, Any]) -> None:
    request = {"model": "m", "stream": True, **options}
    before = copy.deepcopy(request)

    assert {**request, "stream_options": asked} == wire.ask_for_usage(request)
    assert before == request


@pytest.mark.parametrize(
    "request_",
    [
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True, "stream_options": "odd"},
        {"stream": False},
        {"stream": 1},
        {},
    ],
)
def test_usage_is_not_asked_for_without_need(request_: dict[str, Any]) -> None:
    assert CHAT.ask_for_usage(request_) is None


@by_name
def test_only_streams_of_choices_can_be_asked_for_usage(wire: Format) -> None:
    asked = wire.ask_for_usage({"stream": True})

    assert (wire in (CHAT, COMPLETIONS)) == (asked is not None)


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (CHAT, {"choices": [{"message": {"content": "a"}}]}),
        (CHAT, {"choices": []}),
        (COMPLETIONS, {"choices": [{"text": "a"}], "error": None}),
        (EMBEDDINGS, {"data": [{"embedding": [0.1]}]}),
        (EMBEDDINGS, {"embedding": [0.1]}),
        (RESPONSES, {"output": []}),
        (RESPONSES, {"object": "response", "status": "queued", "error": None}),
        (IMAGES, {"data": [{"url": "u"}]}),
        (IMAGES, {"images": [{"url": "u"}]}),
        (TRANSCRIPTION, {"text": "a"}),
        (SPEECH, {"audio_data": "QQ=="}),
        (OPAQUE, {"error": "none of our business"}),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else None,
)
def test_an_answer_is_one(wire: Format, body: dict[str, Any]) -> None:
    assert wire.is_answer(body)
    assert wire.body_error(body, "acme") is None


@pytest.mark.parametrize("body", [{}, {"choices": None}, {"choices": {}}, {"detail": "m"}])
@pytest.mark.parametrize(
    "wire", [CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, IMAGES], ids=lambda wire: wire.name
)
def test_a_body_without_what_makes_an_answer_is_none(wire: Format, body: dict[str, Any]) -> None:
    assert not wire.is_answer(body)
    assert wire.body_error(body, "acme") is None


@pytest.mark.parametrize(
    "wire", [CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, IMAGES], ids=lambda wire: wire.name
)
@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"error": {"message": "m", "code": 429}, "user_id": "u"}, 429, "m"),
        ({"error": {"code": 503}}, 503, "The provider answered with an error"),
        ({"error": "m", "choices": None, "data": None, "output": None}, 502, "m"),
    ],
)
def test_an_error_with_a_good_status_is_found(
    wire: Format, body: dict[str, Any], status: int, message: str
) -> None:
    error = wire.body_error(body, "acme")

    assert error is not None
    assert (status, "acme") == (error.status, error.provider)
    assert error.message.startswith(message)


@pytest.mark.parametrize(
    "body",
    [
        {"object": "response", "status": "failed", "error": {"code": "server_error"}, "output": []},
        {"object": "list", "data": []},
        {"object": "response.deleted", "deleted": True},
    ],
)
def test_every_object_of_the_responses_api_is_an_answer(body: dict[str, Any]) -> None:
    assert RESPONSES.is_answer(body)
    assert RESPONSES.body_error(body, "acme") is None
    assert not RESPONSES.is_answer({"object": "error"})


def test_usage_of_a_whole_body_is_read() -> None:
    body = {"usage": {"prompt_tokens": 3, "total_tokens": 3}}

    assert Usage(input=3) == EMBEDDINGS.usage(body)
    assert CHAT.usage({"choices": []}) is None


@by_name
def test_an_error_has_openai_s_shape(wire: Format) -> None:
    error = UpstreamTimeout("Try again.")

    assert error.to_openai("r") == wire.encode_error(error, "r")


UPSTREAM = UpstreamError("m", status=429, provider="acme", type="t", code="c", extra={"hint": 1})


def client(wire: Format, error: GatewayError) -> openai.OpenAI:
    """Return an unmodified SDK whose provider streams nothing but one error of ours."""
    answer = httpx.Response(
        200,
        headers={"content-type": "text/event-stream"},
        content=wire.error_event(error, "r"),
    )
    # SDKs use httpx or httpx2, one version or the other; at run time this one takes both.
    http: Any = httpx.Client(transport=httpx.MockTransport(lambda request: answer))
    return openai.OpenAI(api_key="k", max_retries=0, http_client=http)


@pytest.mark.parametrize("error", [UPSTREAM, UpstreamTimeout("m")], ids=["theirs", "ours"])
def test_the_sdk_raises_for_an_error_in_a_chat_stream(error: GatewayError) -> None:
    with client(CHAT, error) as sdk, pytest.raises(openai.APIError, match="m") as raised:
        list(sdk.chat.completions.create(model="m", messages=[], stream=True))

    assert error.code == raised.value.code


@pytest.mark.parametrize("error", [UPSTREAM, UpstreamTimeout("m")], ids=["theirs", "ours"])
def test_the_sdk_raises_for_an_error_in_a_response_stream(error: GatewayError) -> None:
    with client(RESPONSES, error) as sdk, pytest.raises(openai.APIError, match="m") as raised:
        list(sdk.responses.create(model="m", input="a", stream=True))

    assert error.code == raised.value.code


def test_a_response_stream_has_the_error_event_of_the_specification() -> None:
    name, data, *rest = RESPONSES.error_event(UPSTREAM, "r").split(b"\n")

    assert (b"event: error", [b"", b""]) == (name, rest)
    watch = RESPONSES.watch(None, "acme")
    assert data.startswith(b'data: {"type":"error","sequence_number":0,"code":"c","message":"acme')
    assert not watch.ended_well
