"""What Gemini's door wrote into a history, and what it must leave there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.codecs.generate_content import (
    COUNT_TOKENS_DOOR,
    EMBED_DOOR,
    GENERATE_CONTENT_DOOR,
)
from llmgateway.codecs.generate_content.carried import MARKS, encode_block, signature_for

JSON = dict[str, Any]

ASK = {"role": "user", "parts": [{"text": "Hi"}]}
CALL = {"functionCall": {"name": "f", "args": {}}}
CARRIER = encode_block({"type": "redacted_thinking", "data": "x"})
PACKED = signature_for("sig", is_own=False)
PARTS = "contents.parts.partMetadata"
SIGNED = "contents.parts.thoughtSignature"


def said(*parts: Any) -> JSON:
    return {"role": "model", "parts": list(parts)}


@pytest.mark.parametrize(
    ("given", "left", "named"),
    [
        ([CARRIER, {"text": "a"}], [{"text": "a"}], (PARTS,)),
        ([{"text": "a", "thoughtSignature": PACKED}], [{"text": "a"}], (SIGNED,)),
        ([{"text": "a", "thought_signature": PACKED}], [{"text": "a"}], (SIGNED,)),
        ([CALL, {"text": "", "thought": True, "thoughtSignature": PACKED}], [CALL], (SIGNED,)),
        ([{**CALL, "thoughtSignature": PACKED}, CARRIER], [CALL], (SIGNED, PARTS)),
    ],
    ids=["carrier", "text", "snake", "end-of-thought", "both"],
)
def test_our_parts_and_signatures_go(given: list[Any], left: list[Any], named: Any) -> None:
    history = {"contents": [ASK, said(*given)]}
    clean = {"contents": [ASK, said(*left)]}

    plain = GENERATE_CONTENT_DOOR.without_marks(history)
    counted = COUNT_TOKENS_DOOR.without_marks({"generateContentRequest": history})

    assert (clean, named) == (plain.body, plain.adjusted)
    assert ({"generateContentRequest": clean}, named) == (counted.body, counted.adjusted)


def test_a_turn_of_nothing_else_goes_too() -> None:
    plain = GENERATE_CONTENT_DOOR.without_marks({"contents": [ASK, said(CARRIER), ASK]})

    assert {"contents": [ASK, ASK]} == plain.body


@pytest.mark.parametrize(
    "contents",
    [
        [said({"text": "a", "thoughtSignature": "c2ln", "partMetadata": {"mine": 1}})],
        [said({"text": ""}, {"text": "", "thought": True}), said()],
        ["llmgatewayBlock", said("?", {"text": "x", "thoughtSignature": 1}), {"role": "model"}],
        "llmgatewayBlock",
        None,
    ],
    ids=["own", "empty", "no-objects", "text", "none"],
)
def test_what_others_wrote_stays(contents: Any) -> None:
    body = {"contents": contents}

    assert body is GENERATE_CONTENT_DOOR.without_marks(body).body


@given(st.text(max_size=8))
def test_a_packed_signature_shows_in_the_bytes(signature: str) -> None:
    packed = signature_for(signature, is_own=False)

    assert any(mark in packed.encode() for mark in MARKS)


def test_embeddings_have_no_history() -> None:
    body = {"content": said(CARRIER)}

    assert ((), body) == (EMBED_DOOR.marks, EMBED_DOOR.without_marks(body).body)
