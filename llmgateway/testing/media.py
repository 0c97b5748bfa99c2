"""Images and audio, as the fake provider answers them.

Sources: https://platform.openai.com/docs/api-reference/images and …/audio
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence

from llmgateway.testing import words
from llmgateway.testing.answers import (
    CREATED,
    Answer,
    Event,
    FakeError,
    Stream,
    as_json,
    count_field,
    sse,
    text_field,
)
from llmgateway.testing.multipart import Upload
from llmgateway.testing.script import Script
from llmgateway.types import JSON

MAX_IMAGES = 10
SPEECH_BYTES_PER_WORD = 512
_AUDIO_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_SUBTITLES = {
    "srt": "1\n00:00:00,000 --> 00:00:01,000\n{text}\n",
    "vtt": "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n",
    "text": "{text}\n",
}
_STREAM_ERROR = sse(
    {"error": {"message": "The model failed.", "type": "server_error", "param": None, "code": None}}
)


def png(seed: str) -> bytes:
    """Return a PNG of one pixel whose colour depends on `seed`. Source: RFC 2083."""
    colour = hashlib.sha256(seed.encode()).digest()[:3]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\x00" + colour))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


def images(body: JSON, script: Script) -> Answer:
    """Answer `POST /v1/images/generations`."""
    prompt = text_field(body, "prompt")
    number = count_field(body, "n", 1, MAX_IMAGES)
    return _images(prompt, number, str(body.get("response_format", "b64_json")))


def edited_images(fields: Mapping[str, str], files: Sequence[Upload]) -> Answer:
    """Answer `POST /v1/images/edits` and `…/variations`."""
    if not files:
        raise FakeError(400, "You must send a file in 'image'.", param="image")
    count_text = fields.get("n", "1")
    number = count_field(
        {"n": int(count_text) if count_text.isdecimal() else 0}, "n", 1, MAX_IMAGES
    )
    seed = fields.get("prompt", "") + files[0].sha256
    return _images(seed, number, fields.get("response_format", "b64_json"))


def _images(seed: str, number: int, form: str) -> Answer:
    pictures = [png(f"{seed}{index}") for index in range(number)]
    if form == "url":
        data = [{"url": f"https://images.invalid/{_digest(p)}.png"} for p in pictures]
    else:
        data = [{"b64_json": base64.b64encode(p).decode()} for p in pictures]
    return as_json({"created": CREATED, "data": data})


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def speech(body: JSON, script: Script) -> Answer:
    """Answer `POST /v1/audio/speech` with bytes that stand for sound."""
    text_field(body, "model")
    text = text_field(body, "input")
    length = SPEECH_BYTES_PER_WORD * (script.tokens or words.count([text]) or 1)
    sound = hashlib.shake_256(text.encode()).digest(length)
    return Answer(
        sound, content_type=_AUDIO_TYPES.get(str(body.get("response_format")), "audio/mpeg")
    )


def transcript(
    fields: Mapping[str, str], files: Sequence[Upload], script: Script
) -> Answer | Stream:
    """Answer `POST /v1/audio/transcriptions` and `…/translations`."""
    if not files:
        raise FakeError(400, "You must send a file in 'file'.", param="file")
    text = f"A recording of {files[0].size} bytes."
    if script.tokens is not None:
        text = words.reply_to({}, script.tokens, script.says)
    if fields.get("stream", "").lower() == "true":
        return Stream(_transcript_events(text), _STREAM_ERROR)
    form = fields.get("response_format", "json")
    if form in _SUBTITLES:
        body = _SUBTITLES[form].format(text=text)
        return Answer(body.encode(), content_type="text/plain; charset=utf-8")
    usage = _usage(text)
    if form != "verbose_json":
        return as_json({"text": text, "usage": usage})
    timed = {"id": 0, "seek": 0, "start": 0.0, "end": 1.0, "text": text, "tokens": []}
    rated = {"temperature": 0.0, "avg_logprob": -0.1, "compression_ratio": 1.0}
    segment = {**timed, **rated, "no_speech_prob": 0.0}
    head = {"task": "transcribe", "language": fields.get("language", "english"), "duration": 1.0}
    return as_json({**head, "text": text, "segments": [segment], "usage": usage})


def _usage(text: str) -> JSON:
    written = words.count([text])
    return {
        "type": "tokens",
        "input_tokens": 1,
        "input_token_details": {"audio_tokens": 1, "text_tokens": 0},
        "output_tokens": written,
        "total_tokens": written + 1,
    }


def _transcript_events(text: str) -> Iterator[Event]:
    for piece in words.pieces(text):
        delta = {"type": "transcript.text.delta", "delta": piece}
        yield Event(sse(delta), content=True)
    yield Event(sse({"type": "transcript.text.done", "text": text, "usage": _usage(text)}))
