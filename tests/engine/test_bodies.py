"""What the log keeps of prompts and answers: nothing, unless it is asked to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
import pytest

from llmgateway import Gateway, Principal
from llmgateway.engine.bodies import Bodies
from llmgateway.errors import ConnectionLost, StreamAborted
from llmgateway.stores import MemoryRecords
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway.types.record import Record
from tests.engine.test_recorder import Store, record, recorder_of
from tests.scripted import Scripted, ScriptedTransport

ADA = Principal("user:ada")
KEY = "sk-" + "a1b2" * 6
JSON = (b"content-type", b"application/json")
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"My key is {KEY}."}]}
ANSWER = {"choices": [{"message": {"content": f"Yours is {KEY}"}, "finish_reason": "stop"}]}
EVENTS = [
    b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]
SSE = {"content-type": "text/event-stream"}


async def handled(
    *steps: Any,
    body: Any = CHAT,
    kind: bytes = b"application/json",
    path: str = "/v1/chat/completions",
    settings: Any = None,
    read: int | None = None,
) -> tuple[Record, bytes]:
    """Return the record of a call and its answer's body, read to its end or so many pieces."""
    records = MemoryRecords()
    headers = [(b"content-type", kind), (b"x-llmgateway-provider", b"openai")]
    raw = body if isinstance(body, bytes) or hasattr(body, "__anext__") else orjson.dumps(body)
    request = HTTPRequest("POST", path, "", Headers(headers), raw)
    known = {"log_bodies": True, "providers": {"openai": {"api_key": "stored"}}}
    transport = ScriptedTransport(*steps)
    async with Gateway(
        known | (settings or {}), records=records, transport=lambda: transport
    ) as gateway:
        answer = await gateway.handle(request, ADA)
        if isinstance(answer.body, bytes):
            found = answer.body
        else:
            pieces: list[bytes] = []
            with suppress(StreamAborted):
                async for piece in answer.body:
                    pieces.append(piece)
                    if len(pieces) == read:
                        break
            await answer.body.aclose()
            found = b"".join(pieces)
    (kept,) = records.all()
    return kept, found


# ---- what is kept


async def test_no_body_is_kept_unless_it_is_asked_for() -> None:
    found, _ = await handled(
        Scripted(chunks=[orjson.dumps(ANSWER)]), settings={"log_bodies": False}
    )

    assert (None, None) == (found.request_body, found.response_body)


async def test_a_call_leaves_its_bodies_redacted_and_the_client_gets_its_own() -> None:
    found, answer = await handled(Scripted(chunks=[orjson.dumps(ANSWER)]))

    mark = "[redacted:openai-key]"
    assert orjson.dumps(CHAT).decode().replace(KEY, mark) == found.request_body
    assert orjson.dumps(ANSWER).decode().replace(KEY, mark) == found.response_body
    assert ANSWER == orjson.loads(answer)


async def test_a_stream_leaves_its_events() -> None:
    found, answer = await handled(Scripted(chunks=EVENTS, head=SSE), body={**CHAT, "stream": True})

    assert b"".join(EVENTS) == answer
    assert answer.decode() == found.response_body


async def test_a_stream_that_breaks_leaves_what_the_client_was_told() -> None:
    broken = Scripted(chunks=[EVENTS[0], ConnectionLost("gone")], head=SSE)

    found, answer = await handled(broken, body={**CHAT, "stream": True})

    assert b'"error"' in answer
    assert answer.decode() == found.response_body


async def test_a_client_that_leaves_a_stream_has_what_went_out_in_the_log() -> None:
    found, answer = await handled(
        Scripted(chunks=EVENTS, head=SSE), body={**CHAT, "stream": True}, read=1
    )

    assert 499 == found.status
    assert answer.decode() == found.response_body


async def test_a_refusal_and_a_failure_leave_what_was_told() -> None:
    refused, told = await handled(settings={"custom_hosts": "nobody"}, path="/v1/nonsense\x00")
    failed, said = await handled(ConnectionLost("gone"))

    assert told.decode() == refused.response_body
    assert refused.request_body is None
    assert said.decode() == failed.response_body
    assert failed.status >= 500


async def test_a_body_that_is_no_json_is_not_kept() -> None:
    found, _ = await handled(body=b'{"a": ')

    assert (400, None) == (found.status, found.request_body)
    assert "no valid JSON" in str(found.response_body)


async def uploaded() -> AsyncIterator[bytes]:
    for _ in range(30):
        yield b"x" * 2**16


@pytest.mark.parametrize(
    ("body", "told"),
    [(b"x" * 300, "<300 bytes of audio/wav>"), (uploaded, "<some bytes of audio/wav>")],
)
async def test_uploads_and_media_are_told_of(body: Any, told: str) -> None:
    sound = Scripted(chunks=[b"\xff\xf3" * 500], head={"content-type": "audio/mpeg"})

    found, answer = await handled(
        sound,
        body=body() if callable(body) else body,
        kind=b"audio/wav",
        path="/v1/audio/transcriptions",
    )

    assert told == found.request_body
    assert "<1000 bytes of audio/mpeg>" == found.response_body
    assert 1000 == len(answer)


async def test_the_models_of_all_providers_are_an_answer_as_well() -> None:
    records = MemoryRecords()
    settings = {"log_bodies": True, "providers": {"openai": {"models": ["m"]}}}
    async with Gateway(settings, records=records) as gateway:
        answer = await gateway.handle(HTTPRequest("GET", "/v1/models", "", Headers(), b""), ADA)

    (found,) = records.all()
    assert isinstance(answer.body, bytes)
    assert (None, answer.body.decode()) == (found.request_body, found.response_body)


