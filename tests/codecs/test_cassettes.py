"""What providers really sent: streams whole and cut anywhere, usage, errors.

General properties by format, so that a new recording is a new test.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.codecs.base import Event, EventKind, Framing
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.sse import SSESplitter
from llmgateway.types.usage import Usage
from tests.codecs.cassettes import Cassette, params

CAP = 1024 * 1024

NEVER_FINISHED = {"snowflake/chat/thinking-streaming"}
"""Whole by its `[DONE]`, but no choice ever gets a finish_reason: by the rule, a bad end."""

streams = pytest.mark.parametrize("cassette", params("sse"))
recut = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def split(pieces: list[bytes], framing: Framing = Framing.SSE) -> list[Event]:
    """Return the events of a body that arrives in `pieces`."""
    splitter = SSESplitter(framing, CAP)
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return events + splitter.flush()


def judge(
    cassette: Cassette, events: list[Event]
) -> tuple[list[EventKind], Usage | None, bool, bytes, str]:
    """Return everything that a watch says of a stream."""
    watch = cassette.format.watch(cassette.request, cassette.provider)
    kinds = [watch.feed(event) for event in events]
    return kinds, watch.usage, watch.ended_well, watch.owed(), str(watch.error)


def recorded_usages(cassette: Cassette) -> list[dict[str, Any]]:
    """Return the usage objects of a stream in order, found without the code under test."""
    holders = [chunk.get("response") or chunk for chunk in cassette.chunks()]
    found = (holder.get("usage") or (holder.get("x_groq") or {}).get("usage") for holder in holders)
    return [usage for usage in found if usage]


def check_usage(recorded: dict[str, Any], usage: Usage | None) -> None:
    """Hold the parts against the provider's own figures."""
    details = {
        key: value
        for holder in (
            recorded,
            recorded.get("prompt_tokens_details") or recorded.get("input_tokens_details") or {},
            recorded.get("completion_tokens_details")
            or recorded.get("output_tokens_details")
            or {},
        )
        for key, value in holder.items()
    }

    assert usage is not None
    assert recorded["total_tokens"] == usage.total
    assert details.get("reasoning_tokens", 0) == usage.reasoning
    assert details.get("cached_tokens", 0) == usage.cache_read
    assert details.get("cache_write_tokens", 0) == usage.cache_write
    assert recorded.get("prompt_tokens", 0) <= usage.total_input


@streams
def test_a_stream_is_kept_byte_for_byte(cassette: Cassette) -> None:
    events = split([cassette.raw])

    assert cassette.raw == b"".join(event.raw for event in events)
    assert len(cassette.events) == len(events)


@streams
def test_a_stream_is_judged_by_its_end(cassette: Cassette) -> None:
    kinds, _, ended_well, owed, _ = judge(cassette, split([cassette.raw]))
    is_good = "stream_error" not in cassette.tags and cassette.id not in NEVER_FINISHED

    assert is_good == ended_well
    assert ("stream_error" in cassette.tags) == (EventKind.ERROR in kinds)
    if cassette.format in (CHAT, COMPLETIONS):
        assert (is_good and "no_done" in cassette.tags) == (owed == b"data: [DONE]\n\n")
    else:
        assert b"" == owed


@streams
def test_usage_is_the_last_that_was_sent(cassette: Cassette) -> None:
    _, usage, *_ = judge(cassette, split([cassette.raw]))
    recorded = recorded_usages(cassette)

    if recorded:
        check_usage(recorded[-1], usage)
    else:
        assert usage is None


@streams
def test_only_the_usage_only_chunk_is_usage(cassette: Cassette) -> None:
    events = split([cassette.raw])
    kinds, *_ = judge(cassette, events)
    usage_only = [chunk for chunk in cassette.chunks() if chunk.get("choices") == []]

    assert kinds.count(EventKind.USAGE) == sum(bool(chunk.get("usage")) for chunk in usage_only)


@recut
@given(data=st.data())
@streams
def test_a_stream_cut_anywhere_reads_the_same(cassette: Cassette, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(cassette.raw)), max_size=40).map(sorted))
    pieces = [
        cassette.raw[start:end]
        for start, end in zip([0, *places], [*places, len(cassette.raw)], strict=True)
    ]
    whole = split([cassette.raw])

    assert whole == split(pieces)
    assert judge(cassette, whole) == judge(cassette, split(pieces))


@streams
def test_a_stream_that_comes_byte_by_byte_reads_the_same(cassette: Cassette) -> None:
    head = cassette.raw[:20_000]

    assert split([head]) == split([head[at : at + 1] for at in range(len(head))])


@recut
@given(data=st.data())
@streams
def test_a_stream_cut_short_is_seen(cassette: Cassette, data: st.DataObject) -> None:
    """Before the event that finishes it, no place in a stream passes for its end."""
    chunks = cassette.chunks()
    finishers = [at for at, chunk in enumerate(chunks) if _finishes(chunk)]
    first = finishers[0] if finishers else len(chunks)
    marker = 0
    for event in split([cassette.raw]):
        if event.data.startswith(b"{"):
            first -= 1
        if first < 0:
            break
        marker += len(event.raw)
    end = data.draw(st.integers(0, marker))

    _, _, ended_well, owed, _ = judge(cassette, split([cassette.raw[:end]]))

    assert (False, b"") == (ended_well, owed)


def _finishes(chunk: dict[str, Any]) -> bool:
    choices = chunk.get("choices") or []
    return any(choice.get("finish_reason") for choice in choices) or str(
        chunk.get("type")
    ).endswith((".completed", ".done", ".incomplete"))


@pytest.mark.parametrize("cassette", params("sse"))
def test_a_stream_of_lines_gets_its_blank_lines(cassette: Cassette) -> None:
    lines = b"".join(line + b"\n" for line in cassette.raw.splitlines() if line)
    events = split([lines], Framing.SSE_LINES)

    assert [line + b"\n\n" for line in lines.splitlines()] == [event.raw for event in events]
    assert [event.data for event in split([cassette.raw]) if event.data] == [
        event.data for event in events if event.data
    ]


@pytest.mark.parametrize("cassette", params("json", error=False))
def test_a_whole_answer_is_read(cassette: Cassette) -> None:
    assert cassette.format.is_answer(cassette.body)
    assert cassette.format.body_error(cassette.body, cassette.provider) is None

    recorded = cassette.body.get("usage") or {}
    usage = cassette.format.usage(cassette.body)
    if "total_tokens" in recorded:
        check_usage(recorded, usage)
    else:
        assert usage is None


@pytest.mark.parametrize("cassette", params("json", error=True))
def test_an_error_keeps_its_words(cassette: Cassette) -> None:
    error = cassette.format.decode_error(
        cassette.status, cassette.headers, cassette.raw, cassette.provider
    )
    said = cassette.body.get("error", cassette.body)

    assert cassette.status == error.status
    assert said.get("message", said.get("detail")) == error.message
    assert (said.get("type"), said.get("code")) == (error.type, error.code)
    assert said.get("param") == error.param
    assert set(said) - {"message", "type", "code", "param", "detail"} == set(error.extra)
