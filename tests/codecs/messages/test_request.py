"""Hub requests: what is refused, and the corners that no golden file shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmgateway.codecs.base import Context, Encoded
from llmgateway.codecs.messages import MESSAGES_CODEC
from llmgateway.codecs.messages.codec import MessagesCodec
from llmgateway.errors import InvalidRequest
from llmgateway.types.capabilities import Capabilities, Reasoning, Schema
from tests.codecs.messages.recordings import context

JSON = dict[str, Any]
USER = {"role": "user", "content": "Go."}


def encode(body: JSON, model: str = "claude-sonnet-4-5", **members: Any) -> Encoded:
    return MESSAGES_CODEC.encode_request({"messages": [USER], **body}, context(model, **members))


def user(*parts: Any) -> JSON:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def blocks(sent: Encoded, turn: int = 0) -> list[JSON]:
    content: list[JSON] = sent.body["messages"][turn]["content"]
    return content


def tool(**function: Any) -> JSON:
    return {"type": "function", "function": {"name": "find", **function}}


def assistant(**members: Any) -> JSON:
    return {"messages": [USER, {"role": "assistant", **members}, USER]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": ["odd"]}, "messages"),
        ({"messages": [{"role": "narrator"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages"),
        (user(3), "messages"),
        (user({"type": "image_url", "image_url": {}}), "messages"),
        (user({"type": "file", "file": {}}), "messages"),
        (user({"type": "image_url", "image_url": "data:image/png"}), "messages"),
        (user({"type": "file", "file": {"file_data": "data:text/plain;base64,a"}}), "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages"),
        (assistant(tool_calls=[{"id": "a", "function": {}}]), "messages"),
        (assistant(tool_calls=[{"function": {"name": "find"}}]), "messages"),
        ({"tools": {}}, "tools"),
        ({"tools": ["odd"]}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tools": [{"type": "mcp", "options": {"server_label": "s"}}]}, "tools"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": 3}, "tool_choice"),
        ({"tool_choice": {"type": 3}}, "tool_choice"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": True}, "top_p"),
        ({"stop": 3}, "stop"),
        ({"thinking": "yes"}, "thinking"),
        ({"reasoning_effort": 3}, "reasoning_effort"),
        ({"reasoning_effort": "mighty"}, "reasoning_effort"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_read_is_refused(body: JSON, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(body)

    assert param == caught.value.param


def test_a_schema_that_nests_absurdly_deep_is_refused() -> None:
    schema: JSON = {"type": "string"}
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    asked = {"type": "json_schema", "json_schema": {"schema": schema}}

    with pytest.raises(InvalidRequest, match="nests"):
        encode({"response_format": asked})
    # The answer to a request that was never sent is nobody's; reading one must not fail.
    ctx = context("claude-sonnet-4-5", request={"response_format": asked})
    assert [] == MESSAGES_CODEC.decode_stream(ctx).close()


def test_a_turn_may_be_a_text_among_parts() -> None:
    assert [{"type": "text", "text": "a"}] == blocks(encode(user("a", "", " ")))


def test_a_turn_that_says_nothing_is_left_out() -> None:
    sent = encode({"messages": [USER, {"role": "assistant", "content": None}, USER]})

    assert 1 == len(sent.body["messages"])


def test_a_refusal_of_before_is_said_again() -> None:
    sent = encode(assistant(content=None, refusal="I cannot."))

    assert [{"type": "text", "text": "I cannot."}] == blocks(sent, 1)


def test_a_message_of_its_own_words_keeps_its_mark() -> None:
    mark = {"type": "ephemeral"}
    sent = encode(assistant(content="Yes.", cache_control=mark))

    assert [{"type": "text", "text": "Yes.", "cache_control": mark}] == blocks(sent, 1)


def test_text_beside_thoughts_follows_them() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    kept = {"content_blocks": [thought]}
    sent = encode(assistant(content="Yes.", extra_content=kept))

    assert [thought, {"type": "text", "text": "Yes."}] == blocks(sent, 1)


def test_blocks_of_unknown_making_are_dropped_and_named() -> None:
    odd = [{"type": 3}, {"type": "image_url", "image_url": {"url": "https://e.org"}}]
    sent = encode(assistant(content_blocks=[*odd, {"type": "text", "text": "a"}]))

    assert ["image", "text"] == [block["type"] for block in blocks(sent, 1)]
    assert ("messages.content_blocks",) == sent.dropped


def test_calls_that_stand_in_the_content_too_are_said_once() -> None:
    call = {"id": "a", "function": {"name": "find", "arguments": {"q": 1}}}
    own = {"type": "tool_use", "id": "a", "name": "find", "input": {"q": 1}}
    sent = encode(assistant(content=[own, {"type": "text", "text": "b"}], tool_calls=[call]))

    assert ["text", "tool_use"] == [block["type"] for block in blocks(sent, 1)]
    assert {"q": 1} == blocks(sent, 1)[1]["input"]


def test_a_picture_in_a_system_text_is_dropped() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://e.org"}}
    system = {"role": "system", "content": ["Sys.", picture]}
    sent = encode({"messages": [system, USER]})

    assert [{"type": "text", "text": "Sys."}] == sent.body["system"]
    assert ("messages.system",) == sent.dropped


def test_a_block_of_the_format_passes_as_it_is() -> None:
    own = {"type": "container_upload", "file_id": "f"}
    opaque = {"type": "opaque", "wire": "messages", "value": own}

    assert [own, own] == blocks(encode(user(own, opaque)))


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        (None, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "string"}, {"type": "string"}),
        ({"type": "object", "minProperties": 1}, {"type": "object", "minProperties": 1}),
    ],
)
def test_a_tools_schema_says_its_type(parameters: Any, schema: JSON) -> None:
    assert (
        schema == encode({"tools": [tool(parameters=parameters)]}).body["tools"][0]["input_schema"]
    )


def test_what_a_tool_has_beyond_openai_is_kept() -> None:
    given = tool(defer_loading=True, input_examples=[{"q": 1}], cache_control={"type": "ephemeral"})
    sent = encode({"tools": [given]}).body["tools"][0]

    assert {"defer_loading", "input_examples", "cache_control"} < sent.keys()


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ({"type": "any"}, {"type": "any"}),
        ({"type": "tool", "name": "find"}, {"type": "tool", "name": "find"}),
        ({"type": "web_search"}, {"type": "tool", "name": "web_search"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"tools": ["odd", {"name": "find"}]}},
            {"type": "auto"},
        ),
    ],
)
def test_a_choice_of_tools_in_every_form(choice: Any, sent: JSON) -> None:
    assert sent == encode({"tools": [tool()], "tool_choice": choice}).body["tool_choice"]


def test_one_call_at_a_time() -> None:
    body = {"tools": [tool()], "parallel_tool_calls": False}

    assert {"type": "auto", "disable_parallel_tool_use": True} == encode(body).body["tool_choice"]
    assert {"type": "none"} == encode({**body, "tool_choice": "none"}).body["tool_choice"]


def test_a_choice_among_no_tools_is_not_sent() -> None:
    assert "tool_choice" not in encode({"tool_choice": "auto"}).body


def test_a_native_tool_without_a_name_is_known_by_its_date() -> None:
    own = {"type": "browser_toolset_20260801"}
    odd = {"type": "image_generation"}
    sent = encode({"tools": [{"type": "native", "native": one} for one in (own, odd)]})

    assert [own] == sent.body["tools"]
    assert ("tools.native",) == sent.dropped


def test_a_tool_without_a_type_or_a_name_is_dropped() -> None:
    assert ("tools",) == encode({"tools": [{}]}).dropped


def test_servers_named_by_the_caller_stay() -> None:
    mcp = {"type": "mcp", "server_label": "s", "server_url": "https://e.org"}
    sent = encode({"tools": [mcp], "mcp_servers": [{"name": "mine"}]}).body

    assert ["mine", "s"] == [server["name"] for server in sent["mcp_servers"]]


# ---- structured output


def asking(schema: JSON, **body: Any) -> JSON:
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}, **body}


OPEN = {"type": "object"}
CLOSED = {"type": "object", "properties": {}, "additionalProperties": False}


def test_a_schema_that_fits_is_sent_as_it_is() -> None:
    sent = encode(asking(CLOSED))

    assert CLOSED == sent.body["output_config"]["format"]["schema"]
    assert () == sent.adjusted


@pytest.mark.parametrize(
    "schema",
    [
        OPEN,
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}},
        {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#"}]}}},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/b"}}},
    ],
)
def test_a_schema_that_no_field_can_say_becomes_a_tool(schema: JSON) -> None:
    sent = encode(asking(schema)).body

    assert ["json_response"] == [one["name"] for one in sent["tools"]]
    assert {"type": "tool", "name": "json_response"} == sent["tool_choice"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "uuid", "$schema": "x", "$id": "y"},
        {"type": "string", "format": "phone"},
        {"type": "array", "minItems": 4, "items": True},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/c"}, "c": {}}},
        {"properties": "odd", "anyOf": "odd"},
    ],
)
def test_other_schemas_fit_once_described(schema: JSON) -> None:
    assert "output_config" in encode(asking(schema)).body


def test_the_tools_name_is_free() -> None:
    sent = encode(asking(OPEN, tools=[{"type": "function", "function": {"name": "json_response"}}]))

    assert ["json_response", "json_response_"] == [one["name"] for one in sent.body["tools"]]
    assert {"type": "any"} == sent.body["tool_choice"]


def test_a_tool_that_the_caller_forces_goes_first() -> None:
    choice = {"type": "function", "function": {"name": "find"}}
    sent = encode(asking(OPEN, tools=[tool()], tool_choice=choice)).body

    assert {"type": "tool", "name": "find"} == sent["tool_choice"]


def test_tools_that_must_not_be_called_leave_the_answer_its_own() -> None:
    sent = encode(asking(OPEN, tools=[tool()], tool_choice="none")).body

    assert {"type": "tool", "name": "json_response"} == sent["tool_choice"]


def test_json_without_a_schema_is_asked_for_in_words_where_the_model_thinks() -> None:
    asked = {"response_format": {"type": "json_object"}, "reasoning_effort": "low"}
    sent = encode(asked)

    assert "JSON" in sent.body["system"][0]["text"]
    assert ("response_format",) == sent.adjusted


def test_json_in_words_leaves_explicit_thinking_on() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2000}
    sent = encode({"response_format": {"type": "json_object"}, "thinking": thinking}).body

    assert thinking == sent["thinking"]


def test_a_nameless_tool_takes_no_name() -> None:
    assert "json_response" == encode(asking(OPEN, tools=[{}])).body["tools"][0]["name"]


@pytest.mark.parametrize("asked", [None, "odd", {"type": "text"}])
def test_no_structure_is_asked_for(asked: Any) -> None:
    assert {"model", "max_tokens", "messages"} == encode({"response_format": asked}).body.keys()


def test_a_schema_that_is_missing_means_any_json() -> None:
    asked = {"response_format": {"type": "json_schema"}}

    assert "json_response" == encode(asked).body["tools"][0]["name"]


# ---- thinking


def test_a_limit_may_be_a_float() -> None:
    assert 5 == encode({"max_tokens": 5.0}).body["max_tokens"]


@pytest.mark.parametrize(
    ("body", "model", "thinking"),
    [
        ({"thinking": {"type": "disabled"}}, "claude-sonnet-5", {"type": "disabled"}),
        ({"thinking": {"type": "disabled"}}, "claude-3-5-haiku-latest", None),
        ({"thinking": {"type": "adaptive"}}, "claude-sonnet-5", {"type": "adaptive"}),
        ({"thinking": {"type": "adaptive"}}, "claude-3-5-haiku-latest", None),
        ({"reasoning_effort": "low"}, "claude-3-5-haiku-latest", None),
        (
            {"thinking": {"type": "enabled"}},
            "claude-sonnet-4-5",
            {"type": "enabled", "budget_tokens": 8192},
        ),
        ({"thinking": {"type": "enabled"}}, "claude-sonnet-5", {"type": "adaptive"}),
    ],
)
def test_thinking_in_the_models_own_form(body: JSON, model: str, thinking: JSON | None) -> None:
    assert thinking == encode(body, model).body.get("thinking")


@pytest.mark.parametrize(
    ("effort", "sent"), [("low", "low"), ("xhigh", "xhigh"), ("minimal", "low"), ("odd", None)]
)
def test_adaptive_thinking_takes_the_effort_beside(effort: str, sent: str | None) -> None:
    body = {"thinking": {"type": "adaptive"}, "reasoning_effort": effort}

    assert sent == encode(body, "claude-sonnet-5").body.get("output_config", {}).get("effort")


THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}


@pytest.mark.parametrize(
    ("first", "is_on"), [({"content_blocks": [THOUGHT]}, True), ({}, False)], ids=["kept", "lost"]
)
def test_a_row_of_calls_needs_the_thoughts_before_it_alone(first: JSON, is_on: bool) -> None:
    calls = [{"id": "a", "function": {"name": "find"}}]
    turn = {"role": "assistant", "tool_calls": calls}
    result = {"role": "tool", "tool_call_id": "a", "content": "one"}
    messages = [USER, {"role": "assistant", **first, "tool_calls": calls}, result, turn, result]
    asked = {"messages": messages, "reasoning_effort": "low", "tools": [tool()]}
    sent = encode(asked)

    assert is_on == (sent.body["thinking"]["type"] == "enabled")
    assert is_on == ("thinking" not in sent.adjusted)
    # Adaptive thinking has no such rule.
    assert {"type": "adaptive"} == encode(asked, "claude-opus-4-6").body["thinking"]


def test_a_new_question_ends_the_row() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "find"}}]}
    result = {"role": "tool", "tool_call_id": "a", "content": "one"}
    answer = {"role": "assistant", "content": "One."}
    sent = encode({"messages": [USER, call, result, answer, USER], "reasoning_effort": "low"})

    assert "enabled" == sent.body["thinking"]["type"]


def test_a_model_that_takes_any_effort_gets_the_callers_word() -> None:
    can = Capabilities(reasoning=frozenset({Reasoning.EFFORT}), efforts=())
    sent = encode({"reasoning_effort": "max"}, capabilities=can)

    assert {"effort": "max"} == sent.body["output_config"]


def test_a_large_budget_is_the_highest_effort() -> None:
    body = {"thinking": {"type": "enabled", "budget_tokens": 100_000}}

    assert {"effort": "max"} == encode(body, "claude-sonnet-5").body["output_config"]


def test_the_models_of_no_thinking_may_be_forced() -> None:
    can = Capabilities(
        schema=Schema.TOOL,
        can_disable_reasoning=False,
        forced_tool_with_reasoning=False,
        reasoning=frozenset({Reasoning.NONE}),
    )

    assert "tools" in encode(asking(CLOSED), capabilities=can).body


# ---- around the body


def test_betas_of_option_caller_and_tools_join() -> None:
    ctx = replace(context("claude-sonnet-4-5"), options={"anthropic_beta": "a, b"})
    body = {"messages": [USER], "anthropic_beta": "b,c", "tools": [{"type": "code_execution"}]}
    sent = MESSAGES_CODEC.encode_request(body, ctx)

    assert "a,b,c,code-execution-2025-08-25" == sent.headers["anthropic-beta"]


def test_another_host_of_the_api_names_its_version_itself() -> None:
    codec = MessagesCodec(version={})

    assert {} == codec.encode_request({"messages": [USER]}, Context(model="m")).headers


def test_a_text_that_the_model_goes_on_from_ends_without_space() -> None:
    prefill = {"role": "assistant", "content": "So far"}
    call = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "find"}}]}

    assert () == encode({"messages": [USER, prefill]}).adjusted
    assert "So far" == blocks(encode({"messages": [USER, prefill]}), 1)[0]["text"]
    assert "tool_use" == blocks(encode({"messages": [USER, call], "tools": [tool()]}), 1)[0]["type"]


def test_files_in_results_need_their_beta_too() -> None:
    file = {"type": "file", "file": {"file_id": "f"}}
    result = {"role": "tool", "tool_call_id": "a", "content": [file]}
    sent = encode({"messages": [USER, result], "tools": [tool()]})

    assert "files-api-2025-04-14" == sent.headers["anthropic-beta"]


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"n": 1, "logprobs": False, "logit_bias": {}, "store": False}, ()),
        ({"verbosity": "low", "prediction": None}, ("verbosity",)),
        ({"service_tier": ["odd"]}, ("service_tier",)),
        ({"metadata": "odd", "user": ""}, ()),
    ],
)
def test_what_is_named_as_dropped(body: JSON, dropped: tuple[str, ...]) -> None:
    assert dropped == encode(body).dropped


def test_a_thought_goes_back_to_the_format_that_signed_it() -> None:
    ours = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    theirs = {**ours, "wire": "generate_content"}
    answer = {"type": "text", "text": "Ah."}
    sent = encode(assistant(content_blocks=[theirs, ours, answer]))

    assert [ours, answer] == blocks(sent, 1)
