"""Cutting a body into events, wherever the network cut it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.codecs.base import Event, Framing
from llmgateway.codecs.sse import SSESplitter
from llmgateway.errors import UpstreamTooLarge

CAP = 1000


def split(*pieces: bytes, framing: Framing = Framing.SSE, cap: int = CAP) -> list[Event]:
    """Return the events of a body that arrives in `pieces` and then ends."""
    splitter = SSESplitter(framing, cap)
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return events + splitter.flush()


@pytest.mark.parametrize(
    ("raw", "name", "data"),
    [
        (b"data: x\n\n", None, b"x"),
        (b"data:x\n\n", None, b"x"),
        (b"data:  x\n\n", None, b" x"),
        (b"data\n\n", None, b""),
        (b"data: x\r\n\r\n", None, b"x"),
        (b"data: x\r\r", None, b"x"),
        (b"data: x\n\r\n", None, b"x"),
        (b"data: x\r\n\n", None, b"x"),
        (b"data: x\r\n\r", None, b"x"),
        (b"data: a\ndata: b\n\n", None, b"a\nb"),
        (b"data: a\rdata: b\n\n", None, b"a\nb"),
        (b"event: ping\ndata: x\n\n", "ping", b"x"),
        (b"event: ping\r\ndata: x\r\n\r\n", "ping", b"x"),
        (b"data: x\nevent: ping\n\n", "ping", b"x"),
        (b"event: \ndata: x\n\n", None, b"x"),
        (b"event: a\ndata: x\ndata: y\n\n", "a", b"x\ny"),
        (b"event: \xff\ndata: x\n\n", "\ufffd", b"x"),
        (b": a comment\n\n", None, b""),
        (b"id: 1\nretry: 5\ndata: x\n\n", None, b"x"),
        (b"\xef\xbb\xbfdata: x\n\n", None, b"x"),
        (b"\n\n", None, b""),
    ],
    ids=lambda value: repr(value) if isinstance(value, bytes) else None,
)
def test_one_event_is_read(raw: bytes, name: str | None, data: bytes) -> None:
    assert [Event(raw, name, data)] == split(raw)


def test_events_come_as_soon_as_they_are_whole() -> None:
    splitter = SSESplitter(Framing.SSE, CAP)

    assert [] == splitter.feed(b"data: a\n")
    assert [Event(b"data: a\n\n", None, b"a")] == splitter.feed(b"\n")
    assert [Event(b"data: b\n\n", None, b"b")] == splitter.feed(b"data: b\n\nda")
    assert b"da" == splitter.rest


def test_a_crlf_cut_in_two_makes_no_event_of_its_own() -> None:
    splitter = SSESplitter(Framing.SSE, CAP)

    assert [] == splitter.feed(b"data: a\r\n\r")
    assert [Event(b"data: a\r\n\r\n", None, b"a")] == splitter.feed(b"\ndata: b\r")
    assert [] == splitter.feed(b"\n")
    assert [Event(b"data: b\r\n\r\n", None, b"b")] == splitter.feed(b"\r\n: c")


def test_an_empty_read_changes_nothing() -> None:
    assert split(b"data: a\n\n") == split(b"", b"data: a", b"", b"\n\n", b"")


@pytest.mark.parametrize(
    ("rest", "raw"),
    [
        (b"data: [DONE]", b"data: [DONE]\n\n"),
        (b"data: [DONE]\n", b"data: [DONE]\n\n"),
        (b"data: [DONE]\r\n", b"data: [DONE]\r\n\n"),
        (b"data: [DONE]\r", b"data: [DONE]\r\n\n"),
        (b'data: {"a": 1}', b'data: {"a": 1}\n\n'),
        (b'event: x\ndata: {"a": 1}\n', b'event: x\ndata: {"a": 1}\n\n'),
        (b"\n", b"\n"),
        (b"\r", b"\r"),
    ],
)
def test_a_whole_event_at_the_end_needs_no_blank_line(rest: bytes, raw: bytes) -> None:
    first, last = split(b"data: a\n\n", rest)

    assert raw == last.raw


@pytest.mark.parametrize(
    "rest", [b'data: {"a": ', b"data: [DO", b"data: 12", b"data: text", b"event: x\n", b": c"]
)
def test_part_of_an_event_at_the_end_is_none(rest: bytes) -> None:
    splitter = SSESplitter(Framing.SSE, CAP)

    assert 1 == len(splitter.feed(b"data: a\n\n" + rest))
    assert [] == splitter.flush()
    assert rest == splitter.rest


def test_each_line_is_an_event_where_the_provider_leaves_out_blank_lines() -> None:
    body = b'data: {"a":1}\r\ndata: b\n\n\r\n: c\nevent: x\ndata: [DONE]\r'
    events = split(body, framing=Framing.SSE_LINES)

    assert [b'{"a":1}', b"b", b"", b"", b"[DONE]"] == [event.data for event in events]
    assert b'data: {"a":1}\n\ndata: b\n\n: c\n\nevent: x\n\ndata: [DONE]\n\n' == b"".join(
        event.raw for event in events
    )
    assert events == split(
        *(body[at : at + 1] for at in range(len(body))), framing=Framing.SSE_LINES
    )


def test_a_body_without_framing_has_no_events() -> None:
    with pytest.raises(ValueError, match="no events"):
        SSESplitter(Framing.NONE, CAP)


@pytest.mark.parametrize("framing", [Framing.SSE, Framing.SSE_LINES])
@pytest.mark.parametrize("end", [b"", b"\n\n", b"\r\n\r\n"])
def test_an_event_over_the_cap_is_refused(framing: Framing, end: bytes) -> None:
    with pytest.raises(UpstreamTooLarge):
        split(b"data: " + b"x" * CAP + end, framing=framing)


def test_an_event_of_the_cap_s_size_passes() -> None:
    assert 1 == len(split(b"data: " + b"x" * (CAP - 8) + b"\n\n"))
    with pytest.raises(UpstreamTooLarge):
        split(b"data: " + b"x" * (CAP - 7) + b"\n\n")


@pytest.mark.parametrize("tail", [b"\n\n", b""])
def test_events_before_one_over_the_cap_are_handed_out_first(tail: bytes) -> None:
    splitter = SSESplitter(Framing.SSE, CAP)
    good, too_long = b"data: a\n\n", b"data: " + b"x" * CAP

    assert [Event(good, None, b"a")] == splitter.feed(good + too_long + tail + good)
    with pytest.raises(UpstreamTooLarge):
        splitter.feed(good)
    with pytest.raises(UpstreamTooLarge):
        splitter.flush()


_LINES = st.sampled_from(
    [b"data: x", b"data:", b"event: e", b": c", b"", b"id: 1", b'data: {"a":1}', b"\xef\xbb\xbf"]
)
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(st.lists(st.tuples(_LINES, _ENDS), max_size=30), st.data())
def test_any_mix_of_line_ends_reads_the_same_however_it_is_cut(
    lines: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    body = b"".join(line + end for line, end in lines)
    places = data.draw(st.lists(st.integers(0, len(body)), max_size=20).map(sorted))
    pieces = [
        body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)
    ]
    splitter = SSESplitter(Framing.SSE, CAP)
    events = [event for piece in pieces for event in splitter.feed(piece)]

    assert body == b"".join(event.raw for event in events) + splitter.rest
    assert split(body) == split(*pieces)
    assert _reference(body) == [
        (event.name, event.data) for event in split(body + b"\n\n\n") if event.data
    ]


def _reference(body: bytes) -> list[tuple[str | None, bytes]]:
    """Interpret a stream as the specification has it, line by line, with empty data left out."""
    found: list[tuple[str | None, bytes]] = []
    name: str | None = None
    data: list[bytes] = []
    for line in [*body.removeprefix(b"\xef\xbb\xbf").splitlines(), b""]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if b"\n".join(data):
                found.append((name, b"\n".join(data)))
            name, data = None, []
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode() or None
    return found


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_long_event_byte_by_byte_takes_linear_time(line_end: bytes) -> None:
    """Quadratic work would take minutes here, linear work a fraction of a second."""
    body = b"data: " + b"x" * 300_000 + line_end * 2
    splitter = SSESplitter(Framing.SSE, 1_000_000)
    splitter.feed(b": c" + line_end * 2)
    started = time.perf_counter()
    events = [event for at in range(len(body)) for event in splitter.feed(body[at : at + 1])]

    assert 1 == len(events)
    assert time.perf_counter() - started < 10
