"""What is twice as long costs about twice as much to translate, whatever it is made of."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest

from llmgateway.codecs import hub
from llmgateway.codecs.messages.arguments import Arguments
from llmgateway.codecs.messages.schema import closed_schema
from llmgateway.types.http import Headers
from tests.codecs.crossing import context
from tests.codecs.lies import CODECS, DOORS, event_of

JSON = dict[str, Any]
SIZE = 150


def lines_run(work: Callable[[], object]) -> int:
    """Return how many lines of Python `work` runs, which no clock or other load changes."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def check_linear(work: Callable[[int], object]) -> None:
    """Check that twice the size is no more than about twice the work."""
    work(2)  # what is compiled or cached once counts for neither
    once, twice = lines_run(lambda: work(SIZE)), lines_run(lambda: work(2 * SIZE))
    assert twice < 2.6 * once, (once, twice)


def _call(number: int, **extra: Any) -> JSON:
    function = {"name": "f", "arguments": "{}"}
    return {"id": f"c{number}", "type": "function", "function": function, **extra}


def _chat(*turns: JSON) -> JSON:
    return {"messages": [{"role": "user", "content": "x"}, *turns]}


def _called(n: int) -> JSON:
    results = [{"role": "tool", "tool_call_id": f"c{i}", "content": "r"} for i in range(n)]
    return _chat({"role": "assistant", "tool_calls": [_call(i) for i in range(n)]}, *results)


def _placed(n: int) -> JSON:
    calls = [
        _call(i, extra_content={"messages": {"index": 2 * i}, "blocks_before": i}) for i in range(n)
    ]
    blocks = [{"type": "text", "text": "x"} for _ in range(n)]
    return _chat({"role": "assistant", "content_blocks": blocks, "tool_calls": calls})


def _kept(n: int) -> JSON:
    parts = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * n
    entries = [{"type": "text", "length": 1, "at": i} for i in range(n)]
    extra = {"content_blocks": entries}
    return _chat({"role": "assistant", "content": parts, "extra_content": extra})


def _natives(n: int) -> JSON:
    return {**_chat(), "tools": [{"type": "native", "native": {f"t{i}": {}}} for i in range(n)]}


def _all_of(n: int) -> JSON:
    parts = [{"properties": {f"p{i}": {"type": "string"}}, "required": [f"p{i}"]} for i in range(n)]
    function = {"name": "f", "parameters": {"type": "object", "allOf": parts}}
    return {**_chat(), "tools": [{"type": "function", "function": function}]}


def _gemini(n: int) -> JSON:
    calls = [{"functionCall": {"name": f"f{i % 7}", "args": {}}} for i in range(n)]
    results = [{"functionResponse": {"name": f"f{i % 7}", "response": {"a": i}}} for i in range(n)]
    texts = [{"text": "x", "thoughtSignature": "cw=="}] * n
    mixed = [part for pair in zip(calls, texts, strict=True) for part in pair]
    return {"contents": [{"role": "model", "parts": mixed}, {"role": "user", "parts": results}]}


def _items(n: int) -> JSON:
    calls = [
        {"type": "function_call", "call_id": f"c{i}", "name": "f", "arguments": "{}"}
        for i in range(n)
    ]
    results = [{"type": "function_call_output", "call_id": f"c{i}", "output": ""} for i in range(n)]
    return {"input": [*calls, *results]}


REQUESTS: dict[str, tuple[str, Callable[[int], JSON]]] = {
    "neighbours": ("chat", lambda n: _chat(*[{"role": "user", "content": "x"}] * n)),
    "calls": ("chat", _called),
    "placed": ("chat", _placed),
    "kept": ("chat", _kept),
    "natives": ("chat", _natives),
    "all-of": ("chat", _all_of),
    "gemini": ("generate_content", _gemini),
    "items": ("responses", _items),
}


