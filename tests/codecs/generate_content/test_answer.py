"""Answers in the hub's form."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.generate_content import GENERATE_CONTENT_CODEC
from llmgateway.codecs.generate_content.finish import decode_finish
from tests.codecs.crossing import context


def decode(*parts: Any, finish: str = "STOP", compliance: bool = True, **candidate: Any) -> Any:
    """Return the one choice of an answer with these parts."""
    body = {
        "candidates": [{"content": {"parts": list(parts)}, "finishReason": finish, **candidate}]
    }
    return GENERATE_CONTENT_CODEC.decode_response(body, context(compliance=compliance))["choices"][
        0
    ]


def test_the_envelope() -> None:
    body = {"candidates": [], "responseId": "r", "modelVersion": "gemini-x"}
    answer = GENERATE_CONTENT_CODEC.decode_response(body, context())

    assert ("r", "gemini-x", 1_700_000_000) == (answer["id"], answer["model"], answer["created"])
    assert "usage" not in answer
    assert ("stop", "") == (
        answer["choices"][0]["finish_reason"],
        answer["choices"][0]["message"]["content"],
    )


def test_each_part_is_a_block_with_its_signature() -> None:
    message = decode(
        {"text": "hm", "thought": True},
        {"text": "so", "thought": True, "thoughtSignature": "dA=="},
        {"text": "a"},
        {"text": "b", "thoughtSignature": "cw=="},
        {"text": ""},
        {"text": "", "thought_signature": "ZQ=="},
        {"executableCode": {"code": "1"}},
        {},
    )["message"]

    assert ("ab", "hmso") == (message["content"], message["reasoning_content"])
    assert [
        {"type": "thinking", "thinking": "hm"},
        {"type": "thinking", "thinking": "so", "signature": "dA==", "wire": "generate_content"},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "signature": "cw=="},
        {"type": "text", "text": "", "signature": "ZQ=="},
        {"type": "opaque", "wire": "generate_content", "value": {"executableCode": {"code": "1"}}},
    ] == message["content_blocks"]


def test_calls_keep_their_ids_or_get_some() -> None:
    choice = decode(
        {"functionCall": {"name": "a", "args": {"x": [1]}, "id": "abc"}},
        {"functionCall": {"name": "b"}, "thoughtSignature": "cw=="},
    )

    assert [
        {"id": "abc", "type": "function", "function": {"name": "a", "arguments": '{"x":[1]}'}},
        {
            "id": "call_0",
            "type": "function",
            "function": {"name": "b", "arguments": "{}"},
            "extra_content": {"thought_signature": "cw=="},
        },
    ] == choice["message"]["tool_calls"]
    assert (None, "tool_calls") == (choice["message"]["content"], choice["finish_reason"])


def test_calls_that_others_follow_say_where_they_stood() -> None:
    """Thoughts without a signature do not count, since clients need not keep them."""
    calls = decode(
        {"text": "hm", "thought": True},
        {"text": "a"},
        {"functionCall": {"name": "x"}},
        {"text": "b"},
        {"functionCall": {"name": "y"}},
    )["message"]["tool_calls"]

    assert [{"blocks_before": 1}, None] == [call.get("extra_content") for call in calls]


@pytest.mark.parametrize(
    ("native", "has_calls", "expected"),
    [
        *((n, False, "stop") for n in ("STOP", "FINISH_REASON_UNSPECIFIED", "RECITATION", "OTHER")),
        *((n, False, "stop") for n in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "NEW")),
        *((n, False, "content_filter") for n in ("SAFETY", "LANGUAGE", "BLOCKLIST", "SPII")),
        *((n, True, "content_filter") for n in ("PROHIBITED_CONTENT", "IMAGE_SAFETY")),
        ("MAX_TOKENS", True, "length"),
        ("STOP", True, "tool_calls"),
        ("", False, "stop"),
    ],
)
def test_finish_reasons(native: str, has_calls: bool, expected: str) -> None:
    assert expected == decode_finish(native, has_calls=has_calls)


@pytest.mark.parametrize("compliance", [True, False])
def test_the_finish_reason_is_openais_whatever_compliance_says(compliance: bool) -> None:
    choice = decode({"text": "a"}, finish="MAX_TOKENS", compliance=compliance)

    assert ("length", "MAX_TOKENS") == (choice["finish_reason"], choice["native_finish_reason"])


def test_a_filtered_answer_is_a_refusal() -> None:
    told = decode({"text": "a"}, finish="SAFETY", finishMessage="Too hot.")
    untold = decode(finish="SAFETY")

    assert ("a", "Too hot.") == (told["message"]["content"], told["message"]["refusal"])
    assert "SAFETY" in untold["message"]["refusal"]


def test_members_of_the_providers_own_need_leave() -> None:
    ratings = [{"category": "X", "probability": "LOW"}]
    strict, loose = (
        decode(
            {"functionCall": {"name": "a"}, "thoughtSignature": "cw=="},
            compliance=compliance,
            safetyRatings=ratings,
        )
        for compliance in (True, False)
    )

    assert "safetyRatings" not in strict and ratings == loose["safetyRatings"]
    functions = [choice["message"]["tool_calls"][0]["function"] for choice in (strict, loose)]
    assert [None, "cw=="] == [function.get("thought_signature") for function in functions]


def test_pictures_and_sound_are_shown_and_kept() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AA-_"}, "thoughtSignature": "cw=="}
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}
    film = {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}
    draft = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": True}
    message = decode(picture, sound, film, draft)["message"]

    assert [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA+/"}, "index": 0}
    ] == message["images"]
    assert "AAAA" == message["audio"]["data"]
    assert [picture, sound, film, draft] == [b["value"] for b in message["content_blocks"]]


def test_several_candidates() -> None:
    body = {
        "candidates": [
            {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"},
            {"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP", "index": 1},
        ]
    }
    choices = GENERATE_CONTENT_CODEC.decode_response(body, context())["choices"]

    assert [(0, "a"), (1, "b")] == [(c["index"], c["message"]["content"]) for c in choices]


def test_log_probabilities() -> None:
    result = {
        "chosenCandidates": [{"token": "é", "logProbability": -0.5}, {"token": "b"}],
        "topCandidates": [{"candidates": [{"token": "x", "logProbability": -1.0}]}],
    }
    logprobs = decode({"text": "éb"}, logprobsResult=result)["logprobs"]

    assert {
        "token": "é",
        "logprob": -0.5,
        "bytes": [195, 169],
        "top_logprobs": [{"token": "x", "logprob": -1.0, "bytes": [120]}],
    } == logprobs["content"][0]
    assert {"token": "b", "logprob": 0.0, "bytes": [98], "top_logprobs": []} == (
        logprobs["content"][1]
    )


# ---- annotations


def grounding(*supports: Any) -> dict[str, Any]:
    return {
        "groundingChunks": [
            {"web": {"uri": "https://a.example", "title": "A"}},
            {"retrievedContext": {"uri": "https://b.example"}},
            {"image": {"sourceUri": "https://c.example"}},
            {"odd": {}},
        ],
        "groundingSupports": list(supports),
    }


def places(choice: Any) -> list[tuple[str, int, int]]:
    return [
        (c["url"], c["start_index"], c["end_index"])
        for c in (note["url_citation"] for note in choice["message"].get("annotations", ()))
    ]


def test_grounding_counts_bytes_and_annotations_characters() -> None:
    segment = {"startIndex": 3, "endIndex": 5, "text": "bc"}
    choice = decode(
        {"text": "é bc"},
        groundingMetadata=grounding({"segment": segment, "groundingChunkIndices": [0, 1, 3, 9]}),
    )

    assert [("https://a.example", 2, 4), ("https://b.example", 2, 4)] == places(choice)


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ({"endIndex": 2, "text": "bc"}, (2, 4)),
        ({"startIndex": 1, "endIndex": 3}, (1, 3)),
        ({"startIndex": 90, "endIndex": 99, "text": "gone"}, (4, 4)),
        ({"startIndex": -5, "endIndex": -1}, (0, 0)),
        ({}, (0, 0)),
    ],
)
def test_where_a_passage_stands(segment: Any, expected: tuple[int, int]) -> None:
    choice = decode(
        {"text": "a bc"},
        groundingMetadata=grounding({"segment": segment, "groundingChunkIndices": [2]}),
    )

    assert [("https://c.example", *expected)] == places(choice)


def test_sources_without_passages_are_told_too() -> None:
    choice = decode({"text": "a"}, groundingMetadata=grounding())

    assert ["https://a.example", "https://b.example", "https://c.example"] == [
        url for url, *_ in places(choice)
    ]


@pytest.mark.parametrize("name", ["citations", "citationSources"])
def test_citations(name: str) -> None:
    entries = [{"startIndex": 0, "endIndex": 1, "uri": "https://a.example"}, {"title": "no uri"}]
    choice = decode({"text": "ab"}, citationMetadata={name: entries})

    assert [("https://a.example", 0, 1)] == places(choice)
