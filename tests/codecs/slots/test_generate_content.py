"""Where words stand in generateContent and its neighbours, and what guardrails write there."""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx
import pytest
from google import genai
from google.genai.types import FinishReason, HttpOptions

from llmgateway.codecs.generate_content import COUNT_TOKENS, EMBED_CONTENT, GENERATE_CONTENT
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from tests.codecs.generate_content.recordings import Recording, params, said
from tests.codecs.slots.marked import JSON, check_marks, check_words, ends, fuzz, joined, told

REQUEST: JSON = {
    "systemInstruction": {"parts": [{"text": "s"}]},
    "contents": [
        {"parts": [{"text": "u0"}, {"inlineData": {"mimeType": "image/png", "data": "QQ=="}}]},
        {"role": "model", "parts": [
            {"text": "th", "thought": True, "thoughtSignature": "no"},
            {"text": "a1"},
            {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}},
            {"executableCode": {"language": "PYTHON", "code": "1+1"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
        ]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "weather", "response": {"sky": "blue"}}}]},
        {"role": "user", "parts": {"text": "u3"}},
    ],
    "tools": [{"functionDeclarations": [{"name": "weather", "description": "tells"}]}],
}  # fmt: skip
SNAKE: JSON = {
    "system_instruction": {"parts": [{"text": "s"}]},
    "contents": [{"role": "model", "parts": [
        {"function_call": {"name": "weather", "args": {"city": "Oslo"}}},
        {"executable_code": {"code": "1+1"}},
        {"code_execution_result": {"output": "2"}},
        {"function_response": {"name": "weather", "response": {"sky": "blue"}}},
    ]}],
    "tools": [{"function_declarations": [{"name": "weather", "description": "tells"}]}],
}  # fmt: skip
ANSWER: JSON = {
    "candidates": [
        {"content": {"role": "model", "parts": [
            {"text": "th", "thought": True}, {"text": "hi"}, {"text": " you"},
            {"functionCall": {"id": "f1", "name": "weather", "args": {"city": "Oslo"}}},
            {"toolCall": {"id": "x", "toolType": "SEARCH", "args": {"queries": ["q"]}}},
            {"toolResponse": {"id": "x", "toolType": "SEARCH", "response": {"a": "b"}}}]},
         "finishReason": "STOP", "finishMessage": "fm",
         "groundingMetadata": {
             "groundingSupports": [{"segment": {"text": "hi"}, "groundingChunkIndices": [0]}],
             "groundingChunks": [{"web": {"title": "t", "uri": "u"}}],
             "webSearchQueries": ["wq"]}},
        {"index": 1, "content": {"parts": [{"text": "other"}]},
         "citationMetadata": {"citations": [{"title": "ct"}]},
         "logprobsResult": {
             "chosenCandidates": [{"token": "other", "logProbability": -1}],
             "topCandidates": [{"candidates": [{"token": "other"}, {"token": "else"}]}]}},
    ],
    "usageMetadata": {"totalTokenCount": 3},
    "modelVersion": "no",
}  # fmt: skip
PIECES: JSON = {
    "candidates": [{"content": {"parts": [
        {"functionCall": {"willContinue": True, "partialArgs": [
            {"jsonPath": "$.city", "stringValue": "Os", "willContinue": True},
            {"jsonPath": "$.days", "numberValue": 3}]}}]}}],
}  # fmt: skip
EMBED: JSON = {
    "requests": [
        {"model": "m", "content": {"parts": [{"text": "one"}]}, "title": "t"},
        {"model": "m", "content": {"parts": [{"text": "two"}]}},
    ]
}
BODIES = [
    (Part.REQUEST, REQUEST),
    (Part.REQUEST, SNAKE),
    (Part.RESPONSE, ANSWER),
    (Part.EVENT, ANSWER),
    (Part.EVENT, PIECES),
]


