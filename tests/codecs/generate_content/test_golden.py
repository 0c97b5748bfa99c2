"""Golden files of the codec and of the door: requests, answers and streams, each way."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgateway.codecs.generate_content import GENERATE_CONTENT_CODEC, GENERATE_CONTENT_DOOR
from llmgateway.types.http import Headers
from tests.codecs.crossing import events_of, hub_chunks, written
from tests.codecs.generate_content.grammar import check_stream
from tests.codecs.generate_content.schemas import check
from tests.codecs.golden import compare, golden_files, load

HERE = Path(__file__).parent
PARAMS = {"model": "some-model", "operation": "generateContent"}


@pytest.mark.parametrize("path", golden_files(HERE, "request"))
def test_a_request_is_written(path: Path) -> None:
    given, ctx = load(path)
    encoded = GENERATE_CONTENT_CODEC.encode_request(given, ctx)

    compare(path, {"sent": encoded.body, "dropped": encoded.dropped, "adjusted": encoded.adjusted})
    check("GenerateContentRequest", encoded.body)


@pytest.mark.parametrize("path", golden_files(HERE, "answer"))
def test_an_answer_is_read(path: Path) -> None:
    given, ctx = load(path)

    compare(path, GENERATE_CONTENT_CODEC.decode_response(given, ctx))


@pytest.mark.parametrize("path", golden_files(HERE, "stream"))
def test_a_stream_is_read(path: Path) -> None:
    given, ctx = load(path)

    compare(path, hub_chunks(GENERATE_CONTENT_CODEC, events_of(*given), ctx))


@pytest.mark.parametrize("path", golden_files(HERE, "door_request"))
def test_a_callers_request_is_read(path: Path) -> None:
    given, _ = load(path)
    decoded = GENERATE_CONTENT_DOOR.decode_request(given, PARAMS, Headers())

    compare(path, {"hub": decoded.body, "dropped": decoded.dropped, "adjusted": decoded.adjusted})


@pytest.mark.parametrize("path", golden_files(HERE, "door_answer"))
def test_an_answer_is_shown(path: Path) -> None:
    given, ctx = load(path)
    shown = GENERATE_CONTENT_DOOR.encode_response(given, ctx)

    compare(path, shown)
    check("GenerateContentResponse", shown)


@pytest.mark.parametrize("path", golden_files(HERE, "door_stream"))
def test_a_stream_is_shown(path: Path) -> None:
    given, ctx = load(path)
    raw = written(GENERATE_CONTENT_DOOR, given, ctx)

    check_stream(raw)
    compare(path, raw.decode().splitlines())
