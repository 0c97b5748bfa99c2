"""The unmodified `openai` SDK: images, audio, files, batches, fine-tuning, other paths."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import httpx
import openai
import pytest

from llmgateway.settings import Limits
from tests.sdk.stage import CLIENT_KEY, Stage

SOUND = ("a.mp3", b"sound")
# OpenAI has retired the models behind two endpoints, so its SDK calls its own methods deprecated.
retired = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
LINES = b'{"a": 1}\r\n--x\n'


def test_images_are_generated(client: openai.OpenAI) -> None:
    data = client.images.generate(model="fake", prompt="a cat", n=2).data or []
    pictures = {base64.b64decode(image.b64_json or "") for image in data}

    assert 2 == len(pictures)
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


@retired
def test_images_are_edited_and_varied(client: openai.OpenAI) -> None:
    edited = client.images.edit(model="fake", image=("a.png", b"one"), prompt="brighter").data
    varied = client.images.create_variation(model="fake", image=("a.png", b"one"), n=2).data

    assert (1, 2) == (len(edited or []), len(varied or []))


async def test_async_images_are_generated(async_client: openai.AsyncOpenAI) -> None:
    answer = await async_client.images.generate(model="fake", prompt="a cat", response_format="url")

    assert answer.data and (answer.data[0].url or "").endswith(".png")


def test_speech_arrives_as_the_provider_sent_it(client: openai.OpenAI) -> None:
    sound = client.audio.speech.create(
        model="fake-tokens-2000", voice="alloy", input="Hello", response_format="wav"
    )

    assert "audio/wav" == sound.response.headers["content-type"]
    assert hashlib.shake_256(b"Hello").digest(512 * 2000) == sound.read()


def test_speech_can_be_read_piece_by_piece(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="fake", voice="alloy", input="Hello"
    ) as response:
        sound = b"".join(response.iter_bytes(100))

    assert hashlib.shake_256(b"Hello").digest(512) == sound


@pytest.mark.parametrize(
    ("form", "expected"), [("text", "A recording of 5 bytes.\n"), ("vtt", "WEBVTT")]
)
def test_a_transcript_is_text(client: openai.OpenAI, form: Any, expected: str) -> None:
    text: Any = client.audio.transcriptions.create(model="fake", file=SOUND, response_format=form)

    assert str(text).startswith(expected)


def test_a_transcript_is_json_or_a_stream(client: openai.OpenAI) -> None:
    plain = client.audio.transcriptions.create(model="fake", file=SOUND)
    stream = client.audio.transcriptions.create(model="fake", file=SOUND, stream=True)
    events = list(stream)
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]

    assert "A recording of 5 bytes." == plain.text == "".join(deltas)
    assert "transcript.text.done" == events[-1].type


async def test_an_async_transcript_is_answered(async_client: openai.AsyncOpenAI) -> None:
    answer = await async_client.audio.transcriptions.create(model="fake", file=SOUND)

    assert "A recording of 5 bytes." == answer.text


@retired
def test_a_recording_is_translated(client: openai.OpenAI) -> None:
    answer = client.audio.translations.create(model="fake", file=SOUND)

    assert "A recording of 5 bytes." == answer.text


def test_files_come_and_go(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a.jsonl", LINES), purpose="batch")

    assert ("a.jsonl", len(LINES)) == (file.filename, file.bytes)
    assert file == client.files.retrieve(file.id)
    assert file.id in {listed.id for listed in client.files.list(purpose="batch")}
    assert file.id not in {listed.id for listed in client.files.list(purpose="vision")}
    assert LINES == client.files.content(file.id).read()
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


async def test_an_async_file_comes_and_goes(async_client: openai.AsyncOpenAI) -> None:
    file = await async_client.files.create(file=("a.jsonl", LINES), purpose="batch")

    assert LINES == (await async_client.files.content(file.id)).read()
    assert (await async_client.files.delete(file.id)).deleted


def test_an_upload_over_what_is_held_is_streamed(client: openai.OpenAI) -> None:
    data = bytes(range(256)) * (Limits().max_buffered_upload_bytes // 128)
    file = client.files.create(file=("big.bin", data), purpose="user_data")

    assert len(data) == file.bytes
    assert hashlib.sha256(data).hexdigest() == (file.model_extra or {})["sha256"]


def test_batches_are_made_and_cancelled(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )

    assert ("validating", "completed") == (batch.status, client.batches.retrieve(batch.id).status)
    assert batch.id in {listed.id for listed in client.batches.list(limit=20)}
    assert "cancelling" == client.batches.cancel(batch.id).status


def test_fine_tuning_jobs_are_made_and_cancelled(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a.jsonl", b"{}"), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(model="fake", training_file=file.id)

    assert "queued" == client.fine_tuning.jobs.retrieve(job.id).status
    assert job.id in {listed.id for listed in client.fine_tuning.jobs.list()}
    assert "cancelled" == client.fine_tuning.jobs.cancel(job.id).status


def test_any_other_path_is_passed_on(client: openai.OpenAI, stage: Stage) -> None:
    echo: Any = client.patch(
        "/threads/t%201", cast_to=object, body={"x": 1}, options={"params": {"after": "a b"}}
    )
    sent = stage.fake.requests[0]

    assert ("PATCH", "/v1/threads/t%201", {"x": 1}) == (echo["method"], echo["path"], echo["body"])
    assert "after=a+b" == sent.query.replace("%20", "+")


def test_a_json_body_arrives_as_the_sdk_wrote_it(client: openai.OpenAI, stage: Stage) -> None:
    """No byte of a body changes that no policy reads."""
    written: list[bytes] = []

    def keep(request: Any) -> None:
        written.append(request.read())

    # Typed by the SDK as httpx's or httpx2's, by its version; it takes the former in any case.
    own: Any = httpx.Client(event_hooks={"request": [keep]})
    with openai.OpenAI(base_url=stage.url, api_key=CLIENT_KEY, http_client=own) as watched:
        watched.embeddings.create(model="fake", input="ä\u2028\U0001f600", extra_body={"z": 1.0})

    assert written[0] == stage.fake.requests[0].body
    assert 1.0 == json.loads(written[0])["z"]
