"""Where words stand in chat completions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.slots import Part, Place, SlotKind
from tests.codecs.slots.puts import check_all_marked, check_puts, odd_json, rows

JSON = dict[str, Any]
NAMES = [
    "messages", "choices", "message", "delta", "content", "text", "type", "role", "refusal",
    "tool_calls", "function", "custom", "input", "arguments", "name", "id", "tool_call_id", "index",
    "reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks", "summary",
    "content_blocks", "extra_content", "value", "audio", "transcript", "annotations", "title",
    "logprobs", "token", "tokens", "bytes", "top_logprobs", "executed_tools", "output", "tools",
    "description", "prediction", "response_format", "search_results", "finish_reason",
    "function_call",
]  # fmt: skip


def call(arguments: Any, **others: Any) -> JSON:
    return {
        "id": "c1",
        "type": "function",
        **others,
        "function": {"name": "f", "arguments": arguments},
    }


REQUEST: JSON = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "What is"},
                {"type": "image_url", "image_url": {"url": "https://pictures.example/1"}},
                {"type": "input_text", "text": "this?"},
                "A bare text",
                {"type": "novel", "text": "Of an unknown kind"},
            ],
        },
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "Hm",
            "content_blocks": [
                {"type": "thinking", "thinking": "Hm"},
                {"type": "text", "text": "I "},
                {"type": "text", "text": "look."},
            ],
            "tool_calls": [call('{"a":1}'), {"id": "c2", "custom": {"name": "g", "input": "free"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "it"}]},
        {
            "role": "assistant",
            "refusal": "No.",
            "function_call": {"name": "old", "arguments": "{}"},
        },
        {"role": "function", "name": "old", "content": "done"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "Looks",
                "parameters": {"properties": {"a": {"type": "string", "description": "which"}}},
            },
        }
    ],
    "response_format": {"json_schema": {"name": "s", "schema": {"description": "An answer"}}},
    "prediction": {"type": "content", "content": "I expect"},
}
ASKED = [
    ("text", "text", "system", 0, 0, "text", "Be brief."),
    ("text", "text", "system", 0, 1, "text", "Be kind."),
    ("text", "text", "user", 0, 2, "text:0", "What is"),
    ("text", "text", "user", 0, 2, "text:1", "this?"),
    ("text", "text", "user", 0, 2, "text:2", "A bare text"),
    ("text", "text", "user", 0, 2, "text:3", "Of an unknown kind"),
    ("text", "reasoning", "assistant", 0, 3, "reasoning", "Hm"),
    ("copy", "reasoning", "assistant", 0, 3, "reasoning", "Hm"),
    ("text", "text", "assistant", 0, 3, "text", "I look."),
    ("copy", "text", "assistant", 0, 3, "text", "I look."),
    ("text", "tool_arguments", "assistant", 0, 3, "call:0", '{"a":1}'),
    ("text", "tool_arguments", "assistant", 0, 3, "call:1", "free"),
    ("text", "tool_result", "tool", 0, 4, "text", "found"),
    ("text", "tool_result", "tool", 0, 5, "text", "it"),
    ("text", "refusal", "assistant", 0, 6, "refusal", "No."),
    ("text", "tool_arguments", "assistant", 0, 6, "function_call", "{}"),
    ("text", "tool_result", "tool", 0, 7, "text", "done"),
    ("text", "other", "system", 0, -1, "tools:0:0", "f"),
    ("text", "other", "system", 0, -1, "tools:0:1", "Looks"),
    ("text", "other", "system", 0, -1, "tools:0:2", "which"),
    ("text", "other", "system", 0, -1, "response_format:0", "An answer"),
    ("text", "text", "assistant", 0, -1, "prediction/text", "I expect"),
]


def token(text: str) -> JSON:
    return {
        "token": text,
        "bytes": list(text.encode()),
        "logprob": -1,
        "top_logprobs": [{"token": text, "bytes": list(text.encode()), "logprob": -1}],
    }


RESPONSE: JSON = {
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hi",
                "reasoning": "hm",
                "reasoning_details": [{"type": "reasoning.text", "text": "hm"}],
                "tool_calls": [call('{"b":2}'), call({"c": "raw"})],
                "annotations": [{"type": "url_citation", "url_citation": {"title": "Page"}}],
                "audio": {"id": "a", "data": "AAAA", "transcript": "Hi there"},
                "extra_content": {
                    "content_blocks": [{"type": "thinking", "thinking": "hm", "at": 0, "index": 0}]
                },
            },
            "logprobs": {"content": [token("H"), token("i")], "refusal": None},
            "finish_reason": "stop",
        },
        {
            "index": 1,
            "message": {"refusal": "Never", "content": None},
            "logprobs": {"refusal": [token("Never")]},
        },
        {"message": {"content": "one", "content_blocks": [{"type": "text", "text": "another"}]}},
    ]
}
ANSWERED = [
    ("text", "reasoning", "assistant", 0, 0, "reasoning", "hm"),
    ("copy", "reasoning", "assistant", 0, 0, "reasoning", "hm"),
    ("copy", "reasoning", "assistant", 0, 0, "reasoning", "hm"),
    ("text", "text", "assistant", 0, 0, "text", "Hi"),
    ("text", "text", "assistant", 0, 0, "audio", "Hi there"),
    ("text", "tool_arguments", "assistant", 0, 0, "call:0", '{"b":2}'),
    ("text", "tool_arguments", "assistant", 0, 0, "call:1", '{"c":"raw"}'),
    ("text", "other", "assistant", 0, 0, "note:0", "Page"),
    ("token", "text", "assistant", 0, 0, "text", "H"),
    ("token", "text", "assistant", 0, 0, "text", "i"),
    ("text", "refusal", "assistant", 1, 0, "refusal", "Never"),
    ("token", "refusal", "assistant", 1, 0, "refusal", "Never"),
    ("text", "text", "assistant", 2, 0, "text", "one"),
    ("text", "text", "assistant", 2, 0, "text/content_blocks", "another"),
]


def event(delta: Any, **others: Any) -> JSON:
    return {"choices": [{"index": 1, "delta": delta, **others}]}


EVENTS: list[tuple[JSON, list[tuple[Any, ...]]]] = [
    (event({"role": "assistant", "content": ""}), []),
    (event({"content": "a"}), [("delta", "text", "assistant", 1, 0, "text", "a")]),
    (
        event({"content": "a", "content_blocks": [{"index": 3, "delta": {"text": "a"}}]}),
        [
            ("delta", "text", "assistant", 1, 0, "text", "a"),
            ("copy", "text", "assistant", 1, 0, "text", "a"),
        ],
    ),
    (
        event({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]}),
        [("delta", "reasoning", "assistant", 1, 0, "reasoning", "t")],
    ),
    (
        event({"tool_calls": [{"index": 2, "function": {"arguments": '{"'}}]}),
        [("delta", "tool_arguments", "assistant", 1, 0, "call:2", '{"')],
    ),
    (
        event({"tool_calls": [call({"a": 1}, index=0)]}),
        [("text", "tool_arguments", "assistant", 1, 0, "call:0", '{"a":1}')],
    ),
    (
        event({"content": "b"}, text="b", message={"content": "ab"}),
        [
            ("delta", "text", "assistant", 1, 0, "text", "b"),
            ("copy", "text", "assistant", 1, 0, "text", "b"),
            ("copy", "text", "assistant", 1, 0, "text", "ab"),
        ],
    ),
    (
        event(None, message={"content": "whole"}),
        [("text", "text", "assistant", 1, 0, "message/text", "whole")],
    ),
    (
        event({"refusal": "N"}, logprobs={"refusal": [token("N")]}, finish_reason="stop"),
        [
            ("delta", "refusal", "assistant", 1, 0, "refusal", "N"),
            ("token", "refusal", "assistant", 1, 0, "refusal", "N"),
            ("end", "text", "assistant", 1, 0, "", ""),
        ],
    ),
    (
        event({"extra_content": {"content_blocks": [{"type": "thinking", "thinking": "all"}]}}),
        [("copy", "reasoning", "assistant", 1, 0, "reasoning", "all")],
    ),
    (event({"audio": {"transcript": "s"}}), [("delta", "text", "assistant", 1, 0, "audio", "s")]),
    ({"choices": [], "usage": {"total_tokens": 1}}, []),
]


def test_a_request_is_read() -> None:
    assert rows(CHAT, REQUEST, Part.REQUEST) == ASKED


def test_an_answer_is_read() -> None:
    assert rows(CHAT, RESPONSE, Part.RESPONSE) == ANSWERED


@pytest.mark.parametrize(("body", "expected"), EVENTS)
def test_an_event_is_read(body: JSON, expected: list[Any]) -> None:
    assert rows(CHAT, body, Part.EVENT) == expected


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (REQUEST, Part.REQUEST),
        (RESPONSE, Part.RESPONSE),
        *[(body, Part.EVENT) for body, _ in EVENTS],
    ],
)
def test_what_is_put_lands_in_its_place(body: JSON, part: Part) -> None:
    check_puts(CHAT, body, part)
    check_all_marked(CHAT, body, part)


def test_tools_are_named() -> None:
    slots = CHAT.slots(REQUEST, Part.REQUEST)
    named = [(s.text, s.tool, s.is_json) for s in slots if s.tool is not None]

    assert named == [
        ('{"a":1}', "f", True),
        ("free", "g", False),
        ("found", "f", False),
        ("it", "g", False),
        ("{}", "old", True),
        ("done", "old", False),
    ]


def test_a_masked_token_leaves_no_bytes_and_no_alternatives() -> None:
    body: JSON = {"choices": [{"logprobs": {"content": [token("secret")]}}]}
    CHAT.slots(body, Part.RESPONSE)[0].put("é")

    assert body["choices"][0]["logprobs"]["content"] == [{**token("é")}]


def test_the_pieces_of_a_copy_are_one() -> None:
    body: JSON = {"messages": [REQUEST["messages"][3] | {"content_blocks": [
        {"type": "text", "text": "I "}, {"type": "text", "text": "look."},
    ]}]}  # fmt: skip
    copy = next(s for s in CHAT.slots(body, Part.REQUEST) if s.kind is SlotKind.COPY)
    copy.put("masked")

    assert [b["text"] for b in body["messages"][0]["content_blocks"]] == ["masked", ""]


def test_channels_of_whole_texts_are_unique() -> None:
    for body, part in ((REQUEST, Part.REQUEST), (RESPONSE, Part.RESPONSE)):
        slots = CHAT.slots(body, part)
        whole = [(s.choice, s.turn, s.channel) for s in slots if s.kind is SlotKind.TEXT]
        assert len(whole) == len(set(whole))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=odd_json(NAMES), part=st.sampled_from(Part))
def test_no_body_is_too_odd(body: JSON, part: Part) -> None:
    check_puts(CHAT, body, part)
    denial = CHAT.denial()
    denial.see(body)
    assert b"content_filter" in denial.write({})
    CHAT.insert(body, "system", "x")
    CHAT.insert(body, "user", "x")


@pytest.mark.parametrize(
    ("role", "roles"),
    [
        ("system", ["+system", "system", "user", "assistant", "user"]),
        ("user", ["system", "user", "assistant", "+user", "user"]),
        ("assistant", ["system", "user", "+assistant", "assistant", "user"]),
        ("tool", ["system", "user", "assistant", "user", "+tool"]),
    ],
)
def test_a_message_is_added(role: str, roles: list[str]) -> None:
    body: JSON = {
        "messages": [{"role": r, "content": r} for r in ("system", "user", "assistant", "user")]
    }
    CHAT.insert(body, role, "new")

    assert roles == [("+" if m["content"] == "new" else "") + m["role"] for m in body["messages"]]


def test_a_system_prompt_is_called_as_the_request_calls_it() -> None:
    body: JSON = {"messages": [{"role": "developer", "content": "a"}]}
    CHAT.insert(body, "system", "new")

    assert body["messages"][0] == {"role": "developer", "content": "new"}


def test_reading_costs_no_more_than_the_body() -> None:
    """Deep bodies, many blocks: no recursion, and each place is visited a few times at most."""
    deep: Any = "x"
    for _ in range(5000):
        deep = {"content": deep}
    many = [{"type": "text", "text": "t"}] * 20_000
    body: JSON = {"messages": [{"role": "user", "content": [deep, *many]}]}

    assert len([s for s in CHAT.slots(body, Part.REQUEST) if s.place is Place.TEXT]) == 20_001