def test_a_request_is_read_in_order() -> None:
    slots = GENERATE_CONTENT.slots(REQUEST, Part.REQUEST)

    assert [
        ("s", "system", -1, Place.TEXT),
        ("u0", "user", 0, Place.TEXT),
        ("th", "assistant", 1, Place.REASONING),
        ("a1", "assistant", 1, Place.TEXT),
        ('{"city":"Oslo"}', "assistant", 1, Place.TOOL_ARGUMENTS),
        ("1+1", "assistant", 1, Place.TOOL_ARGUMENTS),
        ("2", "tool", 1, Place.TOOL_RESULT),
        ('{"sky":"blue"}', "tool", 2, Place.TOOL_RESULT),
        ("u3", "user", 3, Place.TEXT),
        ("tells", "system", -1, Place.OTHER),
    ] == [(one.text, one.role, one.turn, one.place) for one in slots]
    assert ["weather", "code_execution", "code_execution", "weather"] == [
        one.tool for one in slots[4:8]
    ]


def test_snake_case_is_read_as_well_and_both_where_both_stand() -> None:
    found = [one.text for one in GENERATE_CONTENT.slots(SNAKE, Part.REQUEST)]
    both = {**SNAKE, "systemInstruction": {"parts": [{"text": "hidden"}]}}

    assert ["s", '{"city":"Oslo"}', "1+1", "2", '{"sky":"blue"}', "tells"] == found
    assert ["hidden", *found] == [one.text for one in GENERATE_CONTENT.slots(both, Part.REQUEST)]


def test_an_answer_is_read_candidate_by_candidate() -> None:
    slots = GENERATE_CONTENT.slots(ANSWER, Part.RESPONSE)

    assert [
        ("th", "text", "reasoning", "reasoning:0"),
        ("hi", "text", "text", "text:1"),
        (" you", "text", "text", "text:2"),
        ('{"city":"Oslo"}', "text", "tool_arguments", "call:f1"),
        ('{"queries":["q"]}', "text", "tool_arguments", "call:x"),
        ('{"a":"b"}', "text", "tool_result", "result:5"),
        ("fm", "text", "refusal", "refusal"),
        ("hi", "copy", "other", "quote:0"),
        ("t", "text", "other", "source:grounding_metadata.0"),
        ("u", "text", "other", "source:grounding_metadata.1"),
        ("wq", "text", "other", "source:grounding_metadata.2"),
        ("other", "text", "text", "text:0"),
        ("other", "token", "text", "text"),
        ("ct", "text", "other", "source:citation_metadata.0"),
    ] == told(slots)
    assert [0] * 11 + [1] * 3 == [one.choice for one in slots]


def test_texts_of_events_are_deltas_of_one_channel() -> None:
    slots = GENERATE_CONTENT.slots(ANSWER, Part.EVENT)

    assert {(0, "reasoning"): "th", (0, "text"): "hi you", (1, "text"): "other"} == joined(slots)
    assert [("Os", "delta", "tool_arguments", "call:0:$.city")] == told(
        GENERATE_CONTENT.slots(PIECES, Part.EVENT)
    )


