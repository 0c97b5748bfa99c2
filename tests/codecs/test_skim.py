"""Blocks of events taken uncut: the watch must know after them what it would have known else."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.base import Event, EventKind, Format, Framing, Watch
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.choices import Shape
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.generate_content import GENERATE_CONTENT
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.messages import MESSAGES
from llmgateway.codecs.responses import RESPONSES
from llmgateway.codecs.sse import SSESplitter
from tests.codecs.cassettes import CASSETTES

CAP = 1024 * 1024

FORMATS: tuple[Format, ...] = (CHAT, COMPLETIONS, RESPONSES, IMAGES, MESSAGES, GENERATE_CONTENT)


def known(watch: Watch) -> tuple[Any, ...]:
    """Return all that a watch tells."""
    return watch.usage, str(watch.error), watch.ended_well, watch.owed()


def told_apart(wire: Format, pieces: list[bytes], request: Any = None) -> list[Any]:
    """Follow a stream event by event; return what was known and passed after each piece."""
    watch, splitter = wire.watch(request, "p"), SSESplitter(Framing.SSE, CAP)
    story: list[Any] = []
    passed = b""
    for piece in pieces:
        for event in splitter.feed(piece):
            watch.feed(event)
            passed += event.raw
        story.append((passed, known(watch)))
    return story


def skimmed(wire: Format, pieces: list[bytes], request: Any = None) -> tuple[list[Any], int]:
    """Follow it with what may be taken uncut; the same, and how many bytes were."""
    watch, splitter = wire.watch(request, "p"), SSESplitter(Framing.SSE, CAP)
    story: list[Any] = []
    passed, uncut = b"", 0
    for piece in pieces:
        plain, rest = splitter.skim(piece, watch.skim)
        uncut += len(plain)
        passed += plain
        for event in splitter.feed(rest) if rest else ():
            kind = watch.feed(event)
            assert isinstance(kind, EventKind)
            passed += event.raw
        story.append((passed, known(watch)))
    return story, uncut


def cut(raw: bytes, draw: random.Random, most: int) -> list[bytes]:
    """Cut a body at random places."""
    pieces = []
    at = 0
    while at < len(raw):
        size = draw.randint(1, most)
        pieces.append(raw[at : at + size])
        at += size
    return pieces


def recordings() -> list[Any]:
    """Return the body and the request of each recorded stream."""
    found = []
    for path in sorted(CASSETTES.glob("*/*/*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        raw = case["response"].get("raw")
        if case["wire"] == "sse" and raw:
            found.append(pytest.param(raw.encode(), case["request"]["body"], id=case["id"]))
    absent = pytest.mark.skip(reason=f"no recordings at {CASSETTES.name}/ beside the project")
    return found or [pytest.param(b"", None, marks=absent)]


@pytest.mark.parametrize(("raw", "request_"), recordings())
def test_a_recorded_stream_tells_the_same(raw: bytes, request_: Any) -> None:
    """Read as each of the formats, its own and others: none may take what it does not know."""
    request = request_ if isinstance(request_, dict) else None
    draw = random.Random(1)
    for body in (raw, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        for most in (20, 700, 10_000, len(body)):
            pieces = cut(body, draw, most)
            for wire in FORMATS:
                assert told_apart(wire, pieces, request) == skimmed(wire, pieces, request)[0]


def chat_chunk(**members: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice], **members}).encode() + b"\n\n"


def named(kind: str, **members: Any) -> bytes:
    data = json.dumps({"type": kind, **members})
    return f"event: {kind}\ndata: {data}\n\n".encode()


TEXT = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]}
PIECES: dict[str, tuple[Format, bytes, bytes]] = {
    "chat": (CHAT, chat_chunk(), chat_chunk()),
    "responses": (
        RESPONSES,
        named("response.output_text.delta", delta="Hi"),
        named("response.output_text.delta", delta="Hi"),
    ),
    "messages": (
        MESSAGES,
        named("content_block_delta", delta={"type": "text_delta", "text": "Hi"}),
        named("content_block_delta", delta={"type": "text_delta", "text": "Hi"}),
    ),
    "generate_content": (
        GENERATE_CONTENT,
        b"data: " + json.dumps(TEXT).encode() + b"\n\n",
        b"data: "
        + json.dumps({**TEXT, "usageMetadata": {"promptTokenCount": 3}}).encode()
        + b"\n\n",
    ),
}


@pytest.mark.parametrize("name", PIECES)
def test_plain_events_are_not_cut_apart(name: str) -> None:
    wire, first, more = PIECES[name]
    pieces = [first, more * 50]

    story, uncut = skimmed(wire, pieces)

    assert told_apart(wire, pieces) == story
    assert len(more) * 50 == uncut


ODD = [
    b"data: [DONE]\n\n",
    b": ping\n\n",
    b'event: error\ndata: {"error":{"message":"no"}}\n\n',
    b'event:error\ndata:{"type":"error","error":{"message":"no"}}\n\n',
    b'data: {"error":{"message":"no"}}\n\n',
    b'data: {"error": null}\n\n',
    b'data: {"error":\n\n',
    b'data: {"a":1}\ndata: {"b":2}\n\n',
    b'data: {"a":1}\r\n\r\n',
    b'data: {"a":1}\r\r',
    b"data:\n\n",
    b"data: {\n\n\n\n",
    b"event: x\n\ndata: {}\n\n",
    b"id: 7\ndata: {}\n\n",
    b"retry: 7\n\n",
    chat_chunk(usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
    chat_chunk(usage=None),
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[{"index":1,"delta":{"content":"x"},"finish_reason": "stop"}]}\n\n',
    named("message_start", message={"usage": {"input_tokens": 3}}),
    named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3}),
    named("message_stop"),
    named("ping"),
    named("response.completed", response={"usage": {"input_tokens": 3, "output_tokens": 1}}),
    named("response.failed", response={"error": {"message": "no"}}),
    b'data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9}}\n\n',
    b'data: {"candidates":[{"index":1,"content":{"parts":[{"text":"x"}]}}]}\n\n',
    b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n',
    'data: {"text":"é \\"usage\\" \\"error\\""}\n\n'.encode(),
]


@settings(max_examples=400, deadline=None)
@given(
    wire=st.sampled_from(FORMATS),
    events=st.lists(
        st.sampled_from([*ODD, *(piece for _, *some in PIECES.values() for piece in some)]),
        max_size=12,
    ),
    most=st.sampled_from([3, 60, 400, 100_000]),
    seed=st.integers(0, 9),
    choices=st.sampled_from([1, 2]),
)
def test_any_stream_tells_the_same(
    wire: Format, events: list[bytes], most: int, seed: int, choices: int
) -> None:
    request = {"n": choices, "generationConfig": {"candidateCount": choices}}
    for begun in (b"", *(some[1] for some in PIECES.values())):
        pieces = cut(begun + b"".join(events), random.Random(seed), most)
        assert told_apart(wire, pieces, request) == skimmed(wire, pieces, request)[0]


def test_an_event_keeps_its_cap() -> None:
    splitter = SSESplitter(Framing.SSE, 100)
    raw = b'data: {"a":"' + b"x" * 200 + b'"}\n\n'

    assert (b"", raw) == splitter.skim(raw, lambda block: True)
    assert isinstance(Event(raw, None, b""), Event)


def shaped(text: bytes, padding: bytes | None) -> bytes:
    """Return an event as OpenAI writes it: all alike but for a text, and some padding."""
    tail = b"" if padding is None else b',"usage":null,"obfuscation":"' + padding + b'"'
    choice = b'{"index":0,"delta":{"content":"' + text + b'"},"finish_reason":null}'
    return b'data: {"id":"c-1","choices":[' + choice + b"]" + tail + b"}\n\n"


@pytest.mark.parametrize("padding", [None, b"", b"xyz"])
@pytest.mark.parametrize("text", [b"", b" it", b"\\nso\\t.", "\u00e9".encode()])
def test_an_event_of_a_known_shape_is_known_again(text: bytes, padding: bytes | None) -> None:
    shape = Shape.of(shaped(b"Hi", None if padding is None else b"abc"))

    assert shape is not None
    assert shape.fits(shaped(text, padding))
    assert not shape.fits(shaped(text, padding) * 2)
    assert not shape.fits(shaped(text, b"x" if padding is None else None))


CUNNING = [
    b"finish_reason",
    b"usage",
    b"error",
    b"\\",
    b"\\\\",
    b'\\"',
    b"\n",
    b"\n\n",
    b"\r",
    b"\r\n\r\n",
    b'"',
    b'","error":"x',
    b'"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3},"x":[{"d":{"e":"',
    b"\n\ndata: [DONE]\n\ndata: {",
]


@settings(max_examples=400, deadline=None)
@given(
    texts=st.lists(st.lists(st.sampled_from([b"a", b" ", *CUNNING]), max_size=3), max_size=6),
    padding=st.sampled_from([None, *CUNNING]),
    padded=st.booleans(),
)
def test_no_text_hides_what_an_event_tells(
    texts: list[list[bytes]], padding: bytes | None, padded: bool
) -> None:
    first = shaped(b"Hi", b"abc" if padded else None)
    pieces = [first, first, *(shaped(b"".join(text), padding) for text in texts)]

    assert told_apart(CHAT, pieces) == skimmed(CHAT, pieces)[0]
