"""Where words stand in Responses, and what guardrails write there."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from llmgateway.codecs.responses import RESPONSES
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from tests.codecs.cassettes import Cassette, cassettes
from tests.codecs.chat.test_sdk import client_of
from tests.codecs.slots.marked import JSON, check_marks, check_words, ends, fuzz, joined, told

CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"a":"b"}'}
TOKEN = {
    "token": "hi",
    "bytes": [104, 105],
    "logprob": -0.5,
    "top_logprobs": [{"token": "hi", "bytes": [104, 105], "logprob": -0.5}],
}
MESSAGE = {
    "type": "message", "role": "assistant", "id": "no", "status": "completed",
    "content": [
        {"type": "output_text", "text": "hi", "logprobs": [TOKEN],
         "annotations": [{"type": "url_citation", "title": "t", "url": "u", "start_index": 0}]},
        {"type": "refusal", "refusal": "never"},
    ],
}  # fmt: skip
THOUGHT = {
    "type": "reasoning",
    "encrypted_content": "no",
    "summary": [{"type": "summary_text", "text": "s0"}, {"type": "summary_text", "text": "s1"}],
    "content": [{"type": "reasoning_text", "text": "r0"}],
}
REQUEST: JSON = {
    "instructions": "be kind",
    "prompt": {"id": "p", "variables": {"city": "Oslo", "note": {"type": "input_text", "text": "n"},
                                        "file": {"type": "input_file", "file_url": "no"}}},
    "input": [
        {"role": "developer", "content": "dev"},
        {"role": "user", "content": [{"type": "input_text", "text": "u"},
                                     {"type": "input_image", "image_url": "data:no"}]},
        THOUGHT,
        MESSAGE,
        CALL,
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "c2",
         "output": [{"type": "input_text", "text": "rain"}]},
        {"type": "custom_tool_call", "call_id": "c3", "name": "sql", "input": "select"},
        {"type": "item_reference", "id": "no"},
    ],
    "tools": [{"type": "function", "name": "weather", "description": "tells"}],
}  # fmt: skip
ANSWER: JSON = {
    "object": "response", "status": "completed", "id": "no", "model": "no",
    "instructions": "be kind", "prompt": {"variables": {"city": "Oslo"}},
    "output": [
        THOUGHT,
        MESSAGE,
        CALL,
        {"type": "mcp_call", "name": "ask", "server_label": "no", "arguments": "{}",
         "output": "wise", "error": {"type": "e", "message": "oops"}},
        {"type": "code_interpreter_call", "code": "1+1", "container_id": "no",
         "outputs": [{"type": "logs", "logs": "2"}, {"type": "image", "url": "no"}]},
        {"type": "web_search_call", "action": {"type": "search", "query": "q", "queries": ["q"],
                                               "sources": [{"type": "url", "url": "u"}]}},
        {"type": "file_search_call", "queries": ["fq"], "results": [{"text": "ft"}]},
        {"type": "shell_call", "action": {"commands": ["ls"], "timeout_ms": 3}},
        {"type": "shell_call_output", "output": [{"stdout": "out", "stderr": "err"}]},
        {"type": "image_generation_call", "revised_prompt": "a cat", "result": "QQ=="},
        {"type": "tool_search_call", "arguments": {"goal": "g"}},
        {"type": "of_next_year", "thing": "w"},
        {"type": "of_next_year_output", "thing": "x"},
    ],
    "output_text": "hi",
}  # fmt: skip


def event(kind: str, **members: Any) -> JSON:
    """Return an event of the second item."""
    return {"type": f"response.{kind}", "output_index": 1, "sequence_number": 3, **members}


EVENTS: list[JSON] = [
    event("created", response={"status": "in_progress", "output": []}),
    event("output_item.added", item={"type": "message", "role": "assistant", "content": []}),
    event("content_part.added", content_index=0, part={"type": "output_text", "text": ""}),
    event("output_text.delta", content_index=0, delta="hi", logprobs=[TOKEN]),
    event("output_text.annotation.added", content_index=0, annotation_index=2,
          annotation={"type": "url_citation", "title": "t", "url": "u"}),
    event("output_text.done", content_index=0, text="hi", logprobs=[TOKEN]),
    event("content_part.done", content_index=0, part=MESSAGE["content"][0]),
    event("refusal.delta", content_index=1, delta="nev"),
    event("refusal.done", content_index=1, refusal="never"),
    event("output_item.done", item=MESSAGE),
    event("function_call_arguments.delta", delta='{"a":'),
    event("function_call_arguments.done", arguments='{"a":"b"}'),
    event("output_item.done", item=CALL),
    event("custom_tool_call_input.delta", delta="sel"),
    event("custom_tool_call_input.done", input="select"),
    event("code_interpreter_call_code.delta", delta="1"),
    event("code_interpreter_call_code.done", code="1+1"),
    event("mcp_call_arguments.delta", delta="{"),
    event("mcp_call_arguments.done", arguments="{}"),
    event("reasoning_text.delta", content_index=0, delta="r"),
    event("reasoning_text.done", content_index=0, text="r0"),
    event("reasoning_summary_text.delta", summary_index=1, delta="s"),
    event("reasoning_summary_text.done", summary_index=1, text="s1"),
    event("reasoning_summary_part.done", summary_index=1, part=THOUGHT["summary"][1]),
    event("output_item.done", item=THOUGHT),
    event("completed", response=ANSWER),
]  # fmt: skip
BODIES = [
    (Part.REQUEST, REQUEST),
    (Part.REQUEST, {"input": "hello"}),
    (Part.RESPONSE, ANSWER),
    *((Part.EVENT, one) for one in EVENTS),
]


def test_a_request_is_read_in_order() -> None:
    slots = RESPONSES.slots(REQUEST, Part.REQUEST)

    assert [
        ("be kind", "system", -1, Place.TEXT),
        ("Oslo", "user", 0, Place.TEXT),
        ("n", "user", 0, Place.TEXT),
        ("dev", "system", 0, Place.TEXT),
        ("u", "user", 1, Place.TEXT),
        ("s0", "assistant", 2, Place.REASONING),
        ("s1", "assistant", 2, Place.REASONING),
        ("r0", "assistant", 2, Place.REASONING),
        ("hi", "assistant", 3, Place.TEXT),
        ("hi", "assistant", 3, Place.TEXT),
        ("t", "assistant", 3, Place.OTHER),
        ("u", "assistant", 3, Place.OTHER),
        ("never", "assistant", 3, Place.REFUSAL),
        ('{"a":"b"}', "assistant", 4, Place.TOOL_ARGUMENTS),
        ("sunny", "tool", 5, Place.TOOL_RESULT),
        ("rain", "tool", 6, Place.TOOL_RESULT),
        ("select", "assistant", 7, Place.TOOL_ARGUMENTS),
        ("tells", "system", -1, Place.OTHER),
    ] == [(one.text, one.role, one.turn, one.place) for one in slots]
    tools = {one.text: one.tool for one in slots if one.tool}
    assert {'{"a":"b"}': "weather", "sunny": "weather", "select": "sql"} == tools
    assert [("hello", "user")] == [
        (one.text, one.role) for one in RESPONSES.slots({"input": "hello"}, Part.REQUEST)
    ]


def test_an_answer_is_read_item_by_item() -> None:
    assert [
        ("be kind", "copy", "other", "instructions:0"),
        ("Oslo", "copy", "other", "variables:0.city"),
        ("s0", "text", "reasoning", "reasoning:0.s0"),
        ("s1", "text", "reasoning", "reasoning:0.s1"),
        ("r0", "text", "reasoning", "reasoning:0.0"),
        ("hi", "text", "text", "text:1.0"),
        ("hi", "token", "text", "text:1.0"),
        ("t", "text", "other", "quote:1.0.0"),
        ("u", "text", "other", "quote:1.0.1"),
        ("never", "text", "refusal", "refusal:1.1"),
        ('{"a":"b"}', "text", "tool_arguments", "call:2"),
        ("{}", "text", "tool_arguments", "call:3"),
        ("wise", "text", "tool_result", "result:3"),
        ("oops", "text", "tool_result", "result:3.error.0"),
        ("1+1", "text", "tool_arguments", "call:4"),
        ("2", "text", "tool_result", "result:4.0.0"),
        ("q", "text", "tool_arguments", "call:5.query"),
        ("q", "text", "tool_arguments", "call:5.queries.0"),
        ("u", "text", "tool_result", "result:5.0"),
        ("fq", "text", "tool_arguments", "call:6.0"),
        ("ft", "text", "tool_result", "result:6.0"),
        ("ls", "text", "tool_arguments", "call:7.0"),
        ("out", "text", "tool_result", "result:8.0"),
        ("err", "text", "tool_result", "result:8.1"),
        ("a cat", "text", "tool_arguments", "call:9"),
        ('{"goal":"g"}', "text", "tool_arguments", "call:10"),
        ("w", "text", "tool_arguments", "call:11.0"),
        ("x", "text", "tool_result", "result:12.0"),
        ("hi", "copy", "text", "output_text"),
    ] == told(RESPONSES.slots(ANSWER, Part.RESPONSE))


def test_deltas_and_what_closes_them_name_the_same_channels() -> None:
    found = [told(RESPONSES.slots(one, Part.EVENT)) for one in EVENTS[3:-1]]
    notes = [("t", "copy", "other", "quote:1.0.0"), ("u", "copy", "other", "quote:1.0.1")]
    text, token = ("hi", "copy", "text", "text:1.0"), ("hi", "token", "text", "text:1.0")
    thoughts = [
        ("s0", "copy", "reasoning", "reasoning:1.s0"),
        ("s1", "copy", "reasoning", "reasoning:1.s1"),
        ("r0", "copy", "reasoning", "reasoning:1.0"),
    ]

    assert [
        [("hi", "delta", "text", "text:1.0"), token],
        [("t", "copy", "other", "quote:1.0.2.0"), ("u", "copy", "other", "quote:1.0.2.1")],
        [text, token],
        [text, token, *notes],
        [("nev", "delta", "refusal", "refusal:1.1")],
        [("never", "copy", "refusal", "refusal:1.1")],
        [text, token, *notes, ("never", "copy", "refusal", "refusal:1.1")],
        [('{"a":', "delta", "tool_arguments", "call:1")],
        [('{"a":"b"}', "copy", "tool_arguments", "call:1")],
        [('{"a":"b"}', "copy", "tool_arguments", "call:1")],
        [("sel", "delta", "tool_arguments", "call:1")],
        [("select", "copy", "tool_arguments", "call:1")],
        [("1", "delta", "tool_arguments", "call:1")],
        [("1+1", "copy", "tool_arguments", "call:1")],
        [("{", "delta", "tool_arguments", "call:1")],
        [("{}", "copy", "tool_arguments", "call:1")],
        [("r", "delta", "reasoning", "reasoning:1.0")],
        [("r0", "copy", "reasoning", "reasoning:1.0")],
        [("s", "delta", "reasoning", "reasoning:1.s1")],
        [("s1", "copy", "reasoning", "reasoning:1.s1")],
        [("s1", "copy", "reasoning", "reasoning:1.s1")],
        thoughts,
    ] == found


def test_closing_events_end_their_texts() -> None:
    text = [(0, "text:1.0")]

    assert [text, text, [*text, (0, "refusal:1.1")]] == [
        ends(RESPONSES, EVENTS[at]) for at in (5, 6, 9)
    ]
    assert [(-1, "")] == ends(RESPONSES, EVENTS[-1])
    assert [] == [end for one in EVENTS[:5] for end in ends(RESPONSES, one)]


def test_a_whole_response_in_an_event_is_a_copy() -> None:
    whole = told(RESPONSES.slots(ANSWER, Part.RESPONSE))
    copies = [(text, "token" if kind == "token" else "copy", *rest) for text, kind, *rest in whole]

    assert copies == told(RESPONSES.slots(EVENTS[-1], Part.EVENT))


@pytest.mark.parametrize(("part", "body"), BODIES)
def test_what_is_put_lands_in_its_place(part: Part, body: JSON) -> None:
    check_marks(RESPONSES, body, part)


def test_a_token_takes_its_bytes_and_its_alternatives_with_it() -> None:
    body = copy.deepcopy(EVENTS[3])
    tokens = [one for one in RESPONSES.slots(body, Part.EVENT) if one.kind is SlotKind.TOKEN]
    tokens[0].put("Ö")

    assert "hi" not in json.dumps(body["logprobs"])
    assert "104" not in json.dumps(body["logprobs"])
    assert ["Ö", list("Ö".encode())] == [body["logprobs"][0][key] for key in ("token", "bytes")]


test_any_body_is_read = fuzz(
    RESPONSES,
    BODIES,
    "type role content text refusal input output instructions prompt variables arguments summary "
    "part item response delta output_index content_index summary_index logprobs token bytes "
    "top_logprobs annotations annotation call_id name action queries sources results outputs logs "
    "code error output_text sequence_number tools description status transcript command",
    "message output_text input_text refusal reasoning reasoning_text summary_text function_call "
    "function_call_output mcp_call web_search_call code_interpreter_call image user assistant "
    "response.output_text.delta response.output_text.done response.content_part.done "
    "response.output_item.done response.completed response.function_call_arguments.delta "
    "response.output_text.annotation.added response.reasoning_summary_text.done shell_call",
)


# ---- recordings


def recorded(wire: str) -> list[Any]:
    """Return the recordings of the format, or one that says why there are none."""
    found = [
        pytest.param(cassette, id=cassette.id)
        for cassette in cassettes()
        if cassette.format is RESPONSES and cassette.wire == wire and cassette.status == 200
    ]
    absent = pytest.mark.skip(reason="no recordings beside the project")
    return found or [pytest.param(None, marks=absent)]


def _worded(value: Any) -> Any:
    """Return output without items and parts that hold no words."""
    if isinstance(value, list):
        return [_worded(one) for one in value]
    if isinstance(value, dict):
        is_silent = value.get("type") in ("mcp_list_tools", "image", "tool_search_output")
        return None if is_silent else {key: _worded(one) for key, one in value.items()}
    return value


@pytest.mark.parametrize("cassette", recorded("json"))
def test_a_recorded_answer_is_covered(cassette: Cassette) -> None:
    check_marks(RESPONSES, cassette.body, Part.RESPONSE)
    check_words(
        [_worded(cassette.body.get("output")), cassette.body.get("instructions")],
        RESPONSES.slots(cassette.body, Part.RESPONSE),
    )


@pytest.mark.parametrize("cassette", recorded("json") + recorded("sse"))
def test_a_recorded_request_is_covered(cassette: Cassette) -> None:
    request = cassette.request or {}
    check_marks(RESPONSES, request, Part.REQUEST)
    check_words(
        [_worded(request.get("input")), request.get("instructions")],
        RESPONSES.slots(request, Part.REQUEST),
    )


@pytest.mark.parametrize("cassette", recorded("sse"))
def test_a_recorded_stream_is_covered(cassette: Cassette) -> None:
    found: list[Slot] = []
    for chunk in cassette.chunks():
        check_marks(RESPONSES, chunk, Part.EVENT)
        found += RESPONSES.slots(chunk, Part.EVENT)
    by_channel = joined(found)
    closing = [one for one in found if one.kind is SlotKind.COPY and one.text]
    whole = [chunk["response"]["output"] for chunk in cassette.chunks() if "response" in chunk]
    deltas = [chunk["delta"] for chunk in cassette.chunks() if "delta" in chunk]

    assert sorted("".join(deltas)) == sorted("".join(by_channel.values()))
    assert [] == [
        one.text
        for one in closing
        if by_channel.get((0, one.channel), one.text) != one.text and not is_early(one, found)
    ]
    check_words([_worded(one) for one in whole], closing)
    check_words([_worded(chunk.get("item")) for chunk in cassette.chunks()], closing)


def is_early(slot: Slot, found: list[Slot]) -> bool:
    """Whether a copy came before the last delta of its channel."""
    later = found[found.index(slot) + 1 :]
    return any(one.kind is SlotKind.DELTA and one.channel == slot.channel for one in later)


# ---- messages put in


@pytest.mark.parametrize(
    ("role", "body", "changed"),
    [
        ("system", {"instructions": "i"}, {"instructions": "new\n\ni"}),
        ("developer", {}, {"input": [("system", "new")]}),
        ("system", {"input": "u"}, {"input": [("system", "new"), ("user", "u")]}),
        ("user", {"input": "u"}, {"input": [("user", "new"), ("user", "u")]}),
        ("user", {}, {"input": [("user", "new")]}),
        (
            "user",
            {"input": [("user", "u"), ("assistant", "a"), ("user", "v"), CALL]},
            {"input": [("user", "u"), ("assistant", "a"), ("user", "new"), ("user", "v"), CALL]},
        ),
        (
            "assistant",
            {"input": [("user", "u"), THOUGHT, ("assistant", "a"), ("user", "v")]},
            {"input": [("user", "u"), ("assistant", "new"), THOUGHT, ("assistant", "a"),
                       ("user", "v")]},
        ),
        (
            "assistant",
            {"input": [("user", "u")]},
            {"input": [("user", "u"), ("assistant", "new")]},
        ),
    ],
)  # fmt: skip
def test_a_message_is_put_in(role: str, body: JSON, changed: JSON) -> None:
    request = _spelled(body)
    RESPONSES.insert(request, role, "new")

    assert _spelled(changed) == request


def _spelled(body: JSON) -> JSON:
    """Return a short body as the API has it."""
    if not isinstance(body.get("input"), list):
        return dict(body)
    items = [
        {"role": one[0], "content": one[1]} if isinstance(one, tuple) else one
        for one in body["input"]
    ]
    return {**body, "input": items}


# ---- ends

CREATED: JSON = {
    "type": "response.created",
    "sequence_number": 0,
    "response": {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [],
        "status": "in_progress", "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    },
}  # fmt: skip


def _events(raw: bytes) -> list[JSON]:
    return [json.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: ")]


def test_a_denial_tells_what_went_out_and_why_no_more() -> None:
    denial = RESPONSES.denial()
    for one in (CREATED, event("output_item.done", item=MESSAGE)):
        denial.see(one)
    (told,) = _events(denial.write({"after_request_hooks": []}))

    assert ("response.incomplete", 4) == (told["type"], told["sequence_number"])
    assert {"after_request_hooks": []} == told["hook_results"]
    assert {
        **CREATED["response"],
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": [MESSAGE],
    } == told["response"]


def test_the_last_event_tells_results_and_the_sdk_takes_it() -> None:
    done = {**CREATED, "type": "response.completed", "hook_results": {"a": 1}}
    raw = f"event: response.completed\ndata: {json.dumps(done)}\n\n".encode()
    with client_of(raw, "text/event-stream") as client:
        (last,) = client.responses.create(model="m", input="a", stream=True)

    assert {"a": 1} == last.to_dict()["hook_results"]
    assert RESPONSES.denial().report({}) is None


def test_the_sdk_reads_a_denied_stream() -> None:
    denial = RESPONSES.denial()
    denial.see(CREATED)
    raw = f"event: response.created\ndata: {json.dumps(CREATED)}\n\n".encode()
    raw += denial.write({"a": 1})
    with client_of(raw, "text/event-stream") as client:
        kinds = [one.type for one in client.responses.create(model="m", input="a", stream=True)]
        with client.responses.stream(model="m", input="a") as stream:
            last = [one for one in stream][-1]

    assert ["response.created", "response.incomplete"] == kinds
    assert "response.incomplete" == last.type
    assert {"reason": "content_filter"} == last.response.to_dict()["incomplete_details"]
