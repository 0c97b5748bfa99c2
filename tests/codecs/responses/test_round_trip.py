"""Output items given back as input are the turn that they were made of."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from llmgateway.codecs.responses import RESPONSES_DOOR
from llmgateway.codecs.responses.sealed import pack, seal, unpack, unseal
from llmgateway.types.http import Headers
from tests.codecs.chat.test_round_trip import blocks_of, calls_of
from tests.codecs.crossing import JSON, context, written
from tests.codecs.grammar import check_responses
from tests.codecs.turns import messages, streamed, whole


def brought_back(output: list[JSON]) -> JSON:
    """Return the turn that some items are as input."""
    body = json.loads(json.dumps({"input": output}))
    read = RESPONSES_DOOR.decode_request(body, {}, Headers()).body["messages"]
    assert 1 == len(read)
    turn: JSON = read[0]
    return turn


@given(message=messages())
def test_a_whole_answer_comes_back(message: JSON) -> None:
    response = RESPONSES_DOOR.encode_response(whole(message), context())
    turn = brought_back(response["output"])

    assert blocks_of(message) == blocks_of(turn)
    assert calls_of(message) == calls_of(turn)


@given(message=messages(), size=st.integers(1, 20))
def test_a_stream_comes_back(message: JSON, size: int) -> None:
    response = check_responses(written(RESPONSES_DOOR, streamed(message, size), context()))
    turn = brought_back(response["output"])

    assert blocks_of(message) == blocks_of(turn)
    assert calls_of(message) == calls_of(turn)


@given(value=st.dictionaries(st.text(), st.recursive(st.text() | st.integers(0, 9), st.lists)))
def test_what_is_packed_is_unpacked(value: JSON) -> None:
    assert value == unpack(pack(value))


@given(text=st.text(), signature=st.text())
def test_a_thought_comes_back_beside_its_summary(text: str, signature: str) -> None:
    block = {"type": "thinking", "thinking": text, "signature": signature}

    assert block == unseal(unpack(seal(block)) or {}, text)


def test_a_changed_thought_comes_back_unsigned() -> None:
    """A provider would refuse the signature over other words."""
    packed = unpack(seal({"type": "thinking", "thinking": "a", "signature": "s"})) or {}

    assert {"type": "thinking", "thinking": "b"} == unseal(packed, "b")
    assert unseal(packed, "") is None


def test_what_is_not_ours_is_not_unpacked() -> None:
    assert unpack(None) is None
    assert unpack("gAAAAABo") is None
    assert unpack("lgw1.!") is None
    assert unpack("lgw1." + "WzFd") is None
    assert unseal({"block": "?"}, "") is None
