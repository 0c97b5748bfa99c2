"""Answers on their way through Django: fields, and streams that end well, badly or early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llmgateway.errors import StreamAborted
from llmgateway_django.answers import PassedOn, response_of

JSON = (b"content-type", b"application/json")


class Body:
    """A stream that says when it is closed."""

    def __init__(self, *pieces: bytes, failure: Exception | None = None) -> None:
        self._pieces = iter(pieces)
        self._failure = failure
        self.closed = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Note it."""
        self.closed.set()


@pytest.mark.parametrize(
    ("status", "body", "head_only", "length", "streams"),
    [
        (200, b"abc", False, "3", False),
        (200, b"", False, "0", False),
        (200, b"abc", True, "3", False),
        (200, b"", True, None, True),
        (204, b"", False, None, True),
    ],
)
def test_a_length_is_stated_where_it_is_known(
    status: int, body: bytes, head_only: bool, length: str | None, streams: bool
) -> None:
    answer = response_of(status, (JSON,), body, head_only=head_only, awaited=False)

    assert (length, streams) == (answer.get("content-length"), answer.streaming)
    assert b"" == answer.getvalue() or not head_only


def test_fields_are_the_gateway_s_own() -> None:
    fields = (JSON, (b"vary", b"a"), (b"vary", b"b"), (b"connection", b"close"))

    answer = response_of(200, fields, b"{}", head_only=False, awaited=False)

    expected = {"content-length": "2", "content-type": "application/json", "vary": "a, b"}
    assert expected == {name.lower(): value for name, value in answer.items()}


def test_no_content_type_is_made_up() -> None:
    assert "content-type" not in response_of(200, (), b"x", head_only=False, awaited=False)


@pytest.mark.parametrize(
    ("fields", "coding"), [((), "identity"), (((b"content-encoding", b"br"),), "br")]
)
def test_streams_state_their_coding(fields: Any, coding: str) -> None:
    answer = response_of(200, fields, iter([b"x"]), head_only=False, awaited=False)

    assert coding == answer["content-encoding"]


async def test_a_stream_passes() -> None:
    assert [b"a", b"b"] == [piece async for piece in PassedOn(Body(b"a", b"b"), 60)]


async def test_a_broken_stream_is_cut_by_a_cancellation() -> None:
    passed = PassedOn(Body(b"a", failure=StreamAborted()), 60)

    assert b"a" == await anext(passed)
    with pytest.raises(asyncio.CancelledError):
        await anext(passed)


async def test_a_stream_is_closed_from_any_thread() -> None:
    body = Body(b"a")
    passed = PassedOn(body, 60)
    await anext(passed)

    await asyncio.to_thread(passed.close)

    await asyncio.wait_for(body.closed.wait(), 5)


async def test_a_stream_that_nobody_closes_is_closed() -> None:
    body = Body(b"a")
    passed = PassedOn(body, 60)
    await anext(passed)

    del passed

    await asyncio.wait_for(body.closed.wait(), 5)


async def test_a_client_that_does_not_read_is_cut() -> None:
    async def send() -> None:
        async for _ in PassedOn(Body(b"a", b"b"), 0.01):
            await asyncio.Event().wait()  # a client that takes nothing

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.ensure_future(send()), 5)
