"""Calls without arguments: no words, and calls all the same."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.base import Format
from llmgateway.codecs.chat import CHAT_DOOR
from llmgateway.codecs.generate_content import GENERATE_CONTENT_DOOR
from llmgateway.codecs.messages import MESSAGES_DOOR
from llmgateway.codecs.responses import RESPONSES_DOOR
from llmgateway.codecs.slots import Part, Place, SlotKind

GIVEN: list[dict[str, Any]] = [{}, {"arguments": ""}, {"arguments": "{}"}, {"arguments": {}}]
CALLED: list[Any] = [
    (CHAT_DOOR, {"choices": [{"message": {"tool_calls": [{"function": {"name": "go", **given}}]}}]})
    for given in GIVEN
] + [
    (MESSAGES_DOOR, {"content": [{"type": "tool_use", "id": "1", "name": "go", "input": {}}]}),
    (RESPONSES_DOOR, {"output": [{"type": "function_call", "name": "go", "arguments": ""}]}),
    (
        GENERATE_CONTENT_DOOR,
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "go", "args": {}}}]}}]},
    ),
]


@pytest.mark.parametrize(("door", "body"), CALLED)
def test_a_call_without_arguments_is_told(door: Any, body: dict[str, Any]) -> None:
    wire: Format = door.format

    (slot,) = wire.slots(body, Part.RESPONSE)

    assert (Place.TOOL_ARGUMENTS, "go") == (slot.place, slot.tool)
    assert slot.text in ("", "{}")


STARTED: list[Any] = [
    (
        CHAT_DOOR,
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "tool_calls": [{"index": 0, "function": {"name": "go", "arguments": ""}}]
                    },
                }
            ]
        },
    ),
    (
        MESSAGES_DOOR,
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "1", "name": "go", "input": {}},
        },
    ),
    (
        RESPONSES_DOOR,
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"type": "function_call", "name": "go", "arguments": ""},
        },
    ),
]


@pytest.mark.parametrize(("door", "event"), STARTED)
def test_the_event_that_names_a_tool_has_a_slot(door: Any, event: dict[str, Any]) -> None:
    slots = door.format.slots(event, Part.EVENT)

    assert [("go", "")] == [
        (slot.tool, slot.text) for slot in slots if slot.kind is not SlotKind.END
    ]