@pytest.mark.parametrize(
    ("candidate", "ended"),
    [
        ({"content": {"parts": [{"text": "a"}]}}, []),
        ({"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}, [(0, "")]),
        ({"index": 1, "finishReason": "STOP"}, [(1, "")]),
        ({"content": {"parts": [{"text": "a", "thought": True}, {"text": "b"}]}}, []),
        ({"content": {"parts": [{"functionCall": {"name": "f"}}]}}, []),
        (
            {"content": {"parts": [{"text": "a"}, {"functionCall": {"name": "f"}}]}},
            [(0, "text")],
        ),
        (
            {"content": {"parts": [{"functionCall": {"partialArgs": [
                {"jsonPath": "$.a", "stringValue": "x", "willContinue": True}]}}]}},
            [],
        ),
        (
            {"content": {"parts": [{"functionCall": {"partialArgs": [
                {"jsonPath": "$.a", "stringValue": ""}]}}]}},
            [(0, "call:0:$.a")],
        ),
    ],
)  # fmt: skip
def test_events_tell_which_texts_end(candidate: JSON, ended: list[Any]) -> None:
    assert ended == ends(GENERATE_CONTENT, {"candidates": [candidate]})


def test_embeddings_and_counts_have_the_words_of_their_requests() -> None:
    one = {"content": {"parts": [{"text": "alone"}]}}
    within = {"generateContentRequest": REQUEST}
    texts = [slot.text for slot in GENERATE_CONTENT.slots(REQUEST, Part.REQUEST)]

    assert ["t", "one", "two"] == [x.text for x in EMBED_CONTENT.slots(EMBED, Part.REQUEST)]
    assert [0, 0, 0] == [x.turn for x in EMBED_CONTENT.slots(EMBED, Part.REQUEST)]
    assert ["alone"] == [x.text for x in EMBED_CONTENT.slots(one, Part.REQUEST)]
    assert texts == [x.text for x in COUNT_TOKENS.slots(REQUEST, Part.REQUEST)]
    assert texts == [x.text for x in COUNT_TOKENS.slots(within, Part.REQUEST)]
    assert [] == COUNT_TOKENS.slots({"totalTokens": 1}, Part.RESPONSE)
    assert [] == EMBED_CONTENT.slots({"embedding": {}}, Part.RESPONSE)


@pytest.mark.parametrize(("part", "body"), BODIES)
def test_what_is_put_lands_in_its_place(part: Part, body: JSON) -> None:
    check_marks(GENERATE_CONTENT, body, part)


def test_a_token_takes_its_alternatives_with_it() -> None:
    body = copy.deepcopy(ANSWER)
    for slot in GENERATE_CONTENT.slots(body, Part.RESPONSE):
        if slot.kind is SlotKind.TOKEN:
            slot.put("x")

    assert "e" not in json.dumps(body["candidates"][1]["logprobsResult"]["topCandidates"]).replace(
        "candidates", ""
    ).replace("token", "")


NAMES = (
    "systemInstruction system_instruction contents parts text thought role functionCall args name "
    "function_response response toolCall executableCode code codeExecutionResult output candidates "
    "content index finishMessage groundingMetadata groundingSupports segment citationMetadata "
    "logprobsResult chosenCandidates topCandidates token partialArgs jsonPath stringValue tools "
    "functionDeclarations description generateContentRequest requests title id finishReason"
)
WORDS = "user model function hi STOP"

test_any_body_is_read = fuzz(GENERATE_CONTENT, BODIES, NAMES, WORDS)
test_any_embedding_is_read = fuzz(EMBED_CONTENT, [(Part.REQUEST, EMBED)], NAMES, WORDS)
test_any_count_is_read = fuzz(COUNT_TOKENS, [(Part.REQUEST, REQUEST)], NAMES, WORDS)


# ---- recordings


def _contents(answer: JSON) -> list[Any]:
    return [one.get("content") for one in answer.get("candidates") or ()]


@pytest.mark.parametrize("recording", params(api="generate_content", is_stream=False, status=200))
def test_a_recorded_answer_is_covered(recording: Recording) -> None:
    slots = GENERATE_CONTENT.slots(recording.body, Part.RESPONSE)

    check_words(_contents(recording.body), slots)
    check_marks(GENERATE_CONTENT, recording.body, Part.RESPONSE)


@pytest.mark.parametrize("recording", params(api="generate_content"))
def test_a_recorded_request_is_covered(recording: Recording) -> None:
    request = recording.request or {}
    slots = GENERATE_CONTENT.slots(request, Part.REQUEST)
    contents = [
        {**part, "fileData": None, "file_data": None}
        for content in request.get("contents") or ()
        for part in content["parts"]
    ]

    check_words([contents, request.get("systemInstruction", {}).get("parts")], slots)
    check_marks(GENERATE_CONTENT, request, Part.REQUEST)


@pytest.mark.parametrize("recording", params(api="embed_content"))
def test_a_recorded_embedding_is_covered(recording: Recording) -> None:
    request = recording.request or {}
    asked = [request.get("content"), *(one["content"] for one in request.get("requests") or ())]

    check_words(asked, EMBED_CONTENT.slots(request, Part.REQUEST))
    check_marks(EMBED_CONTENT, request, Part.REQUEST)


@pytest.mark.parametrize("recording", params(is_stream=True))
def test_a_recorded_stream_is_covered(recording: Recording) -> None:
    found: list[Slot] = []
    for answer in recording.answers():
        check_marks(GENERATE_CONTENT, answer, Part.EVENT)
        slots = GENERATE_CONTENT.slots(answer, Part.EVENT)
        check_words(_without_paths(_contents(answer)), slots)
        found += slots
    expected = {
        (index, channel): known[name]
        for index, known in said(recording.answers()).items()
        for channel, name in (("text", "text"), ("reasoning", "thinking"))
        if known[name]
    }

    assert expected == {
        key: text for key, text in joined(found).items() if not key[1].startswith("call")
    }


def _without_paths(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_paths(one) for one in value]
    if isinstance(value, dict):
        return {key: _without_paths(one) for key, one in value.items() if key != "jsonPath"}
    return value


# ---- messages put in

RESULT = {"functionResponse": {"name": "f", "response": {}}}


@pytest.mark.parametrize(
    ("role", "body", "changed"),
    [
        ("system", {}, {"systemInstruction": ["new"]}),
        ("system", {"systemInstruction": ["s"]}, {"systemInstruction": ["new", "s"]}),
        ("system", {"system_instruction": ["s"]}, {"system_instruction": ["new", "s"]}),
        ("user", {}, {"contents": [("user", ["new"])]}),
        (
            "user",
            {"contents": [("user", ["u"]), ("model", ["a"]), ("user", [RESULT, "v"])]},
            {"contents": [("user", ["u"]), ("model", ["a"]), ("user", [RESULT, "new", "v"])]},
        ),
        (
            "user",
            {"contents": [("user", ["u"]), ("model", ["a"]), ("user", [RESULT])]},
            {"contents": [("user", ["new", "u"]), ("model", ["a"]), ("user", [RESULT])]},
        ),
        (
            "assistant",
            {"contents": [("model", ["a"]), ("user", ["u"])]},
            {"contents": [("model", ["new", "a"]), ("user", ["u"])]},
        ),
        (
            "assistant",
            {"contents": [("user", ["u"])]},
            {"contents": [("user", ["u"]), ("model", ["new"])]},
        ),
    ],
)
def test_a_message_is_put_in(role: str, body: JSON, changed: JSON) -> None:
    request, whole = _spelled(body), {"generateContentRequest": _spelled(body)}
    GENERATE_CONTENT.insert(request, role, "new")
    COUNT_TOKENS.insert(whole, role, "new")

    assert _spelled(changed) == request
    assert {"generateContentRequest": _spelled(changed)} == whole


def _spelled(body: JSON) -> JSON:
    """Return a short body as the API has it."""

    def parts(value: list[Any]) -> JSON:
        return {"parts": [{"text": one} if isinstance(one, str) else one for one in value]}

    found: JSON = {key: parts(value) for key, value in body.items() if key != "contents"}
    if "contents" in body:
        found["contents"] = [{"role": role, **parts(value)} for role, value in body["contents"]]
    return found


def test_an_embedding_has_no_messages() -> None:
    body = copy.deepcopy(EMBED)
    EMBED_CONTENT.insert(body, "system", "new")

    assert EMBED == body


# ---- ends


def _told(raw: bytes | None) -> Any:
    assert raw is not None
    assert raw.startswith(b"data: ")
    assert raw.endswith(b"\n\n")
    return json.loads(raw[6:])


def test_a_denial_finishes_what_is_unfinished() -> None:
    denial = GENERATE_CONTENT.denial()
    denial.see({"candidates": [{"content": {}}, {"index": 1}], "responseId": "r"})
    denial.see({"candidates": [{"index": 1, "finishReason": "STOP"}]})
    first, second = _told(denial.write({"a": 1})), _told(denial.write({"a": 1}))

    assert [(0, "SAFETY")] == [(one["index"], one["finishReason"]) for one in first["candidates"]]
    assert ({"a": 1}, "r") == (first["hook_results"], first["responseId"])
    assert 1 == len(second["candidates"])


def test_the_sdk_reads_a_denied_stream_and_a_report() -> None:
    first: JSON = {"candidates": [{"content": {"parts": []}}]}
    denial = GENERATE_CONTENT.denial()
    denial.see(first)
    raw = f"data: {json.dumps(first)}\n\n".encode() + denial.write({"a": 1})
    raw += denial.report({"a": 1}) or b""
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=raw)
    http: Any = httpx.Client(transport=httpx.MockTransport(lambda request: answer))
    with genai.Client(api_key="k", http_options=HttpOptions(httpx_client=http)) as sdk:
        chunks = list(sdk.models.generate_content_stream(model="m", contents="hi"))

    found = [one.candidates[0].finish_reason if one.candidates else None for one in chunks]
    assert [None, FinishReason.SAFETY, None] == found


def test_a_report_has_no_candidates() -> None:
    assert {"candidates": [], "hook_results": {"a": 1}} == _told(
        GENERATE_CONTENT.denial().report({"a": 1})
    )
    assert EMBED_CONTENT.denial().report({"a": 1}) is None
