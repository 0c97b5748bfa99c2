"""What the Responses door wrote into a history, and what it must leave there."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.responses import RESPONSES_DOOR
from llmgateway.codecs.responses.sealed import pack

JSON = dict[str, Any]


def reasoning(**members: Any) -> JSON:
    return {"type": "reasoning", "id": "rs_1", "summary": [], **members}


ASK = {"role": "user", "content": "Hi"}
OWN = reasoning(encrypted_content="gAAAAAB")


@pytest.mark.parametrize("packed", [pack({"texts": []}), "lgw1.cut short"])
def test_our_reasoning_items_go(packed: str) -> None:
    ours = reasoning(encrypted_content=packed)

    plain = RESPONSES_DOOR.without_marks({"model": "m", "input": [ASK, OWN, ours]})

    assert {"model": "m", "input": [ASK, OWN]} == plain.body
    assert ("input.reasoning",) == plain.adjusted


@pytest.mark.parametrize(
    "given",
    ["lgw1.", [ASK, OWN], ["lgw1."], [reasoning()], [{"type": "?", "encrypted_content": "lgw1."}]],
    ids=["text", "own", "no-object", "unsealed", "another-kind"],
)
def test_what_others_wrote_stays(given: Any) -> None:
    body = {"input": given}

    assert body is RESPONSES_DOOR.without_marks(body).body