@pytest.mark.parametrize("codec", sorted(CODECS))
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_of_twice_as_much_is_twice_the_work(kind: str, codec: str) -> None:
    door, make = REQUESTS[kind]

    def work(n: int) -> None:
        params = {"model": "m", "operation": "generateContent"}
        read = DOORS[door].decode_request(make(n), params, Headers())
        CODECS[codec].encode_request(read.body, replace(context(), request=read.body))

    check_linear(work)


def _chunks(*deltas: JSON) -> list[JSON]:
    return [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]


def _notes(n: int) -> list[JSON]:
    notes = [
        {"type": "url_citation", "url_citation": {
            "url": f"https://a.example/{i}", "start_index": 0, "end_index": i + 1,
        }}
        for i in range(n)
    ]  # fmt: skip
    return _chunks({"content": "x" * n}, {"annotations": notes})


def _piece(index: int, text: str) -> JSON:
    function = {"name": f"f{index}", "arguments": text}
    return {"tool_calls": [{"index": index, "id": f"c{index}", "function": function}]}


STREAMS: dict[str, Callable[[int], list[JSON]]] = {
    "texts": lambda n: _chunks(*[{"content": "x"}] * n),
    "turns": lambda n: _chunks(*[{"content": "x"}, {"reasoning_content": "y"}] * n),
    "open calls": lambda n: _chunks(*(_piece(i, "{") for i in range(n))),
    "calls without places": lambda n: _chunks(
        *({"tool_calls": [{**_call(i)}]} for i in range(n)), *[{"content": "x"}] * n
    ),
    "citations": _notes,
}


@pytest.mark.parametrize("door", sorted(DOORS))
@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_of_twice_as_much_is_twice_the_work(kind: str, door: str) -> None:
    def work(n: int) -> None:
        ctx = context()
        decoder, encoder = CODECS["chat"].decode_stream(ctx), DOORS[door].encode_stream(ctx)
        for body in STREAMS[kind](n):
            for chunk in decoder.feed(event_of(body)):
                encoder.feed(chunk)
        for chunk in decoder.close():
            encoder.feed(chunk)
        encoder.close()

    check_linear(work)


def test_a_chain_of_definitions_is_walked_once() -> None:
    def work(n: int) -> None:
        links = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(n)}
        assert closed_schema({"type": "object", "properties": {}, "$defs": links}).is_possible

    check_linear(work)


def test_a_ring_of_definitions_is_seen() -> None:
    links = {f"d{i}": {"$ref": f"#/$defs/d{(i + 1) % 9}"} for i in range(9)}
    outside = {"x": {"$ref": "#/$defs/d3"}, "y": {"$ref": "#/$defs/x"}}
    ringed = {"type": "object", "properties": {}, "$defs": {**outside, **links}}

    assert not closed_schema(ringed).is_possible
    assert closed_schema({**ringed, "$defs": {**outside, "d3": {}}}).is_possible


@pytest.mark.parametrize("text", ['{"a": "}\\"{", "b": [{}, "\\\\"]}', "{}", '  {"\\u007d": 1}'])
def test_arguments_are_whole_at_their_last_brace(text: str) -> None:
    arguments = Arguments()
    for place, character in enumerate(text):
        arguments.add(character)
        assert arguments.is_object is (place == len(text) - 1)


@pytest.mark.parametrize("text", ["", "{", "[]", "x", "{'a': {}}", '{"a": }', '"{}"', "}{"])
def test_arguments_that_are_no_object_are_never_whole(text: str) -> None:
    arguments = Arguments()
    for character in text:
        arguments.add(character)
        assert not arguments.is_object


def test_pieces_of_a_text_are_appended_in_place() -> None:
    block: JSON = {"text": "ab", "n": 1}
    for key in ("text", "n", "new"):
        hub.append(block, key, "c")

    assert block == {"text": "abc", "n": "c", "new": "c"}
    assert list(block) == ["text", "n", "new"]
