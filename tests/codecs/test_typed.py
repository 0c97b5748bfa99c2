"""Streams of responses, images and audio, and bodies that nobody reads."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.audio import SPEECH, TRANSCRIPTION
from llmgateway.codecs.base import Event, EventKind, Format, Watch
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.codecs.responses import RESPONSES
from llmgateway.types.usage import Usage
from tests.codecs.streams import COMMENT, DONE, event, feed

PRELUDE, CONTENT, ERROR = EventKind.PRELUDE, EventKind.CONTENT, EventKind.ERROR
COUNTS = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def typed(kind: str, **members: Any) -> Event:
    """Return an event of one type, named too, as OpenAI has it."""
    return event({"type": kind, **members}, kind)


CREATED = typed("response.created", response={"status": "in_progress", "error": None})
DELTA = typed("response.output_text.delta", delta="a")


def response() -> Watch:
    """Begin to follow a stream of the Responses API."""
    return RESPONSES.watch(None, "acme")


@pytest.mark.parametrize(
    "quiet",
    [
        CREATED,
        typed("response.queued"),
        typed("response.in_progress", response={}),
        typed("response.output_item.added", item={"type": "message", "content": []}),
        typed("response.output_item.added", item={"type": "reasoning", "summary": []}),
        typed("response.content_part.added", part={"type": "output_text", "text": ""}),
        typed("response.output_text.delta", delta=""),
        typed("keepalive"),
        event({"no": "type"}),
        event(b"[]"),
        COMMENT,
    ],
    ids=lambda event: event.data.decode()[:50],
)
def test_what_no_reader_would_see_is_prelude(quiet: Event) -> None:
    assert [PRELUDE] == feed(response(), quiet)


@pytest.mark.parametrize(
    "telling",
    [
        DELTA,
        typed("response.reasoning_summary_text.delta", delta="a"),
        typed("response.function_call_arguments.delta", delta="{"),
        typed("response.output_item.added", item={"type": "function_call", "name": "f"}),
        typed("response.web_search_call.in_progress"),
        typed("response.output_item.added", item="odd"),
        typed("response.of_a_later_year"),
    ],
    ids=lambda event: event.data.decode()[:60],
)
def test_what_a_reader_sees_is_content(telling: Event) -> None:
    assert [CONTENT] == feed(response(), telling)


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_a_response_ends_with_its_closing_event(kind: str) -> None:
    stream = response()

    assert [PRELUDE, CONTENT] == feed(stream, CREATED, DELTA)
    assert not stream.ended_well
    assert [CONTENT] == feed(stream, typed(kind, response={"error": None, "usage": COUNTS}))
    assert (True, b"") == (stream.ended_well, stream.owed())
    assert Usage(input=3, output=2) == stream.usage


def test_done_does_not_end_a_response() -> None:
    stream = response()

    assert [CONTENT, EventKind.DONE] == feed(stream, DELTA, DONE)
    assert not stream.ended_well


def test_text_that_names_an_end_is_no_end() -> None:
    stream = response()
    text = '"type":"response.completed"'
    feed(stream, DELTA, typed("response.output_text.delta", delta=text))
    feed(stream, typed("response.output_text.done", part={"type": "response.completed"}))

    assert not stream.ended_well


@pytest.mark.parametrize(
    ("bad", "status", "code", "message"),
    [
        (
            typed(
                "response.failed",
                response={
                    "error": {"code": "rate_limit_exceeded", "message": "m"},
                    "usage": COUNTS,
                },
            ),
            429,
            "rate_limit_exceeded",
            "m",
        ),
        (typed("response.failed", response={"error": None}), 502, None, None),
        (typed("response.failed"), 502, None, None),
        (typed("error", code="server_error", message="m"), 500, "server_error", "m"),
        (typed("error", error={"code": None, "message": "m"}), 502, None, "m"),
        (event({"type": "error", "message": "m"}), 502, None, "m"),
        (event({"error": {"message": "m", "code": 503}}), 503, 503, "m"),
        (event(b"odd words", "error"), 502, None, "odd words"),
    ],
    ids=lambda value: value.data.decode()[:70] if isinstance(value, Event) else None,
)
@pytest.mark.parametrize("before", [(CREATED,), (CREATED, DELTA)], ids=["first", "mid"])
def test_a_failed_response_is_an_error(
    bad: Event, status: int, code: Any, message: str | None, before: tuple[Event, ...]
) -> None:
    stream = response()
    kinds = feed(stream, *before, bad, event({"error": "a second one"}))

    assert [ERROR, ERROR] == kinds[-2:]
    assert not stream.ended_well
    assert stream.error is not None
    assert (status, code) == (stream.error.status, stream.error.code)
    assert (message or stream.error.message) == stream.error.message


@pytest.mark.parametrize(
    ("wire", "part", "end"),
    [
        (IMAGES, "image_generation.partial_image", "image_generation.completed"),
        (IMAGES, "image_edit.partial_image", "image_edit.completed"),
        (SPEECH, "speech.audio.delta", "speech.audio.done"),
        (TRANSCRIPTION, "transcript.text.segment", "transcript.text.done"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_pictures_and_sound_end_with_their_own_event(wire: Format, part: str, end: str) -> None:
    stream = wire.watch(None, "acme")

    assert not stream.ended_well
    assert [CONTENT] == feed(stream, typed(part, audio="QQ=="))
    assert not stream.ended_well
    assert [CONTENT] == feed(stream, typed(end, usage=COUNTS))
    assert (True, b"") == (stream.ended_well, stream.owed())
    assert Usage(input=3, output=2) == stream.usage


@pytest.mark.parametrize("wire", [IMAGES, SPEECH, TRANSCRIPTION], ids=lambda wire: wire.name)
def test_events_of_another_grammar_may_end_anywhere(wire: Format) -> None:
    stream = wire.watch(None, "acme")

    assert [CONTENT] == feed(stream, event({"data": [{"b64_json": "QQ=="}]}))
    assert stream.ended_well


@pytest.mark.parametrize("wire", [OPAQUE, EMBEDDINGS], ids=lambda wire: wire.name)
def test_a_stream_that_nobody_reads_may_end_anywhere(wire: Format) -> None:
    stream = wire.watch(None, "acme")

    assert [CONTENT, CONTENT] == feed(stream, event({"error": "none of our business"}), DONE)
    assert (True, b"") == (stream.ended_well, stream.owed())
    assert (None, None) == (stream.usage, stream.error)
