"""All other endpoints through the unmodified `openai` SDK, over real sockets."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import httpx
import openai
import pytest

from llmgateway.testing import PARTS, FakeProvider
from llmgateway.testing.answers import FakeError
from llmgateway.testing.multipart import KEPT_FILE_BYTES
from llmgateway.testing.shelf import MAX_KEPT, Box


def test_embeddings_are_the_same_packed_and_plain(client: openai.OpenAI) -> None:
    """The SDK asks for base64 unless it is told otherwise."""
    packed = client.embeddings.create(model="fake", input=["a", "b"], dimensions=8)
    plain = client.embeddings.create(
        model="fake", input=["a", "b"], dimensions=8, encoding_format="float"
    )

    assert [item.embedding for item in plain.data] == [item.embedding for item in packed.data]
    assert packed.data[0].embedding != packed.data[1].embedding
    assert pytest.approx(1.0, abs=1e-5) == sum(x * x for x in packed.data[0].embedding)
    assert [8, 8] == [len(item.embedding) for item in packed.data]


def test_embeddings_take_tokens(client: openai.OpenAI) -> None:
    assert 1 == len(client.embeddings.create(model="fake", input=[1, 2, 3]).data)
    assert 2 == len(client.embeddings.create(model="fake", input=[[1], [2]]).data)


@pytest.mark.parametrize("given", [[], 5, [None]])
def test_embeddings_need_an_input(client: openai.OpenAI, given: Any) -> None:
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model="fake", input=given)


def test_the_models_show_what_can_be_tried(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}

    assert {"fake", *(part.example for part in PARTS)} == names
    assert "fake-503" == client.models.retrieve("fake-503").id


def test_moderations_flag_one_word(client: openai.OpenAI) -> None:
    results = client.moderations.create(input=["fine", "a FORBIDDEN one"]).results

    assert [False, True] == [result.flagged for result in results]
    assert results[1].categories.violence


def test_images_are_pictures_or_links(client: openai.OpenAI) -> None:
    data = client.images.generate(model="fake", prompt="a cat", n=2).data or []
    pictures = [base64.b64decode(image.b64_json or "") for image in data]
    links = client.images.generate(model="fake", prompt="a cat", response_format="url").data or []

    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert 2 == len(set(pictures))
    assert links[0].url is not None and links[0].url.endswith(".png")


def test_images_are_edited(client: openai.OpenAI) -> None:
    one = client.images.edit(model="fake", image=("a.png", b"one"), prompt="brighter").data
    two = client.images.edit(model="fake", image=("a.png", b"two"), prompt="brighter").data

    assert one is not None and two is not None and one[0] != two[0]


def test_speech_is_bytes(client: openai.OpenAI) -> None:
    sound = client.audio.speech.create(
        model="fake", voice="alloy", input="two words", response_format="wav"
    )

    assert "audio/wav" == sound.response.headers["content-type"]
    assert 1024 == len(sound.read())


@pytest.mark.parametrize(
    ("form", "expected"),
    [("text", "A recording of 5 bytes.\n"), ("vtt", "WEBVTT"), ("srt", "1\n00:00")],
)
def test_a_transcript_is_text(client: openai.OpenAI, form: Any, expected: str) -> None:
    text: Any = client.audio.transcriptions.create(
        model="fake", file=("a.mp3", b"sound"), response_format=form
    )

    assert str(text).startswith(expected)


def test_a_transcript_is_json_and_a_stream(client: openai.OpenAI, http: httpx.Client) -> None:
    file = ("a.mp3", b"sound")
    plain = client.audio.transcriptions.create(model="fake", file=file)
    full = client.audio.transcriptions.create(
        model="fake", file=file, response_format="verbose_json"
    )
    # The SDK calls its own method for this one deprecated.
    translated = http.post("/audio/translations", files={"file": file}).json()
    stream = client.audio.transcriptions.create(model="fake", file=file, stream=True)
    done = [event.text for event in stream if event.type == "transcript.text.done"]

    assert {"A recording of 5 bytes."} == {plain.text, full.text, translated["text"], *done}


def test_a_response_is_kept_until_it_is_deleted(client: openai.OpenAI) -> None:
    made = client.responses.create(model="fake", input="Hello", instructions="Be brief")

    assert "You said: Hello" == made.output_text
    assert made == client.responses.retrieve(made.id)
    (item,) = client.responses.input_items.list(made.id)
    assert item.type == "message" and item.role == "user"
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_streamed_response_follows_its_grammar(client: openai.OpenAI) -> None:
    with client.responses.stream(model="fake", input="Hello you") as stream:
        events = list(stream)
        final = stream.get_final_response()

    assert list(range(len(events))) == [event.sequence_number for event in events]
    assert "response.completed" == events[-1].type
    assert "You said: Hello you" == final.output_text
    assert final.usage is not None and 6 == final.usage.total_tokens


def test_a_response_calls_a_function(client: openai.OpenAI) -> None:
    tool: Any = {
        "type": "function",
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    with client.responses.stream(model="fake", input="Oslo", tools=[tool]) as stream:
        call = stream.get_final_response().output[0]
    assert "function_call" == call.type

    assert {"city": "Oslo"} == json.loads(call.arguments)
    answer = client.responses.create(
        model="fake",
        tools=[tool],
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "Rain"}],
    )
    assert "The tool said: Rain" == answer.output_text


def test_a_response_can_be_json_or_too_short(client: openai.OpenAI) -> None:
    made = client.responses.create(
        model="fake", input="Hello", text={"format": {"type": "json_object"}}
    )
    short = client.responses.create(model="fake", input="Hello", max_output_tokens=1)

    assert {"reply": "You said: Hello"} == json.loads(made.output_text)
    assert "incomplete" == short.status


def test_files_come_and_go(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a.jsonl", b'{"a": 1}\r\n--x\n'), purpose="batch")

    assert ("a.jsonl", 14) == (file.filename, file.bytes)
    assert b'{"a": 1}\r\n--x\n' == client.files.content(file.id).read()
    assert file.id in {f.id for f in client.files.list(purpose="batch")}
    assert file.id not in {f.id for f in client.files.list(purpose="vision")}
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_a_large_file_is_counted_but_not_kept(client: openai.OpenAI, fake: FakeProvider) -> None:
    data = b"0123456789abcdef" * (KEPT_FILE_BYTES // 8)
    file = client.files.create(file=("big.bin", data), purpose="user_data")

    assert len(data) == file.bytes
    assert hashlib.sha256(data).hexdigest() == (file.model_extra or {})["sha256"]
    assert len(fake.requests[-1].body) < fake.requests[-1].body_bytes
    with pytest.raises(openai.NotFoundError):
        client.files.content(file.id)


def test_only_the_newest_of_a_kind_are_kept() -> None:
    box = Box("thing")
    for number in range(MAX_KEPT + 1):
        box.put({"id": str(number)})

    assert (MAX_KEPT, str(MAX_KEPT)) == (len(box.all()), box.all()[0]["id"])
    with pytest.raises(FakeError):
        box.get("0")


def test_batches_and_jobs(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    job = client.fine_tuning.jobs.create(model="fake", training_file=file.id)

    assert ("validating", "completed") == (batch.status, client.batches.retrieve(batch.id).status)
    assert "cancelling" == client.batches.cancel(batch.id).status
    assert batch.id in {b.id for b in client.batches.list()}
    assert "queued" == client.fine_tuning.jobs.retrieve(job.id).status
    assert "cancelled" == client.fine_tuning.jobs.cancel(job.id).status


def test_other_paths_are_echoed_without_the_credential(
    http: httpx.Client, fake: FakeProvider
) -> None:
    answer = http.patch("/threads/t%2F1?a=b", json={"x": 1}, headers={"authorization": "Bearer k1"})
    echo = answer.json()

    assert ("PATCH", "/v1/threads/t%2F1", "a=b") == (echo["method"], echo["path"], echo["query"])
    assert ("Bearer", {"x": 1}) == (echo["authorization_scheme"], echo["body"])
    assert "authorization" in echo["headers"] and "k1" not in answer.text
    assert "Bearer k1" == fake.requests[-1].headers.get("authorization")


@pytest.mark.parametrize(
    "path",
    ["/openai/deployments/d/chat/completions", "/chat/completions", "/api/v1/chat/completions"],
)
def test_other_providers_paths_are_understood(http: httpx.Client, path: str) -> None:
    """So that any row of the OpenAI kind can be sent here by a custom host."""
    url = http.base_url.copy_with(path=path)
    answer = http.post(url, json={"model": "m", "messages": [{"role": "user", "content": "Hi"}]})

    assert "You said: Hi" == answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a\r\n"),
        ("multipart/form-data; boundary=x", b"--x" + b"y" * 20_000),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("application/json", b"{"),
        ("application/json", b"[]"),
    ],
)
def test_a_broken_upload_is_refused(http: httpx.Client, content_type: str, body: bytes) -> None:
    answer = http.post("/files", content=body, headers={"content-type": content_type})

    assert 400 == answer.status_code
    assert "invalid_request_error" == answer.json()["error"]["type"]
