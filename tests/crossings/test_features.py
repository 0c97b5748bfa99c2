"""Each feature through each crossing, whole and streamed."""

from __future__ import annotations

import pytest

from tests.crossings import answers
from tests.crossings.asks import ASKS, request
from tests.crossings.doors import DOORS
from tests.crossings.gateway import (
    CHECK_REQUEST,
    CROSSINGS,
    MODELS,
    recut,
    send,
    stream_of,
    whole,
)
from tests.crossings.matching import assert_has
from tests.crossings.sent import SENT
from tests.crossings.told import USAGE, told

crossings = pytest.mark.parametrize(("door", "provider"), CROSSINGS)
features = pytest.mark.parametrize("feature", ASKS)

ADJUSTED = {
    ("thinking", "messages", "google"): ["thinking"],
    ("thinking", "messages", "openai"): ["thinking.budget_tokens"],
}
"""What is said in other words, by feature, door and provider; all else loses nothing."""
DROPPED = {
    # Models that think take no temperature; those are named that do not.
    ("sampling", "messages", "openai"): ["temperature"],
    ("sampling", "generate_content", "openai"): ["temperature"],
}


@crossings
@features
async def test_a_request_says_it_in_the_providers_words(
    feature: str, door: str, provider: str
) -> None:
    asked = request(door, feature, MODELS[provider])

    answer = await send(door, provider, asked, whole(answers.whole(provider, feature)))

    crossing = (feature, door, provider)
    assert 200 == answer.status, answer.raw
    CHECK_REQUEST[provider](answer.asked)
    assert DROPPED.get(crossing, []) == answer.dropped
    assert ADJUSTED.get(crossing, []) == answer.adjusted
    if crossing not in DROPPED:
        assert_has(SENT.get(feature, SENT["plain"])[provider], answer.asked)


@crossings
@features
async def test_a_whole_answer_says_it_in_the_doors_words(
    feature: str, door: str, provider: str
) -> None:
    asked = request(door, feature, MODELS[provider])

    answer = await send(door, provider, asked, whole(answers.whole(provider, feature)))

    DOORS[door].check(answer.body)
    assert told(feature, door, provider) == DOORS[door].view(answer.body)
    if feature == "usage":
        assert_has(USAGE[door][provider], answer.body[_usage(door)])


@crossings
@features
@pytest.mark.parametrize("size", [0, 1, 97])
async def test_a_streamed_answer_says_the_same(
    feature: str, door: str, provider: str, size: int
) -> None:
    asked = request(door, feature, MODELS[provider])
    events = recut(answers.streamed(provider, feature), size)

    answer = await send(door, provider, asked, stream_of(events), stream=True)

    gathered = DOORS[door].gathered(answer.raw)
    assert "text/event-stream" == answer.headers["content-type"]
    assert told(feature, door, provider) == DOORS[door].view(gathered)
    if feature == "usage":
        assert_has(USAGE[door][provider], gathered[_usage(door)])


def _usage(door: str) -> str:
    return "usageMetadata" if door == "generate_content" else "usage"
