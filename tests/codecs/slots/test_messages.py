"""Where words stand in Messages, and what guardrails write there."""

from __future__ import annotations

import copy
import json
from typing import Any

import anthropic
import httpx2
import pytest

from llmgateway.codecs.messages import COUNT_TOKENS, MESSAGES
from llmgateway.codecs.slots import Part, Place
from tests.codecs.messages.recordings import UNWHOLE, Recording, answers, requests, streams
from tests.codecs.slots.marked import (
    JSON,
    check_marks,
    check_words,
    ends,
    fuzz,
    joined,
    texts_of,
    told,
)

CALL = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Öln"}}
HIT = {"type": "web_search_result", "title": "T", "url": "u", "encrypted_content": "e"}
REQUEST: JSON = {
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "u0"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "th", "signature": "sig"},
            {"type": "redacted_thinking", "data": "r"},
            {"type": "text", "text": "a1"},
            CALL,
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [
                {"type": "text", "text": "sunny"},
                {"type": "image", "source": {"type": "base64", "data": "QQ=="}},
            ]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "rain"},
            {"type": "document", "title": "dt", "context": "dc",
             "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
            {"type": "document", "source": {"type": "content", "content": "dd"}},
            {"type": "document", "source": {"type": "base64", "data": "QQ=="}},
            {"type": "search_result", "source": "src", "title": "st",
             "content": [{"type": "text", "text": "sr"}]},
            {"type": "image", "source": {"type": "url", "url": "https://x"}},
            {"type": "text", "text": "u2"},
        ]},
    ],
    "tools": [{"name": "weather", "description": "tells", "input_schema": {"title": "no"}}],
}  # fmt: skip
ANSWER: JSON = {
    "type": "message",
    "role": "assistant",
    "stop_reason": "refusal",
    "stop_sequence": "END",
    "stop_details": {"type": "refusal", "explanation": "why"},
    "content": [
        {"type": "thinking", "thinking": "th", "signature": "sig"},
        {"type": "text", "text": "hi", "citations": [
            {"type": "page_location", "cited_text": "q", "document_title": "dt"}]},
        {**CALL, "type": "server_tool_use"},
        {"type": "web_search_tool_result", "tool_use_id": "t1", "content": [HIT]},
        {"type": "web_fetch_tool_result", "tool_use_id": "t3", "content": {
            "type": "web_fetch_result", "url": "u",
            "content": {"type": "document", "title": "t",
                        "source": {"type": "text", "data": "page"}}}},
        {"type": "bash_code_execution_tool_result", "tool_use_id": "t4", "content": {
            "type": "bash_code_execution_result", "stdout": "out", "stderr": "err"}},
        {"type": "compaction", "content": "sum"},
        {"type": "of_next_year", "words": ["w"], "id": "no"},
    ],
}  # fmt: skip
EVENTS: list[JSON] = [
    {"type": "message_start", "message": {"content": [CALL], "usage": {"output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}},
    {"type": "content_block_delta", "index": 0, "delta": {
        "type": "citations_delta", "citation": {"cited_text": "q", "title": "t"}}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": CALL},
    {"type": "content_block_delta", "index": 1, "delta": {
        "type": "input_json_delta", "partial_json": '{"a'}},
    {"type": "content_block_delta", "index": 2, "delta": {
        "type": "thinking_delta", "thinking": "t"}},
    {"type": "content_block_delta", "index": 2, "delta": {
        "type": "signature_delta", "signature": "s"}},
    {"type": "content_block_delta", "index": 3, "delta": {
        "type": "compaction_delta", "content": "c"}},
    {"type": "message_delta", "delta": {"stop_reason": "x", "stop_sequence": "END"}},
    {"type": "ping"},
]  # fmt: skip
BODIES = [
    (Part.REQUEST, REQUEST),
    (Part.RESPONSE, ANSWER),
    *((Part.EVENT, event) for event in EVENTS),
]


def test_a_request_is_read_in_order() -> None:
    slots = MESSAGES.slots(REQUEST, Part.REQUEST)

    assert [
        ("s", "system", -1, Place.TEXT),
        ("u0", "user", 0, Place.TEXT),
        ("th", "assistant", 1, Place.REASONING),
        ("a1", "assistant", 1, Place.TEXT),
        ('{"city":"Öln"}', "assistant", 1, Place.TOOL_ARGUMENTS),
        ("sunny", "tool", 2, Place.TOOL_RESULT),
        ("rain", "tool", 2, Place.TOOL_RESULT),
        ("dt", "user", 2, Place.OTHER),
        ("dc", "user", 2, Place.OTHER),
        ("d", "user", 2, Place.TEXT),
        ("dd", "user", 2, Place.TEXT),
        ("st", "user", 2, Place.OTHER),
        ("src", "user", 2, Place.OTHER),
        ("sr", "user", 2, Place.TEXT),
        ("u2", "user", 2, Place.TEXT),
        ("tells", "system", -1, Place.OTHER),
    ] == [(one.text, one.role, one.turn, one.place) for one in slots]
    assert ["weather", "weather", None] == [one.tool for one in slots[4:7]]
    assert [one.text for one in slots] == [
        one.text for one in COUNT_TOKENS.slots(REQUEST, Part.REQUEST)
    ]
    assert [] == COUNT_TOKENS.slots({"input_tokens": 3}, Part.RESPONSE)


def test_an_answer_is_read_block_by_block() -> None:
    assert [
        ("th", "text", "reasoning", "reasoning:0"),
        ("hi", "text", "text", "text:1"),
        ("q", "copy", "other", "quote:1.0"),
        ("dt", "text", "other", "quote:1.0.document_title"),
        ('{"city":"Öln"}', "text", "tool_arguments", "call:2"),
        ("T", "text", "tool_result", "result:3.0.0"),
        ("u", "text", "tool_result", "result:3.0.1"),
        ("u", "text", "tool_result", "result:4.0.url"),
        ("t", "text", "other", "result:4.0.title"),
        ("page", "text", "tool_result", "result:4.0"),
        ("out", "text", "tool_result", "result:5.0.0"),
        ("err", "text", "tool_result", "result:5.0.1"),
        ("sum", "text", "reasoning", "reasoning:6"),
        ("w", "text", "text", "text:7.0"),
        ("END", "text", "other", "stop_sequence"),
        ("why", "text", "refusal", "refusal"),
    ] == told(MESSAGES.slots(ANSWER, Part.RESPONSE))


def test_events_name_the_channels_of_their_blocks() -> None:
    found = [slot for event in EVENTS for slot in MESSAGES.slots(event, Part.EVENT)]

    assert [
        ('{"city":"Öln"}', "text", "tool_arguments", "call:0"),
        ("a", "delta", "text", "text:0"),
        ("b", "delta", "text", "text:0"),
        ("q", "copy", "other", "quote:0.0"),
        ("t", "text", "other", "quote:0.0.title"),
        ('{"city":"Öln"}', "text", "tool_arguments", "call:1"),
        ('{"a', "delta", "tool_arguments", "call:1"),
        ("t", "delta", "reasoning", "reasoning:2"),
        ("c", "delta", "reasoning", "reasoning:3"),
        ("END", "text", "other", "stop_sequence"),
    ] == told(found)
    assert [True, True, True] == [
        slot.is_json for slot in texts_of(found) if "call" in slot.channel
    ]


def test_events_tell_which_texts_end() -> None:
    stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}

    assert [(0, "text:3"), (0, "reasoning:3"), (0, "call:3")] == ends(
        MESSAGES, {"type": "content_block_stop", "index": 3}
    )
    assert [(0, "")] == ends(MESSAGES, stop)
    assert [(-1, "")] == ends(MESSAGES, {"type": "message_stop"})
    assert [] == [end for event in EVENTS[:4] for end in ends(MESSAGES, event)]


@pytest.mark.parametrize(("part", "body"), BODIES)
def test_what_is_put_lands_in_its_place(part: Part, body: JSON) -> None:
    check_marks(MESSAGES, body, part)


def test_arguments_that_are_no_json_any_more_are_gone_all_the_same() -> None:
    body = copy.deepcopy(ANSWER)
    for slot in MESSAGES.slots(body, Part.RESPONSE):
        slot.put("[REDACTED")

    assert {"text": "[REDACTED"} == body["content"][2]["input"]


test_any_body_is_read = fuzz(
    MESSAGES,
    BODIES,
    "type role content text system messages thinking input source data title context citations "
    "cited_text tool_use_id id name delta content_block message index partial_json citation tools "
    "description stop_sequence stop_details explanation usage output_tokens",
    "text thinking tool_use tool_result document search_result image content compaction user "
    "assistant system message_start content_block_start content_block_delta content_block_stop "
    "message_delta text_delta thinking_delta input_json_delta citations_delta compaction_delta",
)


# ---- recordings


@pytest.mark.parametrize("recording", answers())
def test_a_recorded_answer_is_covered(recording: Recording) -> None:
    slots = MESSAGES.slots(recording.body, Part.RESPONSE)

    check_words(recording.body["content"], slots)
    check_marks(MESSAGES, recording.body, Part.RESPONSE)


@pytest.mark.parametrize("recording", requests())
def test_a_recorded_request_is_covered(recording: Recording) -> None:
    request = recording.request or {}
    slots = MESSAGES.slots(request, Part.REQUEST)
    contents = [message["content"] for message in request.get("messages") or ()]

    check_words([request.get("system"), _without_images(contents)], slots)
    check_marks(MESSAGES, request, Part.REQUEST)


def _without_images(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_images(one) for one in value]
    if isinstance(value, dict):
        is_image = value.get("type") in ("image", "redacted_thinking", "tool_reference")
        return None if is_image else {key: _without_images(one) for key, one in value.items()}
    return value


@pytest.mark.parametrize("recording", streams())
def test_a_recorded_stream_is_covered(recording: Recording) -> None:
    if recording.id in UNWHOLE:
        pytest.skip("several streams in one file")
    found = []
    for event in recording.data():
        check_marks(MESSAGES, event, Part.EVENT)
        found += MESSAGES.slots(event, Part.EVENT)

    assert _said(recording.data()) == sorted(joined(found).items())
    starts = [event["content_block"] for event in recording.data() if "content_block" in event]
    check_words([_without_images(start) for start in starts], found)


def _said(events: list[JSON]) -> list[Any]:
    """Return what a stream says, by channel, without the code under test."""
    found: dict[tuple[int, str], str] = {}
    names = {
        "text": "text", "thinking": "reasoning", "partial_json": "call", "content": "reasoning",
    }  # fmt: skip
    for event in events:
        for key, text in (event.get("delta") or {}).items():
            if key in names and isinstance(text, str) and text:
                channel = (0, f"{names[key]}:{event['index']}")
                found[channel] = found.get(channel, "") + text
    return sorted(found.items())


# ---- messages put in


@pytest.mark.parametrize(
    ("role", "body", "changed"),
    [
        ("system", {}, {"system": "new"}),
        ("developer", {"system": ""}, {"system": "new"}),
        ("system", {"system": "s"}, {"system": ["new", "s"]}),
        ("system", {"system": ["s"]}, {"system": ["new", "s"]}),
        ("user", {}, {"messages": [("user", "new")]}),
        ("user", {"messages": [("user", "u")]}, {"messages": [("user", ["new", "u"])]}),
        (
            "user",
            {"messages": [("user", "u"), ("user", [{"type": "tool_result"}, "v"])]},
            {"messages": [("user", "u"), ("user", [{"type": "tool_result"}, "new", "v"])]},
        ),
        (
            "user",
            {"messages": [("user", "u"), ("user", [{"type": "tool_result"}])]},
            {"messages": [("user", ["new", "u"]), ("user", [{"type": "tool_result"}])]},
        ),
        (
            "assistant",
            {"messages": [("assistant", [{"type": "thinking"}, "a"]), ("user", "u")]},
            {"messages": [("assistant", [{"type": "thinking"}, "new", "a"]), ("user", "u")]},
        ),
        (
            "assistant",
            {"messages": [("user", "u")]},
            {"messages": [("user", "u"), ("assistant", "new")]},
        ),
    ],
)
def test_a_message_is_put_in(role: str, body: JSON, changed: JSON) -> None:
    told = _spelled(body)
    MESSAGES.insert(told, role, "new")

    assert _spelled(changed) == told


def _spelled(body: JSON) -> JSON:
    """Return a short body as the API has it."""

    def content(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"type": "text", "text": one} if isinstance(one, str) else one for one in value]

    found: JSON = {"system": content(body["system"])} if "system" in body else {}
    if "messages" in body:
        found["messages"] = [
            {"role": role, "content": content(told)} for role, told in body["messages"]
        ]
    return found


# ---- ends


def _framed(event: JSON) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def _stream(raw: bytes) -> Any:
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=raw)
    http: Any = httpx2.Client(transport=httpx2.MockTransport(lambda request: answer))
    return anthropic.Anthropic(api_key="k", max_retries=0, http_client=http)


START: JSON = {
    "type": "message_start",
    "message": {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    },
}  # fmt: skip


def test_a_denial_closes_what_is_open_and_refuses() -> None:
    denial = MESSAGES.denial()
    for event in (START, *EVENTS[1:6]):
        denial.see(event)
    raw = denial.write({"after_request_hooks": []})

    events = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: ")]
    assert {"type": "content_block_stop", "index": 1} == events[0]
    assert ("message_delta", "refusal", {"output_tokens": 1}, {"after_request_hooks": []}) == (
        events[1]["type"],
        events[1]["delta"]["stop_reason"],
        events[1]["usage"],
        events[1]["hook_results"],
    )
    assert 2 == len(events)


def test_the_sdk_reads_a_denied_stream() -> None:
    denial = MESSAGES.denial()
    out = [START, *EVENTS[1:3]]
    for event in out:
        denial.see(event)
    raw = b"".join(map(_framed, out)) + denial.write({"after_request_hooks": []})
    with _stream(raw + _framed({"type": "message_stop"})) as client:
        with client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
            final = stream.get_final_message()

    assert ("refusal", "ab") == (final.stop_reason, final.content[0].text)


def test_the_last_event_tells_results_and_the_sdk_takes_it() -> None:
    stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}
    last = {"type": "message_stop", "hook_results": {"after_request_hooks": []}}
    with _stream(b"".join(map(_framed, [START, *EVENTS[1:3], stop, last]))) as client:
        with client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
            final = stream.get_final_message()

    assert ("end_turn", "ab") == (final.stop_reason, final.content[0].text)
    assert MESSAGES.denial().report({}) is None
