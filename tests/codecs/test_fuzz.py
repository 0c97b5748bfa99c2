"""Whatever a provider sends, reading it never raises and never gives nonsense."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.base import Event, EventKind, Format, Framing
from llmgateway.codecs.sse import SSESplitter
from llmgateway.errors import UpstreamTooLarge
from llmgateway.types.http import Headers
from tests.codecs.test_formats import ALL

_KEYS = st.sampled_from(
    """
    audio cache_write_tokens cached_tokens choices code completion_tokens content data delta detail
    error errors event finish_reason function_call index input_tokens item loc message model msg n
    object output output_tokens param prompt prompt_tokens prompt_tokens_details reasoning
    response role status stream stream_options text total_tokens type usage x_groq
    """.split()
)
_WORDS = st.sampled_from(
    ["error", "stop", "response.completed", "response.failed", "response.output_item.added"]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | _WORDS
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=25,
)
BODIES = st.dictionaries(_KEYS | st.text(max_size=5), VALUES, max_size=8)
HEADERS = st.sampled_from(
    [Headers(), *(Headers.of(content_type=kind) for kind in ("application/json", "text/html", "é"))]
)

every_format = pytest.mark.parametrize("wire", ALL, ids=lambda wire: wire.name)
few = settings(max_examples=60, deadline=None)


def written(value: Any) -> bytes:
    """Return `value` as JSON."""
    return json.dumps(value).encode()


@few
@given(
    events=st.lists(
        st.tuples(
            st.sampled_from([None, "error", "message"]),
            BODIES.map(written) | VALUES.map(written) | st.binary(max_size=50),
        ),
        max_size=8,
    ),
    request=st.none() | BODIES,
)
@every_format
def test_a_watch_takes_any_event(
    wire: Format, events: list[tuple[str | None, bytes]], request: Any
) -> None:
    watch = wire.watch(request, "acme")
    kinds = [watch.feed(Event(data, name, data)) for name, data in events]

    assert all(isinstance(kind, EventKind) for kind in kinds)
    assert (watch.error is not None) == (EventKind.ERROR in kinds)
    assert not (watch.ended_well and watch.error)
    assert watch.owed() in (b"", b"data: [DONE]\n\n")
    assert watch.usage is None or 0 <= watch.usage.total
    if watch.error is not None:
        assert orjson.dumps(wire.encode_error(watch.error, "r"))
        assert 400 <= watch.error.status <= 599


@few
@given(body=BODIES)
@every_format
def test_a_body_is_read_or_refused(wire: Format, body: dict[str, Any]) -> None:
    parsed = orjson.loads(written(body))

    assert wire.is_answer(parsed) in (True, False)
    assert (usage := wire.usage(parsed)) is None or 0 <= usage.total
    assert (error := wire.body_error(parsed, "acme")) is None or 400 <= error.status <= 599
    assert wire.ask_for_usage(parsed) != parsed


@few
@given(
    status=st.integers(400, 599),
    headers=HEADERS,
    body=st.binary(max_size=200) | VALUES.map(written) | BODIES.map(written),
)
@every_format
def test_an_error_answer_becomes_an_error(
    wire: Format, status: int, headers: Headers, body: bytes
) -> None:
    error = wire.decode_error(status, headers, body, "acme")

    assert (status, "acme") == (error.status, error.provider)
    assert 0 < len(error.message) <= 4_000
    assert orjson.dumps(wire.encode_error(error, "r"))
    assert wire.error_event(error, "r").endswith(b"\n\n")


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(
        st.binary(max_size=40) | st.sampled_from([b"\n", b"\r", b"\r\n", b"data: ", b"[DONE]"]),
        max_size=20,
    ),
    framing=st.sampled_from([Framing.SSE, Framing.SSE_LINES]),
    cap=st.integers(1, 60),
)
def test_a_splitter_takes_any_bytes(pieces: list[bytes], framing: Framing, cap: int) -> None:
    def split(parts: list[bytes]) -> tuple[list[Event], bool]:
        splitter, events = SSESplitter(framing, cap), []
        try:
            for part in parts:
                events += splitter.feed(part)
            return events + splitter.flush(), False
        except UpstreamTooLarge:
            return events, True

    events, is_over = split(pieces)

    assert all(len(event.raw) <= cap for event in events)
    assert (events, is_over) == split([bytes([byte]) for byte in b"".join(pieces)])
