"""The stream under httpcore: what it hands out, and when it says no."""

from __future__ import annotations

import random

import httpcore
import pytest

from llmgateway.errors import UpstreamProtocolError, UpstreamTooLarge
from llmgateway.transport.network import (
    MAX_CHUNK_LINE_BYTES,
    MAX_CHUNKS_AT_ONCE,
    MAX_HEAD_BYTES,
    Stream,
    _Chunks,
    _Framing,
    _Heads,
    _Length,
)


def handed_out(framing: _Framing, data: bytes, cuts: list[int], max_bytes: int = 65536) -> bytes:
    """Feed `data` in pieces; return what goes out, all that may go out each time."""
    out, buffer, at = b"", bytearray(), 0
    for cut in [*cuts, len(data)]:
        buffer += data[at:cut]
        at = max(at, cut)
        while size := framing.grant(buffer, max_bytes):
            assert size <= max_bytes
            out += buffer[:size]
            del buffer[:size]
    return out


def all_cuts(data: bytes) -> list[list[int]]:
    rng = random.Random(len(data))
    some = [sorted(rng.sample(range(len(data)), min(5, len(data)))) for _ in range(20)]
    return [[], list(range(len(data))), *([at] for at in range(len(data))), *some]


CHUNKS = [
    b"0\r\n\r\n",
    b"1\r\nx\r\n0\r\n\r\n",
    b"0005;name=value\r\n0\r\n\r\n\r\n000;last\r\nA: b\r\nC: d\r\n\r\n",
    b"7\r\n\n0\r\n\r\nx\r\nA\r\n0123456789\r\n0\r\n\r\n",
    b"1\nx\r\n0\n\n",
]


@pytest.mark.parametrize("message", CHUNKS)
@pytest.mark.parametrize("stray", [b"", b"x", b"\r\n", b"0\r\n\r\n", b"1\r\nx\r\n0\r\n\r\n"])
def test_chunks_go_out_to_the_last_byte_and_no_further(message: bytes, stray: bytes) -> None:
    for cuts in all_cuts(message + stray):
        framing = _Chunks()

        assert message == handed_out(framing, message + stray, cuts)
        assert framing.ended


@pytest.mark.parametrize("message", CHUNKS)
def test_chunks_that_are_cut_have_not_ended(message: bytes) -> None:
    for size in range(len(message)):
        framing = _Chunks()

        assert message.startswith(handed_out(framing, message[:size], []))
        assert not framing.ended


@pytest.mark.parametrize("line", [b"x\r\n", b"\r\n", b"-1\r\n", b"0x1\r\n", b"1x\r\n", b"F" * 17])
def test_a_line_that_is_no_chunk_size_is_an_error(line: bytes) -> None:
    with pytest.raises(UpstreamProtocolError, match="broken chunk"):
        handed_out(_Chunks(), line + b"\r\n", [])


@pytest.mark.parametrize("before", [b"", b"1\r\nx\r\n", b"0\r\n"], ids=["size", "next", "trailer"])
def test_a_line_without_end_is_an_error(before: bytes) -> None:
    line = b"1;" + b"x" * MAX_CHUNK_LINE_BYTES

    with pytest.raises(UpstreamProtocolError, match="line longer"):
        handed_out(_Chunks(), before + line, [])


def test_tiny_chunks_go_out_in_bounded_numbers() -> None:
    buffer = bytearray(b"1\r\nx\r\n" * 1000)

    assert 0 < _Chunks().grant(buffer, 65536) <= 6 * MAX_CHUNKS_AT_ONCE


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_length_goes_out_and_no_more(length: int) -> None:
    framing = _Length(length)

    assert b"hello"[:length] == handed_out(framing, b"hello world", [3])
    assert framing.ended


def test_a_body_without_length_goes_out_and_never_ends_cleanly() -> None:
    framing = _Length(None)

    assert b"hello" == handed_out(framing, b"hello", [2], max_bytes=2)
    assert not framing.ended


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\n\r\n"])
def test_a_head_goes_out_whole_and_alone(end: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nA: b" + end
    for cuts in all_cuts(head):
        framing = _Heads()
        buffer, at = bytearray(), 0
        for cut in [*cuts, len(head)]:
            assert 0 == framing.grant(buffer, 65536)
            buffer += head[at:cut]
            at = max(at, cut)
        buffer += b"body\r\n\r\n"

        assert len(head) == framing.grant(buffer, 65536)


def test_a_head_larger_than_one_read_goes_out_in_two() -> None:
    framing = _Heads()
    buffer = bytearray(b"A: b\r\n\r\nbody")

    assert 5 == framing.grant(buffer, 5)
    assert 3 == framing.grant(buffer[5:], 5)


@pytest.mark.parametrize("data", [b"x" * (MAX_HEAD_BYTES + 1), b"x" * MAX_HEAD_BYTES + b"\n\n"])
def test_a_head_above_its_cap_is_an_error(data: bytes) -> None:
    with pytest.raises(UpstreamTooLarge):
        _Heads().grant(bytearray(data), 65536)


def test_a_framing_must_say_what_goes_out() -> None:
    with pytest.raises(NotImplementedError):
        _Framing().grant(bytearray(), 1)


def test_a_stream_that_was_never_connected_may_be_cut() -> None:
    Stream().abort()


async def test_a_lost_connection_is_not_read_as_an_end() -> None:
    stream = Stream()
    stream.connection_lost(OSError("reset"))

    with pytest.raises(httpcore.ReadError) as caught:
        await stream.read(1)

    assert "reset" == str(caught.value.__cause__)
