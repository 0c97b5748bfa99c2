"""Tools and parameters of the hub as the provider takes them."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.types.capabilities import Capabilities, Schema
from tests.codecs.generate_content.models import OLD, SECOND, THIRD
from tests.codecs.generate_content.requests import (
    TOOL,
    config,
    encode,
)

# ---- tools


def test_a_schema_goes_untouched_where_the_model_takes_it() -> None:
    parameters = TOOL["function"]["parameters"]  # type: ignore[index] # typed as object
    declared = encode(tools=[TOOL]).body["tools"][0]["functionDeclarations"][0]

    assert {
        "name": "look",
        "description": "Looks.",
        "parametersJsonSchema": parameters,
    } == declared


def test_an_older_model_gets_the_subset() -> None:
    declared = encode(OLD, tools=[TOOL]).body["tools"][0]["functionDeclarations"][0]

    assert {
        "type": "OBJECT",
        "properties": {"at": {"type": "STRING", "nullable": True}},
    } == declared["parameters"]


@pytest.mark.parametrize("schema", [None, {}, {"type": "object", "properties": {}}])
def test_a_tool_without_parameters(schema: Any) -> None:
    tool = {"type": "function", "function": {"name": "now", "parameters": schema}}

    assert [{"name": "now"}] == encode(OLD, tools=[tool]).body["tools"][0]["functionDeclarations"]


def test_older_functions_are_tools() -> None:
    body = encode(functions=[{"name": "now"}], function_call={"name": "now"}).body

    assert [{"functionDeclarations": [{"name": "now"}]}] == body["tools"]
    assert ["now"] == body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"]


def named(*names: str) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name}} for name in names]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"mode": "AUTO"}),
        ("required", {"mode": "ANY"}),
        ("none", {"mode": "NONE"}),
        (named("look")[0], {"mode": "ANY", "allowedFunctionNames": ["look"]}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": named("a", "b")}},
            {"mode": "VALIDATED", "allowedFunctionNames": ["a", "b"]},
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": named("a")},
            {"mode": "ANY", "allowedFunctionNames": ["a"]},
        ),
    ],
)
def test_tool_choice(choice: Any, expected: Any) -> None:
    encoded = encode(tools=[TOOL], tool_choice=choice)

    assert {"functionCallingConfig": expected} == encoded.body["toolConfig"]
    assert () == encoded.dropped


@pytest.mark.parametrize("choice", ["perhaps", {"type": "allowed_tools"}, {"type": "x"}, 5])
def test_a_tool_choice_that_says_nothing_is_named(choice: Any) -> None:
    encoded = encode(tools=[TOOL], tool_choice=choice)

    assert "toolConfig" not in encoded.body
    assert ("tool_choice",) == encoded.dropped


def test_a_tool_choice_without_tools_is_left_out() -> None:
    assert "toolConfig" not in encode(tool_choice="auto").body


def test_built_in_tools_beside_functions() -> None:
    tools = [
        {"type": "web_search", "options": {"max_uses": 3}},
        {"type": "code_execution"},
        {"type": "mcp", "options": {"server_label": "x"}},
        {"type": "native", "native": {"urlContext": {}}},
        {"type": "native", "native": {"type": "web_fetch_20250910"}},
        TOOL,
    ]
    encoded = encode(tools=tools)

    assert ["googleSearch", "codeExecution", "urlContext", "functionDeclarations"] == [
        name for tool in encoded.body["tools"] for name in tool
    ]
    assert {"includeServerSideToolInvocations": True} == encoded.body["toolConfig"]
    assert ("tools.mcp", "tools.native") == encoded.dropped
    assert ("tools.web_search",) == encoded.adjusted


def test_the_second_generation_takes_no_built_in_tool_beside_functions() -> None:
    encoded = encode(SECOND, tools=[{"type": "web_search"}, TOOL])

    assert ["functionDeclarations"] == [name for tool in encoded.body["tools"] for name in tool]
    assert ("tools.built_in",) == encoded.dropped


@pytest.mark.parametrize(
    ("body", "tools"),
    [
        ({"web_search_options": {}}, [{"googleSearch": {}}]),
        (
            {"tools": [{"type": "function", "function": {"name": "google_search"}}]},
            [{"googleSearch": {}}],
        ),
        (
            {"tools": [{"type": "web_search"}], "web_search_options": {}},
            [{"googleSearch": {}}],
        ),
        (
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "googleMaps",
                            "parameters": {"enableWidget": True},
                        },
                    }
                ]
            },
            [{"googleMaps": {"enableWidget": True}}],
        ),
    ],
)
def test_other_names_of_built_in_tools(body: Any, tools: Any) -> None:
    assert tools == encode(**body).body["tools"]


# ---- parameters


def test_plain_parameters() -> None:
    assert {
        "temperature": 0,
        "topP": 0.5,
        "topK": 4,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "seed": 7,
        "maxOutputTokens": 10,
        "stopSequences": ["a"],
        "candidateCount": 2,
        "responseLogprobs": True,
        "logprobs": 3,
    } == config(
        temperature=0,
        top_p=0.5,
        top_k=4,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        seed=7,
        max_completion_tokens=10,
        max_tokens=20,
        stop="a",
        n=2,
        logprobs=True,
        top_logprobs=3,
    )


def test_log_probabilities_alone() -> None:
    assert {"responseLogprobs": True} == config(logprobs=True)


def test_what_asks_for_nothing_changes_nothing() -> None:
    encoded = encode(
        n=1, logprobs=False, stop=None, parallel_tool_calls=True, store=False, max_tokens=None
    )

    assert "generationConfig" not in encoded.body
    assert () == encoded.dropped == encoded.adjusted


def test_what_finds_no_place_is_named() -> None:
    encoded = encode(
        Capabilities(sampling=frozenset()),
        temperature=1,
        logit_bias={"1": 2},
        user="u",
        parallel_tool_calls=False,
        store=True,
        reasoning_effort="low",
        prediction=None,
    )

    assert {
        "temperature", "logit_bias", "user", "parallel_tool_calls", "store", "reasoning_effort",
    } == set(encoded.dropped)  # fmt: skip


def test_stops_beyond_the_limit_are_cut_and_named() -> None:
    encoded = encode(stop=["a", "", "b", "c", "d", "e", "f"])

    assert ["a", "b", "c", "d", "e"] == encoded.body["generationConfig"]["stopSequences"]
    assert ("stop",) == encoded.adjusted


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
WISH = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
MIME = {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("caps", "wish", "expected"),
    [
        (THIRD, {"type": "text"}, None),
        (THIRD, {"type": "json_object"}, MIME),
        (THIRD, {"type": "json_schema", "json_schema": {}}, MIME),
        (THIRD, WISH, {**MIME, "responseJsonSchema": SCHEMA}),
        (
            OLD,
            WISH,
            {
                **MIME,
                "responseSchema": {
                    "type": "OBJECT",
                    "properties": {"a": {"type": "INTEGER"}},
                    "required": ["a"],
                },
            },
        ),
    ],
)
def test_structured_output(caps: Capabilities, wish: Any, expected: Any) -> None:
    assert expected == config(caps, response_format=wish)


def test_a_model_without_schemas_is_told_json_only() -> None:
    encoded = encode(Capabilities(schema=Schema.NONE), response_format=WISH)

    assert MIME == encoded.body["generationConfig"]
    assert ("response_format",) == encoded.adjusted


def test_pictures_and_sound() -> None:
    assert {
        "responseModalities": ["TEXT", "IMAGE"],
        "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    } == config(
        modalities=["text", "image"],
        image_config={"aspect_ratio": "16:9", "image_size": "2K"},
        audio={"voice": "Kore", "format": "wav"},
    )


@pytest.mark.parametrize("spelling", ["snake", "camel"])
def test_members_of_the_apis_own_go_through(spelling: str) -> None:
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    names = ("safety_settings", "cached_content")
    if spelling == "camel":
        names = ("safetySettings", "cachedContent")
    members: dict[str, Any] = {names[0]: settings, names[1]: "cachedContents/a"}
    encoded = encode(**members)

    assert (settings, "cachedContents/a") == (
        encoded.body["safetySettings"],
        encoded.body["cachedContent"],
    )
    assert () == encoded.dropped


@pytest.mark.parametrize(
    ("stream", "operation"), [(True, "streamGenerateContent"), (False, "generateContent")]
)
def test_the_operation(stream: bool, operation: str) -> None:
    assert operation == encode(stream=stream).operation


# ---- thinking


@pytest.mark.parametrize(
    ("caps", "body", "expected", "adjusted"),
    [
        (THIRD, {"reasoning_effort": "medium"}, {"thinkingLevel": "MEDIUM"}, ()),
        (THIRD, {"reasoning_effort": "minimal"}, {"thinkingLevel": "LOW"}, ("reasoning_effort",)),
        (THIRD, {"reasoning_effort": "xhigh"}, {"thinkingLevel": "HIGH"}, ("reasoning_effort",)),
        (THIRD, {"reasoning_effort": "none"}, "LOW", ("reasoning_effort",)),
        (THIRD, {"thinking": {"type": "disabled"}}, "LOW", ("thinking",)),
        (THIRD, {"thinking": {"type": "adaptive"}}, {}, ()),
        (
            THIRD,
            {"thinking": {"type": "adaptive"}, "reasoning_effort": "high"},
            {"thinkingLevel": "HIGH"},
            (),
        ),
        (THIRD, {"thinking": {"type": "enabled"}, "reasoning_effort": "odd"}, {}, ()),
        (
            THIRD,
            {"thinking": {"type": "enabled", "budget_tokens": 5_000}},
            {"thinkingLevel": "MEDIUM"},
            ("thinking",),
        ),
        (THIRD, {"thinking": {"type": "enabled", "budget_tokens": -1}}, {}, ()),
        (SECOND, {"reasoning_effort": "low"}, {"thinkingBudget": 1_024}, ()),
        (SECOND, {"reasoning_effort": "max"}, {"thinkingBudget": 24_576}, ("reasoning_effort",)),
        (SECOND, {"reasoning_effort": "none"}, 0, ()),
        (
            SECOND,
            {"thinking": {"type": "enabled", "budget_tokens": 5_000}},
            {"thinkingBudget": 5_000},
            (),
        ),
        (
            SECOND,
            {"thinking": {"type": "enabled", "budget_tokens": 5}},
            {"thinkingBudget": 128},
            ("thinking",),
        ),
        (
            SECOND,
            {"thinking": {"type": "enabled", "budget_tokens": -1}},
            {"thinkingBudget": -1},
            (),
        ),
    ],
)
def test_thinking(caps: Capabilities, body: Any, expected: Any, adjusted: Any) -> None:
    encoded = encode(caps, **body)
    if isinstance(expected, dict):
        expected = {"includeThoughts": True, **expected}
    else:
        name = "thinkingLevel" if isinstance(expected, str) else "thinkingBudget"
        expected = {name: expected}

    assert expected == encoded.body["generationConfig"]["thinkingConfig"]
    assert adjusted == encoded.adjusted


def test_a_budget_model_that_cannot_stop_thinking_thinks_least() -> None:
    caps = Capabilities(
        reasoning=SECOND.reasoning, budget_range=(128, 1_000), can_disable_reasoning=False
    )
    encoded = encode(caps, reasoning_effort="none")

    assert {"thinkingBudget": 128} == encoded.body["generationConfig"]["thinkingConfig"]
    assert ("reasoning_effort",) == encoded.adjusted


@pytest.mark.parametrize("word", ["odd", "auto"])
def test_a_word_that_nobody_knows_is_named(word: str) -> None:
    assert ("reasoning_effort",) == encode(reasoning_effort=word).dropped


@pytest.mark.parametrize(
    "body", [{"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, {}]
)
def test_a_model_that_does_not_think_needs_not_be_told(body: Any) -> None:
    encoded = encode(OLD, **body)

    assert "generationConfig" not in encoded.body
    assert () == encoded.dropped
