"""Usage as disjoint parts, from every spelling that providers use."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.codecs.usage import MAX_TOKENS, read_usage
from llmgateway.types.usage import NO_USAGE, Usage, UsageSource

CASES: list[Any] = [
    pytest.param(
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        Usage(input=10, output=5),
        id="plain",
    ),
    pytest.param(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {
                "cached_tokens": 60,
                "cache_write_tokens": 20,
                "audio_tokens": 5,
            },
            "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 8},
        },
        Usage(
            input=15,
            input_audio=5,
            cache_read=60,
            cache_write=20,
            output=12,
            output_audio=8,
            reasoning=30,
        ),
        id="everything inside its whole",
    ),
    pytest.param(
        {
            "prompt_tokens": 305,
            "completion_tokens": 20,
            "total_tokens": 634,
            "prompt_tokens_details": {"cached_tokens": 256},
            "completion_tokens_details": {"reasoning_tokens": 309},
        },
        Usage(input=49, cache_read=256, output=20, reasoning=309),
        id="reasoning beside, as the total says",
    ),
    pytest.param(
        {
            "prompt_tokens": 30,
            "completion_tokens": 20,
            "total_tokens": 60,
            "completion_tokens_details": {"reasoning_tokens": 10},
        },
        Usage(input=30, output=20, reasoning=10),
        id="less reasoning than output, beside all the same",
    ),
    pytest.param(
        {
            "prompt_tokens": 5,
            "completion_tokens": 20,
            "total_tokens": 400,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 375},
        },
        Usage(input=5, input_audio=375, output=20),
        id="audio beside, as the total says",
    ),
    pytest.param(
        {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 36,
            "prompt_tokens_details": {"audio_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
        Usage(input=10, input_audio=2, output=20, reasoning=4),
        id="two parts beside",
    ),
    pytest.param(
        {
            "prompt_tokens": 50,
            "completion_tokens": 9,
            "cache_read_input_tokens": 1000,
            "cache_creation_input_tokens": 200,
        },
        Usage(input=50, cache_read=1000, cache_write=200, output=9),
        id="more cached than read stands beside",
    ),
    pytest.param(
        {"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 6},
        Usage(input=3, cache_read=6, output=4),
        id="cache hits at top level",
    ),
    pytest.param(
        {"prompt_tokens": 9, "completion_tokens": 4, "reasoning_tokens": 3, "cached_tokens": 2},
        Usage(input=7, cache_read=2, output=1, reasoning=3),
        id="details at top level",
    ),
    pytest.param(
        {
            "input_tokens": 1220,
            "output_tokens": 100,
            "total_tokens": 1320,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 1217},
            "output_tokens_details": {"reasoning_tokens": 100},
        },
        Usage(input=3, cache_write=1217, reasoning=100),
        id="responses",
    ),
    pytest.param(
        {
            "type": "tokens",
            "total_tokens": 6,
            "input_tokens": 1,
            "input_token_details": {"text_tokens": 0, "audio_tokens": 1},
            "output_tokens": 5,
        },
        Usage(input_audio=1, output=5),
        id="transcription, singular details",
    ),
    pytest.param({"prompt_tokens": 7, "total_tokens": 7}, Usage(input=7), id="embeddings"),
    pytest.param({"total_tokens": 7}, Usage(input=7), id="total alone"),
    pytest.param({"completion_tokens": 2, "total_tokens": 7}, Usage(input=5, output=2), id="rest"),
    pytest.param({"completion_tokens": 2}, Usage(output=2), id="output alone"),
    pytest.param(
        {"prompt_tokens": 501, "completion_tokens": None, "total_tokens": None},
        Usage(input=501),
        id="nulls at the start of a stream",
    ),
    pytest.param(
        {"prompt_tokens": 3.0, "completion_tokens": 1}, Usage(input=3, output=1), id="3.0"
    ),
    pytest.param(
        {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 9},
        Usage(input=3, output=1),
        id="a total that nothing explains",
    ),
    pytest.param(
        {
            "prompt_tokens": 3,
            "completion_tokens": 1,
            "total_tokens": "4",
            "prompt_tokens_details": [],
            "completion_tokens_details": {"reasoning_tokens": -1, "audio_tokens": 1.5},
        },
        Usage(input=3, output=1),
        id="bad details",
    ),
    pytest.param(
        {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "prompt_tokens_details": {"audio_tokens": 9},
            "completion_tokens_details": {"audio_tokens": 9},
        },
        Usage(input_audio=3, output_audio=2),
        id="more audio than anything",
    ),
    pytest.param({"type": "duration", "seconds": 12}, None, id="seconds"),
    pytest.param({"cost_in_usd_ticks": 5}, None, id="cost only"),
    pytest.param({}, None, id="empty"),
    pytest.param(None, None, id="none"),
    pytest.param([1], None, id="list"),
]


@pytest.mark.parametrize(("recorded", "expected"), CASES)
def test_usage_is_read(recorded: Any, expected: Usage | None) -> None:
    assert expected == read_usage(recorded)


@pytest.mark.parametrize("value", [-1, 1.5, "12", True, MAX_TOKENS + 1, 1e300, [], float("nan")])
@pytest.mark.parametrize("name", ["prompt_tokens", "output_tokens"])
def test_a_main_figure_that_cannot_be_is_not_believed(name: str, value: Any) -> None:
    assert read_usage({"prompt_tokens": 1, "completion_tokens": None, name: value}) is None


_FIGURE = st.none() | st.integers() | st.floats() | st.text(max_size=3) | st.booleans()
_NAMES = [
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "audio_tokens",
    "cache_write_tokens",
    "cache_creation_input_tokens",
]
_FIGURES = st.dictionaries(st.sampled_from(_NAMES), _FIGURE | st.integers(0, 50))


@given(_FIGURES, _FIGURES | _FIGURE, _FIGURES | _FIGURE)
def test_no_usage_has_a_part_below_zero(figures: Any, read: Any, written: Any) -> None:
    usage = read_usage(
        {**figures, "prompt_tokens_details": read, "completion_tokens_details": written}
    )
    if usage is not None:
        parts = [usage.total_input, usage.input, usage.input_audio, usage.cache_read]
        parts += [usage.cache_write, usage.output, usage.output_audio, usage.reasoning]

        assert all(type(part) is int and 0 <= part <= 4 * MAX_TOKENS for part in parts)


@given(*[st.integers(0, 1000)] * 7)
def test_parts_inside_their_whole_add_up(
    text: int, cached: int, stored: int, heard: int, said: int, spoken: int, thought: int
) -> None:
    prompt, completion = text + cached + stored + heard, said + spoken + thought
    usage = read_usage(
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {
                "cached_tokens": cached,
                "cache_write_tokens": stored,
                "audio_tokens": heard,
            },
            "completion_tokens_details": {"reasoning_tokens": thought, "audio_tokens": spoken},
        }
    )

    assert usage == Usage(text, heard, cached, stored, 0, said, spoken, thought)
    assert prompt + completion == usage.total


def test_no_usage_is_nothing_from_nowhere() -> None:
    assert 0 == NO_USAGE.total
    assert UsageSource.NONE is NO_USAGE.source
    assert 3 == Usage(cache_write_1h=3).total_input
