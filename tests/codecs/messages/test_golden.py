"""Golden files: what is given, and what must come of it, one case a file.

`python -m tests.codecs.messages.test_golden` writes the expectations anew; read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from llmgateway.codecs.messages import MESSAGES_CODEC, MESSAGES_DOOR
from llmgateway.types.http import Headers
from tests.codecs.messages.grammar import gathered
from tests.codecs.messages.recordings import context, split
from tests.codecs.messages.schemas import SCHEMAS, check_answer, check_event, check_request

JSON = dict[str, Any]
FILES = sorted((Path(__file__).parent / "golden").glob("*.json"))


def request(case: JSON) -> JSON:
    """A hub request → what is sent."""
    sent = MESSAGES_CODEC.encode_request(case["given"], context(case["model"]))
    return {
        "body": sent.body,
        "headers": dict(sent.headers),
        "dropped": list(sent.dropped),
        "adjusted": list(sent.adjusted),
    }


def answer(case: JSON) -> Any:
    """A whole answer → the hub's."""
    ctx = context(case["model"], request=case.get("request", {}))
    return MESSAGES_CODEC.decode_response(case["given"], ctx)


def stream(case: JSON) -> Any:
    """A provider's events → the hub's deltas, and what the last chunks say."""
    decoder = MESSAGES_CODEC.decode_stream(context(case["model"], request=case.get("request", {})))
    raws = [b"data: " + orjson.dumps(body) + b"\n\n" for body in case["given"]]
    chunks = [chunk for event in split(raws) for chunk in decoder.feed(event)] + decoder.close()
    assert 1 == len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks})
    return [short(chunk) for chunk in chunks]


def short(chunk: JSON) -> JSON:
    if not chunk["choices"]:
        return {"usage": chunk["usage"]}
    (choice,) = chunk["choices"]
    return choice["delta"] if choice["finish_reason"] is None else {**choice}


def door_request(case: JSON) -> JSON:
    """A caller's request → the hub's."""
    read = MESSAGES_DOOR.decode_request(case["given"], {}, Headers())
    return {
        "body": read.body,
        "stream": read.stream,
        "dropped": list(read.dropped),
        "adjusted": list(read.adjusted),
    }


def door_answer(case: JSON) -> Any:
    """A hub answer → a message."""
    ctx = context(case["model"], door_request=case.get("door_request", {}))
    return MESSAGES_DOOR.encode_response(case["given"], ctx)


def door_stream(case: JSON) -> Any:
    """Hub deltas → a caller's events."""
    encoder = MESSAGES_DOOR.encode_stream(
        context(case["model"], door_request=case.get("door_request", {}))
    )
    raw = b"".join(encoder.feed(chunk) for chunk in case["given"]) + encoder.close()
    gathered(raw, schema=False)
    return [orjson.loads(event.data) for event in split([raw])]


KINDS: dict[str, Callable[[JSON], Any]] = {
    "request": request,
    "answer": answer,
    "stream": stream,
    "door_request": door_request,
    "door_answer": door_answer,
    "door_stream": door_stream,
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_golden_case(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))

    assert case["expected"] == KINDS[case["kind"]](case)


@pytest.mark.skipif(not SCHEMAS.exists(), reason="no schemas beside the project")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_golden_case_writes_is_valid(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    expected = case["expected"]

    match case["kind"]:
        case "request":
            check_request(expected["body"])
        case "door_answer":
            check_answer(expected)
        case "door_stream":
            for event in expected:
                check_event(event)


def test_a_request_has_one_spelling() -> None:
    """Prompt caches are found by bytes, so the members stand in one order, come what may."""
    orders = set()
    for file in FILES:
        case = json.loads(file.read_text(encoding="utf-8"))
        if case["kind"] == "request":
            given = case["given"]
            turned = {key: given[key] for key in reversed(given)}
            spelt = [
                orjson.dumps(request({**case, "given": one})["body"]) for one in (given, turned)
            ]
            orders.add(spelt[0] == spelt[1])

    assert {True} == orders


def _write() -> None:
    for file in FILES:
        case = json.loads(file.read_text(encoding="utf-8"))
        case["expected"] = KINDS[case["kind"]](case)
        file.write_text(json.dumps(case, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
