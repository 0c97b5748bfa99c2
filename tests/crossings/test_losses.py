"""What a crossing cannot carry is said in a header: each row of the table in the docs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.crossings import answers
from tests.crossings.asks import BASE
from tests.crossings.doors import DOORS
from tests.crossings.gateway import CHECK_REQUEST, CROSSINGS, MODELS, send, whole
from tests.docs.pages import DOCS

JSON = dict[str, Any]

ROWS: list[JSON] = json.loads((DOCS / "losses.json").read_text(encoding="utf-8"))
CASES = [
    pytest.param(row, provider, id=f"{row['door']}-{provider}: {row['what']}")
    for row in ROWS
    for provider in row["lost"]
]
LOSING = [
    pytest.param(row, provider, id=f"{row['door']}-{provider}: {row['what']}")
    for row in ROWS
    for provider, lost in row["lost"].items()
    if "dropped" in lost
]


def asked_by(row: JSON, provider: str) -> JSON:
    """Return the whole request of a row."""
    model = row.get("model", {}).get(provider, MODELS[provider])
    named = {} if row["door"] == "generate_content" else {"model": model}
    return {**named, **BASE[row["door"]], **row["request"]}


@pytest.mark.parametrize(("row", "provider"), CASES)
async def test_a_loss_is_named(row: JSON, provider: str) -> None:
    answer = await send(
        row["door"], provider, asked_by(row, provider), whole(answers.whole(provider, "plain"))
    )

    lost = row["lost"][provider]
    assert 200 == answer.status, answer.raw
    CHECK_REQUEST[provider](answer.asked)
    assert lost.get("dropped", []) == answer.dropped
    assert lost.get("adjusted", []) == answer.adjusted


@pytest.mark.parametrize(("row", "provider"), LOSING)
async def test_a_loss_can_be_refused(row: JSON, provider: str) -> None:
    answer = await send(
        row["door"],
        provider,
        asked_by(row, provider),
        head={"x_portkey_unsupported_params": "refuse"},
    )

    message, kind = DOORS[row["door"]].error(answer.body)
    assert (400, ()) == (answer.status, answer.sent)
    assert f"`{row['lost'][provider]['dropped'][0]}`" in message
    assert kind


def test_every_crossing_has_its_rows() -> None:
    told = {(row["door"], provider) for row in ROWS for provider in row["lost"]}

    assert set(CROSSINGS) == told
