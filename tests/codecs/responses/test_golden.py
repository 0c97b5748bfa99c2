"""Golden files of the Responses door: requests and streams."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmgateway.codecs.responses import RESPONSES_DOOR
from llmgateway.types.http import Headers
from tests.codecs.crossing import written
from tests.codecs.golden import compare, golden_files, load
from tests.codecs.grammar import check_responses, sse
from tests.codecs.schemas import check

HERE = Path(__file__).parent


@pytest.mark.parametrize("path", golden_files(HERE, "request"))
def test_a_request_is_read(path: Path) -> None:
    given, _ = load(path)
    read = RESPONSES_DOOR.decode_request(given, {}, Headers())

    compare(path, {"hub": read.body, "dropped": read.dropped, "adjusted": read.adjusted})
    assert read.stream == (given.get("stream") is True)


@pytest.mark.parametrize("path", golden_files(HERE, "stream"))
def test_a_stream_is_shown(path: Path) -> None:
    given, ctx = load(path)
    raw = written(RESPONSES_DOOR, given, ctx)
    response = check_responses(raw)
    events = [json.loads(data) for _, data in sse(raw)]

    compare(path, {"events": events[2:-1], "response": response})
    for event in events:
        check("ResponseStreamEvent", event)
    assert "secret" not in raw.decode()
