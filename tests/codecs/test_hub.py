"""What the hub's own helpers make of blocks, however a message carries them."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.hub import Block, blocks_of, counters, merge_blocks, usage_of
from llmgateway.types.usage import Usage

TEXT = {"type": "text", "text": "a"}


@pytest.mark.parametrize(
    "message",
    [
        {"content": "a"},
        {"content": ["a"]},
        {"content": [TEXT]},
        {"content": "b", "content_blocks": [TEXT, "?"]},
        {"content": "b", "extra_content": {"content_blocks": [TEXT]}},
    ],
)
def test_blocks_are_the_truth_where_there_are_some(message: dict[str, Any]) -> None:
    assert [TEXT] == blocks_of(message)


def test_deltas_are_gathered_by_index_and_odd_ones_left_out() -> None:
    blocks: dict[int, Block] = {}
    merge_blocks(blocks, "?")
    merge_blocks(blocks, ["?", {"text": "no index"}, {"index": 0, "type": "text", "text": "a"}])
    merge_blocks(blocks, [{"index": 0, "text": "b", "citations": [1]}])

    assert {0: {"type": "text", "text": "ab", "citations": [1]}} == blocks


def test_usage_is_read_as_it_was_written() -> None:
    assert Usage(input=3) == usage_of(counters(Usage(input=3)))
    assert usage_of({}) is None
    assert usage_of("?") is None