# ---- bounds


def kept(*pieces: bytes, bound: int = 100, kind: bytes = b"application/json") -> str | None:
    """Return what is kept of an answer that comes in these pieces."""
    bodies = Bodies(bound)
    bodies.begin_answer(((b"content-type", kind),))
    for piece in pieces:
        bodies.add(piece)
    return bodies.answer


def test_a_body_up_to_the_bound_is_kept_whole_and_a_longer_one_is_cut_visibly() -> None:
    assert "a" * 100 == kept(b"a" * 100)
    assert "a" * 100 + "… [cut: 101 bytes in all]" == kept(b"a" * 50, b"a" * 51)
    assert "a" * 100 + "… [cut: 1000000 bytes in all]" == kept(b"a" * 1_000_000)
    assert "a" * 100 + "… [cut: 50000 bytes in all]" == kept(*[b"a" * 10] * 5000)


def test_a_cut_leaves_no_half_of_a_character() -> None:
    assert "a" + "ü" * 49 + "… [cut: 201 bytes in all]" == kept(b"a" + "ü".encode() * 100)


@pytest.mark.parametrize("before", range(60, 101))
def test_a_cut_leaves_no_part_of_a_secret(before: int) -> None:
    found = kept(b" " * before + KEY.encode() + b" " * 5000)

    assert "a1" not in str(found)


@pytest.mark.parametrize("secrets", [1, 3, 40, 200])
@pytest.mark.parametrize("end", range(0, 30, 7))
def test_nor_does_it_where_marks_are_shorter_than_their_secrets(secrets: int, end: int) -> None:
    long = b"sk-ant-" + b"b" * 900 + b" "
    raw = long * secrets
    raw = raw[: 5000 + 4096 - end] if len(raw) > 9000 else raw
    found = kept(raw + KEY.encode() + b" tail" * 2000, bound=5000)

    assert "a1" not in str(found)
    assert "bbb" not in str(found)


def test_what_is_beyond_the_bound_takes_no_memory() -> None:
    bodies = Bodies(1000)
    bodies.begin_answer((JSON,))
    for _ in range(1000):
        bodies.add(b"x" * 10_000)

    answer = bodies._answer
    assert answer is not None
    assert 6000 > sum(map(len, answer._pieces))


def test_what_is_no_text_takes_none() -> None:
    bodies = Bodies(1000)
    bodies.begin_answer(((b"content-type", b"image/png"),))
    bodies.add(b"x" * 500)

    assert bodies._answer is not None
    assert [] == bodies._answer._pieces


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (b"", "<1 bytes of an unknown type>"),
        (b"application/octet-stream", "<1 bytes of application/octet-stream>"),
        (b"image/" + KEY.encode(), "<1 bytes of image/[redacted:openai-key]>"),
        (b"a" * 1000, "<1 bytes of " + "a" * 100 + ">"),
        *((kind, "x") for kind in (b"text/plain; charset=utf-8", b"Application/JSON", b"a/b+json")),
        *((kind, "x") for kind in (b"text/event-stream", b"application/x-ndjson", b"text/xml")),
    ],
)
def test_texts_are_kept_and_other_types_named(kind: bytes, told: str) -> None:
    assert told == kept(b"x", kind=kind)


def test_no_body_is_none() -> None:
    assert kept() is None
    assert (None, None) == (Bodies(10).answer, Bodies(10).request)


async def test_bodies_count_in_the_bound_of_the_queue(store: Store) -> None:
    recorder = recorder_of(store, max_queued_record_bytes=50_000)
    store.begun.set()
    for name in range(9):
        recorder.take(record(str(name), request_body="x" * 5_000, response_body="ü" * 5_000))
    await recorder.flush()

    assert ["0", "1", "2", "3"] == store.ids
    assert 5 == recorder.dropped


# ---- the rest of the record


async def test_nothing_in_a_record_looks_like_a_secret() -> None:
    error = {"error": {"message": f"bad {KEY}", "type": "t", "code": f"no_{KEY}"}}
    records = MemoryRecords()
    metadata = orjson.dumps({"_user": "ada", "apiKey": "hunter2", "note": f"use {KEY}"})
    request = HTTPRequest(
        "POST",
        f"/v1/files/{KEY}/content",
        f"key={KEY}",
        Headers(
            [
                JSON,
                (b"x-llmgateway-provider", b"openai"),
                (b"x-llmgateway-metadata", metadata),
                (b"x-llmgateway-trace-id", KEY.encode()),
            ]
        ),
        orjson.dumps({"model": KEY}),
    )
    transport = ScriptedTransport(Scripted(400, [orjson.dumps(error)]))
    settings = {"providers": {"openai": {"api_key": "stored"}}}
    async with Gateway(settings, records=records, transport=lambda: transport) as gateway:
        await gateway.handle(request, ADA)

    (found,) = records.all()
    assert KEY not in str(found)
    mark = "[redacted:openai-key]"
    assert f"/v1/files/{mark}/content" == found.path
    assert mark == found.trace_id
    assert {"_user": "ada", "apiKey": "[redacted:member]", "note": f"use {mark}"} == found.metadata


async def test_a_record_s_repr_tells_no_body() -> None:
    assert "prompt" not in repr(record("1", request_body="a prompt", response_body="a prompt"))


@pytest.fixture
def store() -> Store:
    """The store of the test."""
    return Store()
