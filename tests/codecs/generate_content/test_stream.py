"""Streamed answers in the hub's form, and how a stream is followed."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.generate_content import GENERATE_CONTENT, GENERATE_CONTENT_CODEC
from tests.codecs.crossing import context, events_of, hub_chunks
from tests.codecs.streams import DONE, event


def answer(*parts: Any, **candidate: Any) -> dict[str, Any]:
    """Return an answer in small."""
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, **candidate}]}


def deltas(*answers: Any, compliance: bool = True) -> list[dict[str, Any]]:
    """Return the deltas between the role and the finish."""
    chunks = hub_chunks(GENERATE_CONTENT_CODEC, events_of(*answers), context(compliance=compliance))
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert {"role": "assistant", "content": ""} == choices[0]["delta"]
    assert {} == choices[-1]["delta"]
    return [choice["delta"] for choice in choices[1:-1]]


def test_unsigned_texts_of_a_kind_are_one_block() -> None:
    assert [
        {
            "reasoning_content": "h",
            "content_blocks": [{"index": 0, "type": "thinking", "thinking": "h"}],
        },
        {"reasoning_content": "m", "content_blocks": [{"index": 0, "thinking": "m"}]},
        {"content": "a", "content_blocks": [{"index": 1, "type": "text", "text": "a"}]},
        {"content": "b", "content_blocks": [{"index": 1, "text": "b"}]},
    ] == deltas(
        answer({"text": "h", "thought": True}),
        answer({"text": "m", "thought": True}, {"text": "a"}),
        answer({"text": "b"}, {"text": ""}),
    )


def test_a_signed_part_is_a_block_of_its_own() -> None:
    assert [
        {"index": 0, "type": "text", "text": "a"},
        {"index": 1, "type": "text", "text": "b", "signature": "cw=="},
        {"index": 2, "type": "text", "text": "c"},
        {"index": 3, "type": "text", "text": "", "signature": "dA=="},
    ] == [
        entry
        for delta in deltas(
            answer({"text": "a"}),
            answer({"text": "b", "thoughtSignature": "cw=="}),
            answer({"text": "c"}),
            answer({"text": "", "thoughtSignature": "dA=="}),
        )
        for entry in delta["content_blocks"]
    ]


def test_a_call_comes_whole_and_later_blocks_tell_its_place() -> None:
    found = deltas(
        answer({"text": "a"}, {"functionCall": {"name": "x", "args": {"a": 1}, "id": "1"}}),
        answer({"functionCall": {"name": "y", "args": {}, "id": "2"}}),
        answer({"text": "b"}),
    )
    late = {"function": {"arguments": ""}, "extra_content": {"blocks_before": 1}}

    assert '{"a":1}' == found[1]["tool_calls"][0]["function"]["arguments"]
    assert [0, 1] == [found[at]["tool_calls"][0]["index"] for at in (1, 2)]
    assert [{"index": 0, **late}, {"index": 1, **late}] == found[3]["tool_calls"]
    assert "b" == found[4]["content"]


def partial(**call: Any) -> dict[str, Any]:
    return answer({"functionCall": call})


def piece(path: str, more: bool = False, **value: Any) -> dict[str, Any]:
    return {"jsonPath": path, **({"willContinue": True} if more else {}), **value}


@pytest.mark.parametrize(
    ("pieces", "arguments"),
    [
        ([piece("$.a", stringValue="x")], '{"a":"x"}'),
        ([piece("$.a", True, stringValue="x"), piece("$.a", stringValue="y")], '{"a":"xy"}'),
        ([piece("$.a", stringValue="x"), piece("$.a", stringValue="y")], '{"a":"y"}'),
        ([piece("$.a[1].b", numberValue=2)], '{"a":[null,{"b":2}]}'),
        ([piece("$.a[0][0]", boolValue=False)], '{"a":[[false]]}'),
        ([piece("$['a b'][\"c\"]", nullValue="NULL_VALUE")], '{"a b":{"c":null}}'),
        ([piece("$.a", numberValue=1), piece("$.a.b", numberValue=2)], '{"a":{"b":2}}'),
        ([piece("$.a[999999].b", numberValue=1)], '{"a":[]}'),
        ([piece("$.a[5000]", numberValue=1)], '{"a":[]}'),
        ([piece("$[0]", numberValue=1), piece("nonsense(", numberValue=1)], "{}"),
        ([piece("$", numberValue=1), piece("$" + ".a" * 65, numberValue=1)], "{}"),
        ([], "{}"),
    ],
)
def test_arguments_in_pieces(pieces: list[Any], arguments: str) -> None:
    answers = [partial(name="x", willContinue=True, id="1")]
    answers += [partial(partialArgs=[each], willContinue=True) for each in pieces]
    found = deltas(*answers, partial())

    assert 1 == len(found)
    assert arguments == found[0]["tool_calls"][0]["function"]["arguments"]


def test_a_call_that_nobody_ends_is_told_at_the_end() -> None:
    found = deltas(partial(name="x", willContinue=True, args={"a": 1}), partial(willContinue=True))

    assert '{"a":1}' == found[0]["tool_calls"][0]["function"]["arguments"]


def test_a_new_name_ends_the_call_before_it() -> None:
    found = deltas(
        partial(name="x", partialArgs=[piece("$.a", numberValue=1)], willContinue=True),
        partial(name="y", args={}),
    )

    assert ["x", "y"] == [delta["tool_calls"][0]["function"]["name"] for delta in found]


def test_pictures_come_as_blocks_and_as_images() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}
    found = deltas(answer(picture, picture, sound), answer({}))

    assert [0, 1] == [image["index"] for delta in found for image in delta.get("images", ())]
    assert [0, 1, 2] == [entry["index"] for delta in found for entry in delta["content_blocks"]]
    assert "audio" in found[2]


def test_the_end_tells_refusal_annotations_and_what_is_native() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [{"segment": {"endIndex": 1}, "groundingChunkIndices": [0]}],
    }
    answers = [
        answer({"text": "a"}, groundingMetadata=grounding),
        answer(finishReason="SAFETY", groundingMetadata={}),
    ]
    chunks = hub_chunks(GENERATE_CONTENT_CODEC, events_of(*answers), context(compliance=False))
    told, last = (chunk["choices"][0] for chunk in chunks[-2:])

    assert {"refusal", "annotations"} == set(told["delta"])
    assert ("content_filter", "SAFETY") == (last["finish_reason"], last["native_finish_reason"])
    assert grounding == last["groundingMetadata"]


def test_log_probabilities_come_with_their_text() -> None:
    result = {"chosenCandidates": [{"token": "a", "logProbability": -1.0}]}
    chunks = hub_chunks(
        GENERATE_CONTENT_CODEC,
        events_of(answer({"text": "a"}, logprobsResult=result)),
        context(),
    )

    assert "a" == chunks[2]["choices"][0]["logprobs"]["content"][0]["token"]


def test_several_candidates_each_have_role_and_finish() -> None:
    both = {
        "candidates": [
            {"content": {"parts": [{"text": t}]}, "index": i, "finishReason": "STOP"}
            for i, t in enumerate("ab")
        ],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
    }
    chunks = hub_chunks(GENERATE_CONTENT_CODEC, events_of(both), context())

    assert [0, 0, 1, 1, 0, 1] == [c["choices"][0]["index"] for c in chunks[:-1]]
    assert ([], 2) == (chunks[-1]["choices"], chunks[-1]["usage"]["output"])


# ---- watch


def watched(*bodies: Any, request: Any = None) -> tuple[list[EventKind], Any]:
    watch = GENERATE_CONTENT.watch(request, "acme")
    return [watch.feed(each) for each in events_of(*bodies)], watch


def test_prelude_until_something_can_be_seen() -> None:
    kinds, watch = watched(
        answer(), answer({"text": ""}), answer({"text": "", "thought": True}), answer({"text": "a"})
    )

    assert [*[EventKind.PRELUDE] * 3, EventKind.CONTENT] == kinds
    assert not watch.ended_well


def test_events_after_the_first_content_are_scanned_and_usage_is_the_last() -> None:
    usage = [
        {"promptTokenCount": 1, "totalTokenCount": n, "candidatesTokenCount": n - 1}
        for n in (2, 3, 4)
    ]
    kinds, watch = watched(
        {**answer({"text": "a"}), "usageMetadata": usage[0]},
        {**answer({"text": "b"}), "usageMetadata": usage[1]},
        {**answer({"text": "c"}), "usageMetadata": usage[2]},
        answer({"text": '"finishReason": "STOP"'}),
    )

    assert [EventKind.CONTENT] * 4 == kinds
    assert (4, False) == (watch.usage.total, watch.ended_well)


def test_as_many_candidates_must_end_as_were_asked_for() -> None:
    first = answer({"text": "a"}, finishReason="STOP", index=0)
    second = answer({"text": "a"}, finishReason="STOP", index=1)
    asked = {"generationConfig": {"candidateCount": 2}}

    assert not watched(first, request=asked)[1].ended_well
    assert watched(first, second, request=asked)[1].ended_well


def test_a_refused_prompt_is_a_good_end() -> None:
    kinds, watch = watched({"promptFeedback": {"blockReason": "SAFETY"}})

    assert ([EventKind.PRELUDE], True) == (kinds, watch.ended_well)


@pytest.mark.parametrize("wrap", [lambda body: body, lambda body: [body]], ids=["bare", "array"])
def test_an_error_event(wrap: Any) -> None:
    error = {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}
    kinds, watch = watched(answer({"text": "a"}, finishReason="STOP"), wrap(error))

    assert (EventKind.ERROR, False) == (kinds[1], watch.ended_well)
    assert (503, "UNAVAILABLE", "Overloaded.") == (
        watch.error.status,
        watch.error.code,
        watch.error.message,
    )


def test_a_sentinel_and_nonsense_do_no_harm() -> None:
    watch = GENERATE_CONTENT.watch(None, "acme")

    assert EventKind.DONE is watch.feed(DONE)
    assert EventKind.PRELUDE is watch.feed(event(b"{broken"))
    assert EventKind.PRELUDE is watch.feed(Event(b": ping\n\n", None, b""))
    assert b"" == watch.owed()
