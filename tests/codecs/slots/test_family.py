"""Where words stand in the smaller formats of OpenAI's family, and in bodies of any other."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.codecs.audio import SPEECH, TRANSCRIPTION
from llmgateway.codecs.base import Format
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.codecs.slots import Part
from tests.codecs.slots.puts import check_all_marked, check_puts, odd_json

JSON = dict[str, Any]
ASK, ANSWER, EVENT = Part.REQUEST, Part.RESPONSE, Part.EVENT
FORMATS = [COMPLETIONS, EMBEDDINGS, IMAGES, SPEECH, TRANSCRIPTION, OPAQUE]
PLAIN_TOKENS = {"tokens": ["a", "b"], "top_logprobs": [{"a": -1, "x": -2}, {"b": -1}]}

CASES: list[tuple[Format, Part, JSON, list[tuple[str, str, str]]]] = [
    (COMPLETIONS, ASK, {"prompt": "p"}, [("text", "prompt:0", "p")]),
    (
        COMPLETIONS,
        ASK,
        {"prompt": ["p", "q"], "suffix": "s"},
        [("text", "prompt:0", "p"), ("text", "prompt:1", "q"), ("text", "suffix:0", "s")],
    ),
    (COMPLETIONS, ASK, {"prompt": [[1, 2], [3]]}, []),
    (
        COMPLETIONS,
        ANSWER,
        {"choices": [{"text": "ab", "logprobs": PLAIN_TOKENS}]},
        [("text", "text", "ab"), ("token", "text", "a"), ("token", "text", "b")],
    ),
    (
        COMPLETIONS,
        EVENT,
        {"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]},
        [("delta", "text", "a"), ("end", "", "")],
    ),
    (EMBEDDINGS, ASK, {"input": "i"}, [("text", "input:0", "i")]),
    (EMBEDDINGS, ASK, {"input": ["i", "j"]}, [("text", "input:0", "i"), ("text", "input:1", "j")]),
    (EMBEDDINGS, ASK, {"input": [[1, 2]]}, []),
    (
        EMBEDDINGS,
        ASK,
        {"input": [{"content": [{"type": "text", "text": "i"}]}], "title": "t"},
        [("text", "title:0", "t"), ("text", "input:0", "i")],
    ),
    (EMBEDDINGS, ANSWER, {"data": [{"embedding": "AAAA"}]}, []),
    (IMAGES, ASK, {"prompt": "p", "user": "u"}, [("text", "prompt:0", "p")]),
    (
        IMAGES,
        ANSWER,
        {"data": [{"revised_prompt": "r", "b64_json": "AA"}]},
        [("text", "revised_prompt:0", "r")],
    ),
    (
        SPEECH,
        ASK,
        {"input": "i", "instructions": "s"},
        [("text", "input:0", "i"), ("text", "instructions:0", "s")],
    ),
    (SPEECH, EVENT, {"type": "speech.audio.delta", "audio": "AAAA"}, []),
    (
        TRANSCRIPTION,
        ANSWER,
        {"text": "a b", "segments": [{"text": "a b"}], "words": [{"word": "a"}, {"word": "b"}]},
        [
            ("text", "text", "a b"),
            ("copy", "text", "a b"),
            ("copy", "text", "a"),
            ("copy", "text", "b"),
        ],
    ),
    (TRANSCRIPTION, ANSWER, {"segments": [{"text": "a"}]}, [("text", "segments:0", "a")]),
    (
        TRANSCRIPTION,
        EVENT,
        {"type": "transcript.text.delta", "delta": "a", "logprobs": [{"token": "a"}]},
        [("delta", "text", "a"), ("token", "text", "a")],
    ),
    (
        TRANSCRIPTION,
        EVENT,
        {"type": "transcript.text.done", "text": "ab"},
        [("copy", "text", "ab"), ("end", "", "")],
    ),
    (
        TRANSCRIPTION,
        EVENT,
        {"type": "transcript.text.segment", "text": "ab", "speaker": "A"},
        [("delta", "segments", "ab")],
    ),
]


@pytest.mark.parametrize(("format", "part", "body", "expected"), CASES)
def test_a_body_is_read(
    format: Format, part: Part, body: JSON, expected: list[tuple[str, str, str]]
) -> None:
    found = [(s.kind.value, s.channel, s.text) for s in format.slots(body, part)]

    assert found == expected
    check_puts(format, body, part)
    check_all_marked(format, body, part)


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ({"model": "m", "query": "q", "documents": ["d", {"text": "e"}]}, ["q", "d", "e"]),
        ({"input": [{"type": "text", "text": "t"}, {"type": "image_url"}]}, ["t"]),
        ({"messages": [{"role": "user", "content": "c"}], "id": "x"}, ["c"]),
        ({"contents": [{"parts": [{"text": "p"}], "role": "user"}]}, ["p"]),
        ({"anything": {"deep": [{"prompt": "p"}]}, "url": "u"}, ["p"]),
    ],
)
def test_bodies_of_unknown_shape_are_searched(body: JSON, texts: list[str]) -> None:
    slots = OPAQUE.slots(body, ASK)

    assert [s.text for s in slots] == texts
    assert {s.role for s in slots} == {"user"}
    assert {s.role for s in OPAQUE.slots(body, ANSWER)} == {"assistant"}
    assert len({s.channel for s in slots}) == len(slots)
    check_puts(OPAQUE, body, ASK)


def test_one_place_of_unknown_events_is_one_channel() -> None:
    first, second = (
        OPAQUE.slots({"id": str(n), **extra, "choices": [{"delta": {"content": "a"}}]}, EVENT)
        for n, extra in enumerate(({}, {"role": "x"}))
    )
    assert first[0].channel == second[0].channel


def test_a_masked_token_of_the_older_shape_takes_its_alternatives_along() -> None:
    body: JSON = {
        "choices": [{"logprobs": {"tokens": ["a"], "top_logprobs": [{"a": -1, "x": -2}]}}]
    }
    COMPLETIONS.slots(body, ANSWER)[0].put("*")

    assert body["choices"][0]["logprobs"] == {"tokens": ["*"], "top_logprobs": [{"*": -1}]}


def test_a_message_goes_before_each_prompt() -> None:
    for prompt, expected in (("p", "new\np"), (["p", [1]], ["new\np", [1]]), ([1, 2], [1, 2])):
        body: JSON = {"prompt": prompt}
        COMPLETIONS.insert(body, "user", "new")
        assert body == {"prompt": expected}


@pytest.mark.parametrize("format", [EMBEDDINGS, IMAGES, SPEECH, TRANSCRIPTION, OPAQUE])
def test_formats_without_messages_and_finishes_stay_silent(format: Format) -> None:
    body: JSON = {"input": "i", "prompt": "p"}
    format.insert(body, "user", "new")
    denial = format.denial()
    denial.see(body)

    assert body == {"input": "i", "prompt": "p"}
    assert (denial.write({"a": 1}), denial.report({"a": 1})) == (b"", None)


@pytest.mark.parametrize(
    ("format", "kind", "empty"),
    [
        (CHAT, "chat.completion.chunk", {"delta": {}}),
        (COMPLETIONS, "text_completion", {"text": "", "logprobs": None}),
    ],
)
def test_a_denial_finishes_what_is_open(format: Format, kind: str, empty: JSON) -> None:
    denial = format.denial()
    for index, finish in ((0, None), (2, None), (1, "stop")):
        choice = {"index": index, "delta": {"content": "x"}, "finish_reason": finish}
        denial.see({"id": "c", "object": kind, "created": 5, "model": "m", "choices": [choice]})
    envelope = {"id": "c", "object": kind, "created": 5, "model": "m"}
    written, report = denial.write({"a": 1}), denial.report({"a": 1})

    assert _parsed(written) == {
        **envelope,
        "choices": [{"index": n, **empty, "finish_reason": "content_filter"} for n in (0, 2)],
        "hook_results": {"a": 1},
    }
    assert report is not None
    assert _parsed(report) == {**envelope, "choices": [], "hook_results": {"a": 1}}


def _parsed(event: bytes) -> Any:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    return orjson.loads(event[6:])


NAMES = [
    "prompt", "suffix", "input", "text", "content", "title", "choices", "logprobs", "tokens",
    "top_logprobs", "token", "bytes", "data", "revised_prompt", "instructions", "segments", "words",
    "word", "type", "delta", "messages", "query", "index", "finish_reason",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(body=odd_json(NAMES), part=st.sampled_from(Part), format=st.sampled_from(FORMATS))
def test_no_body_is_too_odd(body: JSON, part: Part, format: Format) -> None:
    check_puts(format, body, part)
    format.insert(body, "user", "x")
    denial = format.denial()
    denial.see(body)
    denial.write({})
