"""What providers really sent: no visible text of theirs is outside of the slots."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from llmgateway.codecs.audio import TRANSCRIPTION
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.slots import Part, SlotKind
from tests.codecs.cassettes import Cassette, cassettes
from tests.codecs.slots.puts import check_all_marked, check_puts, leaves

FORMATS = [CHAT, COMPLETIONS, EMBEDDINGS, IMAGES, TRANSCRIPTION]
SILENT = {
    "bytes", "channel", "code", "created", "encoding_format", "format", "id", "model", "object",
    "role", "type", "token_id", "signature", "data", "index", "name", "finish_reason", "b64_json",
    "native_finish_reason", "severity", "url", "media_type", "mime_type", "speaker", "speaker_id",
    "embedding", "language",
}  # fmt: skip
"""Members of a choice, a message or a transcript that no reader takes for words."""


def recorded(*wires: str) -> list[Any]:
    """Return the recordings of these formats."""
    found = [
        pytest.param(cassette, id=cassette.id)
        for cassette in cassettes()
        if cassette.format in FORMATS and cassette.wire in wires and cassette.status < 400
    ]
    absent = pytest.mark.skip(reason="no recordings beside the project")
    return found or [pytest.param(None, marks=absent)]


def words(body: Any) -> list[str]:
    """Return, without the code under test, all texts of choices and transcripts."""
    said = []
    for path, value in leaves(body).items():
        names = [step for step in path if isinstance(step, str)]
        is_inside = names and names[0] in ("choices", "text", "segments", "delta")
        if is_inside and isinstance(value, str) and value and names[-1] not in SILENT:
            said.append(value)
    return said


def texts(cassette: Cassette, body: Any, part: Part) -> list[str]:
    return [slot.text for slot in cassette.format.slots(body, part)]


@pytest.mark.parametrize("cassette", recorded("json"))
def test_all_words_of_an_answer_are_in_slots(cassette: Cassette) -> None:
    found = set(texts(cassette, cassette.body, Part.RESPONSE))

    assert [word for word in words(cassette.body) if word not in found] == []
    check_puts(cassette.format, cassette.body, Part.RESPONSE)
    check_all_marked(cassette.format, cassette.body, Part.RESPONSE)


@pytest.mark.parametrize("cassette", recorded("sse"))
def test_all_words_of_a_stream_are_in_slots(cassette: Cassette) -> None:
    for chunk in cassette.chunks():
        if "error" in chunk:
            continue
        found = set(texts(cassette, chunk, Part.EVENT))
        assert [word for word in words(chunk) if word not in found] == []
        check_all_marked(cassette.format, chunk, Part.EVENT)


def plain(content: object) -> str:
    """Return what a client adds to the answer for a delta's content."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if part["type"] == "text")


@pytest.mark.parametrize("cassette", recorded("sse"))
def test_the_deltas_of_a_channel_are_its_text(cassette: Cassette) -> None:
    """What a plain client adds up is what the channel `text` says; copies say nothing new."""
    if cassette.format is not CHAT:
        pytest.skip("of chat only")
    for chunk in cassette.chunks():
        choices = chunk.get("choices") or []
        said = [plain((choice.get("delta") or {}).get("content")) for choice in choices]
        slots = [s for s in cassette.format.slots(chunk, Part.EVENT) if s.channel == "text"]
        assert "".join(said) == "".join(s.text for s in slots if s.kind is SlotKind.DELTA)


@pytest.mark.parametrize("cassette", recorded("json", "sse"))
def test_all_words_of_a_request_are_in_slots(cassette: Cassette) -> None:
    if cassette.request is None:
        pytest.skip("the request was not recorded")
    body = deepcopy(cassette.request)
    found = set(texts(cassette, body, Part.REQUEST))
    for path, value in leaves(body).items():
        if path[-1] in ("content", "text", "arguments", "input", "prompt") and value:
            assert not isinstance(value, str) or value in found
    check_puts(cassette.format, body, Part.REQUEST)
